"""Make ``tests/golden/training_logs.json``: what 200 steps of each CIFAR-10 recipe log.

    python tools/make_training_logs.py

The recipes are those of ``recipes/cifar``, shrunk by the assignments of `SHRINK` to seconds each:
quantiser, indices, rates and weights in the loss stay as they are. CIFAR-10 gives way to crops of
the photographs that scikit-image ships. As the recipes say, all but ``start`` begin from the
weights of ``start``: here those of its own 200 steps. One is trained from fresh weights too.

`tests/transceiver/test_recipe_logs.py` trains again and compares. A change of a recipe that is
meant changes the logs: run this again then. It takes about a minute on one thread.
"""

import hashlib
import json
import platform
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import numpy.typing as npt
import torch
from skimage import data

from transceiver.recipe import load_recipe, train_recipe

ROOT = Path(__file__).parents[1]
GOLDEN = ROOT / "tests" / "golden" / "training_logs.json"
RECIPES = {path.stem: path for path in sorted((ROOT / "recipes" / "cifar").glob("*.yaml"))}

PHOTOGRAPHS = ("astronaut", "coffee", "chelsea")
"""Stored without loss (PNG): every decoder gives the same pixels."""

SHRINK = (
    "model.width=8",
    "batch=2",
    "epochs=1",  # of 440 - 40 pictures: 200 steps
    "data.validation=40",
    "report_every=50",
    "compiled=false",
)
START = "start"
FRESH = "vq"
"""The recipe that is trained from fresh weights too."""


def small_pictures() -> npt.NDArray[np.uint8]:
    """32 x 32 crops of photographs shrunk 2, 3 and 4 times, in mixed order: ``[440, 32, 32, 3]``.

    A shrunk pixel is the integer mean of a square of pixels; neighbouring crops overlap by half.
    """
    crops = []
    for name in PHOTOGRAPHS:
        pixels = getattr(data, name)()
        for factor in (2, 3, 4):
            height, width = (side // factor for side in pixels.shape[:2])
            whole = pixels[: height * factor, : width * factor]
            squares = whole.reshape(height, factor, width, factor, 3).astype(np.uint32)
            shrunk = (squares.sum((1, 3)) // factor**2).astype(np.uint8)
            crops += [
                shrunk[top : top + 32, left : left + 32]
                for top in range(0, height - 31, 16)
                for left in range(0, width - 31, 16)
            ]
    mixed = np.arange(len(crops)) * 389 % len(crops)  # a permutation: their number is prime
    return np.stack(crops)[mixed][:440]


@contextmanager
def one_thread() -> Iterator[None]:
    """Sums of floating-point numbers depend on how many threads share them."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def training_log(
    name: str, assignments: Sequence[str] = (), *, pictures: Path, folder: Path
) -> list[dict[str, float]]:
    """The lines of ``log.jsonl`` of a recipe trained in ``folder`` on a ``.npy`` of pictures.

    Recipes that begin from another's weights need that one's folder beside their own, called as
    ``transceiver train`` calls it: ``train-cifar-start``.
    """
    every = [*SHRINK, f"data.cifar10={pictures}", *assignments]
    with one_thread():
        train_recipe(load_recipe(RECIPES[name], every), folder=folder, report=lambda *_: None)
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def golden_text(
    facts: Mapping[str, object], logs: Mapping[str, Sequence[Mapping[str, float]]]
) -> str:
    """The file's text: a line for each line of a log, seven digits."""
    lines = [f"{json.dumps(key)}: {json.dumps(value)}," for key, value in facts.items()]
    lines.append('"logs": {')
    for last, (name, log) in enumerate(logs.items(), start=1 - len(logs)):
        rounded = [{key: float(f"{value:.7g}") for key, value in line.items()} for line in log]
        rows = ",\n".join(json.dumps(line | {"step": int(line["step"])}) for line in rounded)
        lines.append(f"{json.dumps(name)}: [\n{rows}\n]{',' if last else ''}")
    return "\n".join(["{", *lines, "}", "}", ""])


def main() -> None:
    """Train by each recipe, one of them from fresh weights too; write the logs."""
    facts = {
        "source": "200 steps of each recipe of recipes/cifar, by tools/make_training_logs.py",
        "torch": torch.__version__,
        "numpy": np.__version__,
        "scikit-image": version("scikit-image"),
        "python": platform.python_version(),
        "processor": f"{platform.machine()}, {torch.backends.cpu.get_cpu_capability()}",
        "assignments": SHRINK,
        "pictures": hashlib.sha256(small_pictures().tobytes()).hexdigest(),
    }
    logs = {}
    with TemporaryDirectory() as scratch:
        pictures = Path(scratch) / "pictures.npy"
        np.save(pictures, small_pictures())
        for name in sorted(RECIPES, key=lambda name: name != START):
            folder = Path(scratch) / f"train-cifar-{name}"
            logs[name] = training_log(name, pictures=pictures, folder=folder)
            print(name, *(f"{line['mse_0']:.4f}" for line in logs[name] if "mse_0" in line))
        folder = Path(scratch) / "fresh"
        logs[f"{FRESH} fresh"] = training_log(
            FRESH, ["start=null"], pictures=pictures, folder=folder
        )
    GOLDEN.write_text(golden_text(facts, logs))


if __name__ == "__main__":
    main()
