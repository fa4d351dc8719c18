"""What can be said of a scenario before anything is loaded: files, weights, picture sizes.

Imports neither torch nor the codecs, so that `transceiver validate` answers at once.
"""

import hashlib
import zipfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from PIL import Image as PillowImage
from PIL import UnidentifiedImageError

from semcodec.errors import WeightsError
from semcodec.weights_path import find_lpips_weights
from transceiver import plugins
from transceiver.catalog import find_weights, picture_paths
from transceiver.mcs import find_table, load_table
from transceiver.metrics_names import metric_name
from transceiver.scenario.codec import CodecSection
from transceiver.scenario.document import Lpips, Scenario
from transceiver.scenario.foreign import PluginCodec, TensorflowModel, TorchProgram
from transceiver.scenario.load import ScenarioError, user_path
from transceiver.scenario.source import (
    AmcPlan,
    Cifar10Images,
    FolderImages,
    SampleImages,
    TrainedCodec,
)

LEAST_SIDES = {"ssim": 11, "ms_ssim": 176, "lpips_alex": 31, "lpips_squeeze": 17}
"""Pixels on the shorter side: one 11 x 11 window, five scales of it, the networks' strides."""


def check(scenario: Scenario, *, folder: Path) -> None:
    """Raise `ScenarioError` with a line for each file that is missing, damaged or unfit."""
    lines = list(_problems(scenario, folder))
    if lines:
        raise ScenarioError("\n".join(lines))


def _problems(scenario: Scenario, folder: Path) -> Iterator[str]:
    for name, codec in scenario.codecs.items():
        if isinstance(codec, TrainedCodec):
            yield from _weights(codec.weights, f"codecs.{name}.weights")
        yield from _foreign(codec, f"codecs.{name}")
        plan = getattr(codec, "plan", None)
        if isinstance(plan, AmcPlan):
            try:
                load_table(find_table(plan.table, key=f"codecs.{name}.plan.table"))
            except ScenarioError as error:
                yield str(error)
    for i, metric in enumerate(scenario.metrics):
        section = Lpips(kind="lpips") if metric == "lpips" else metric
        if isinstance(section, Lpips):
            yield from _lpips(section, f"metrics.{i}")
    sizes: dict[str, tuple[int, int]] = {}
    match scenario.images:
        case FolderImages():
            where = folder / user_path(scenario.images.path)
            try:
                sizes = _sizes(where, scenario.images)
            except ScenarioError as error:
                yield str(error)
        case Cifar10Images():
            where = folder / user_path(scenario.images.path)
            if not where.exists():
                yield f"images.path: must be the folder or .npy file of CIFAR-10, got {where}"
            sizes["CIFAR-10"] = (32, 32)
        case SampleImages() | None:
            pass
    for wanted in map(metric_name, scenario.metrics):
        least = LEAST_SIDES.get(wanted, 1)
        small = [(name, size) for name, size in sizes.items() if min(size) < least]
        for name, (width, height) in small[:1]:
            yield (
                f"metrics: {wanted} needs sides of at least {least} pixels, "
                f"got {name} of {width} x {height}"
            )


def _lpips(section: Lpips, key: str) -> Iterator[str]:
    path = user_path(section.weights) if section.weights else None
    try:
        find_lpips_weights(section.net, path)
    except WeightsError as error:
        yield f"{key}: {error}"


def _foreign(codec: CodecSection, key: str) -> Iterator[str]:
    """Whether plugins and programs are there; nothing of them is run."""
    match codec:
        case PluginCodec():
            wrong = plugins.problem(codec, key=key)
            if wrong:
                yield wrong
        case TorchProgram():
            for part, file in (("encoder", codec.encoder), ("decoder", codec.decoder)):
                if Path(file).is_file() and zipfile.is_zipfile(file):
                    yield from _digest(Path(file), f"{key}.{part}")
                else:
                    yield f"{key}.{part}: must be a file of torch.export.save (.pt2), got {file}"
        case TensorflowModel():
            if not (Path(codec.model) / "saved_model.pb").is_file():
                yield f"{key}.model: must be the folder of a SavedModel, got {codec.model}"
            if find_spec("tensorflow") is None:
                yield (
                    f"{key}: kind tensorflow needs TensorFlow: "
                    "pip install 'semantic-transceiver[tensorflow]'"
                )
        case _:
            pass


def _weights(name_or_path: str, key: str) -> Iterator[str]:
    try:
        path = find_weights(name_or_path, key=key)
    except ScenarioError as error:
        yield str(error)
        return
    yield from _digest(path, key)


def _digest(path: Path, key: str) -> Iterator[str]:
    beside = path.with_suffix(".sha256")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if beside.is_file() and beside.read_text().split()[:1] != [digest]:
        yield f"{key}: {path.name} must have the SHA-256 in {beside.name}, got {digest}"


def _sizes(folder: Path, section: FolderImages) -> dict[str, tuple[int, int]]:
    """Width and height of every picture; opens each file and reads its header only."""
    sizes = {}
    for path in picture_paths(folder)[: section.limit]:
        try:
            with PillowImage.open(path) as picture:
                sizes[path.name] = picture.size
        except (UnidentifiedImageError, OSError, PillowImage.DecompressionBombError) as error:
            raise ScenarioError(
                f"images.path: {path} must be a readable picture, got: {error}"
            ) from None
    return sizes
