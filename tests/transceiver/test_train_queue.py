"""Several recipes after one another: what one trains another begins from; what is done stays."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml

from semcodec.system32.system import load_system

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def recipes(tmp_path: Path) -> list[Path]:
    """A start, and a system that begins from it, on noise."""
    pictures = np.random.default_rng(0).integers(256, size=(60, 32, 32, 3), dtype=np.uint8)
    np.save(tmp_path / "train.npy", pictures)
    shared = {
        "seed": 1,
        "data": {"cifar10": str(tmp_path / "train.npy"), "validation": 20},
        "epochs": 1,
        "batch": 8,
        "report_every": 2,
    }
    gaussian = {"kind": "gaussian", "deviation": 0.1, "power_weight": 0.1}
    paths = []
    for name, quantizer, extra in (
        ("first", gaussian, {}),
        ("second", {"kind": "plain"}, {"start": "first"}),
    ):
        model = {"kind": "system32", "width": 8, "bits_per_index": 4, "quantizer": quantizer}
        path = tmp_path / f"{name}.yaml"
        path.write_text(yaml.safe_dump({"name": name, "model": model, **shared, **extra}))
        paths.append(path)
    return paths


def test_one_after_the_other_and_not_twice(call: Call, recipes: list[Path], tmp_path: Path) -> None:
    out_folder = tmp_path / "trained"
    code, out, err = call("train", *recipes, "--out", out_folder, "--threads", 1)
    assert (code, err) == (0, "")
    assert [line for line in out.splitlines() if line in ("first", "second")] == ["first", "second"]
    weights = out_folder / "train-second" / "best.safetensors"
    system, content = load_system(str(weights))
    assert system.config.trained_as == "plain"
    assert content.training["step"] == 5
    before = weights.read_bytes(), (out_folder / "train-second" / "log.jsonl").read_text()
    code, again, _ = call("train", *recipes, "--out", out_folder, "--threads", 1)
    assert code == 0
    assert "step" not in again
    assert again.splitlines()[-1] == out.splitlines()[-1]
    assert before == (
        weights.read_bytes(),
        (out_folder / "train-second" / "log.jsonl").read_text(),
    )


def test_mistakes_are_found_before_the_first_training(
    call: Call, recipes: list[Path], tmp_path: Path
) -> None:
    out_folder = tmp_path / "trained"
    code, _, err = call("train", recipes[0], recipes[0], "--out", out_folder)
    assert (code, err) == (2, "error: recipes must have different names, got first twice\n")
    recipes[1].write_text(recipes[1].read_text().replace("epochs: 1", "epochs: 0"))
    code, _, err = call("train", *recipes, "--out", out_folder)
    assert code == 2
    assert err.startswith("error: second.yaml: epochs: must be greater than 0")
    assert not out_folder.exists()


def test_a_start_must_exist_and_fit(call: Call, recipes: list[Path], tmp_path: Path) -> None:
    code, _, err = call("train", recipes[1], "--out", tmp_path / "trained")
    assert code == 2
    assert err.startswith("error: start: must be a .safetensors file, shipped weights, or a recipe")
    code, _, err = call(
        "train", recipes[1], "--set", "start=cifar-start", "--out", tmp_path / "trained"
    )
    assert code == 2
    assert "error: start must be of width 8, got " in err
