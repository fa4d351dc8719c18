"""What a scenario names must be there and fit, before anything is loaded."""

import shutil
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import torch
from PIL import Image as PillowImage

from semcodec import lpips
from semcodec.metrics import ms_ssim, ssim
from transceiver import catalog
from transceiver.check import LEAST_SIDES, check
from transceiver.scenario import ScenarioError, codec, parse, phy


def _lines(data: dict[str, Any], folder: Path) -> list[str]:
    with pytest.raises(ScenarioError) as error:
        check(parse(data), folder=folder)
    return str(error.value).splitlines()


def test_sound_scenario_passes(change: Any, tmp_path: Path) -> None:
    check(parse(change()), folder=tmp_path)


def test_picture_folder(change: Any, tmp_path: Path, picture_folder: Path) -> None:
    data = change(**{"images.path": "pictures"})
    assert _lines(data, tmp_path) == [
        f"images.path: must be a folder of pictures, got {tmp_path / 'pictures'}"
    ]
    shutil.copytree(picture_folder, tmp_path / "pictures")
    check(parse(data), folder=tmp_path)
    (tmp_path / "pictures" / "b-bad.png").write_bytes(b"no picture")
    (line,) = _lines(data, tmp_path)
    assert line.startswith(f"images.path: {tmp_path / 'pictures' / 'b-bad.png'} must be a readable")
    data["images"]["limit"] = 1  # the damaged one comes second
    check(parse(data), folder=tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "notes.txt").write_text("x")
    (line,) = _lines(change(**{"images.path": "empty"}), tmp_path)
    assert line.startswith("images.path: must hold pictures")


def test_weights(change: Any, tmp_path: Path, tiny_weights: Path) -> None:
    (line,) = _lines(change(**{"codecs.vq.weights": "nobody"}), tmp_path)
    assert line.startswith("codecs.vq.weights: must be shipped weights (")
    assert line.endswith("got nobody")
    (line,) = _lines(change(**{"codecs.vq.weights": "nobody.safetensors"}), tmp_path)
    assert line.endswith("or an existing .safetensors file, got nobody.safetensors")
    other = tmp_path / "w.safetensors"
    shutil.copy(tiny_weights, other)
    check(parse(change(**{"codecs.vq.weights": str(other)})), folder=tmp_path)
    other.with_suffix(".sha256").write_text("0" * 64 + "  w.safetensors\n")
    (line,) = _lines(change(**{"codecs.vq.weights": str(other)}), tmp_path)
    assert line.startswith(
        "codecs.vq.weights: w.safetensors must have the SHA-256 in w.sha256, got "
    )


@pytest.mark.parametrize("metric", ["ssim", "ms_ssim"])
def test_pictures_must_be_large_enough_for_a_metric(
    change: Any, tmp_path: Path, metric: str
) -> None:
    least = LEAST_SIDES[metric]
    folder = tmp_path / "pictures"
    folder.mkdir()
    data = change(**{"images.path": str(folder), "metrics": [metric]})
    PillowImage.new("RGB", (least, least + 9)).save(folder / "a.png")
    check(parse(data), folder=tmp_path)
    PillowImage.new("RGB", (least + 9, least - 1)).save(folder / "b.png")
    assert _lines(data, tmp_path) == [
        f"metrics: {metric} needs sides of at least {least} pixels, "
        f"got b.png of {least + 9} x {least - 1}"
    ]


def test_least_sides_are_those_of_the_metrics() -> None:
    """The table in `check`, which does not import torch, against the functions themselves."""
    for name, metric in (("ssim", ssim), ("ms_ssim", ms_ssim)):
        side = LEAST_SIDES[name]
        large = torch.zeros(3, side, side, dtype=torch.uint8)
        assert metric(large, large) == 1
        small = large[:, 1:]
        with pytest.raises(ValueError, match="sides must be at least"):
            metric(small, small)
    assert {f"lpips_{net}": side for net, side in lpips._MIN_SIDE.items()} == {
        name: side for name, side in LEAST_SIDES.items() if name.startswith("lpips")
    }


def test_lpips_weights_must_be_found(
    change: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("SEMANTIC_TRANSCEIVER_WEIGHTS", raising=False)
    (line,) = _lines(change(metrics=["psnr", "lpips"]), tmp_path)
    assert line.startswith("metrics.1: LPIPS weights must lie in the folder that")
    metric = {"kind": "lpips", "weights": str(tmp_path / "none.npz")}
    (line,) = _lines(change(metrics=[metric]), tmp_path)
    assert line == f"metrics.0: LPIPS weights must exist, got no file {tmp_path / 'none.npz'}"
    monkeypatch.setenv("SEMANTIC_TRANSCEIVER_WEIGHTS", str(tmp_path))
    (tmp_path / "lpips_alex_v0.1.npz").write_bytes(b"")
    check(parse(change(metrics=["lpips"])), folder=tmp_path)


def test_cifar10_must_be_there_and_is_32_pixels_wide(change: Any, tmp_path: Path) -> None:
    data = change(images={"kind": "cifar10", "path": "cifar.npy"}, metrics=["ms_ssim"])
    assert _lines(data, tmp_path) == [
        f"images.path: must be the folder or .npy file of CIFAR-10, got {tmp_path / 'cifar.npy'}",
        f"metrics: ms_ssim needs sides of at least {LEAST_SIDES['ms_ssim']} pixels, "
        "got CIFAR-10 of 32 x 32",
    ]
    np.save(tmp_path / "cifar.npy", np.zeros((1, 32, 32, 3), np.uint8))
    data["metrics"] = ["ssim"]
    check(parse(data), folder=tmp_path)


def test_all_problems_are_said_at_once(change: Any, tmp_path: Path) -> None:
    data = change(**{"codecs.vq.weights": "nobody", "images.path": "nowhere"})
    assert [line.split(":")[0] for line in _lines(data, tmp_path)] == [
        "codecs.vq.weights",
        "images.path",
    ]


def test_catalog_lists_what_is_shipped() -> None:
    assert catalog.scenarios()["quickstart"] == catalog.find_scenario("quickstart")
    assert catalog.find_scenario("quickstart").is_file()
    assert catalog.find_scenario("x/y.yaml") == Path("x/y.yaml")
    for name, path in catalog.weights().items():
        assert catalog.find_weights(name, key="k") == path


def test_catalog_names_every_kind_of_the_scenario() -> None:
    """The lists that `transceiver list` prints against the sections."""

    def kinds(union: Any) -> set[str]:
        sections = get_args(get_args(union)[0])
        return {k for s in sections for k in get_args(s.model_fields["kind"].annotation)}

    assert kinds(phy.CodeSection) == set(catalog.CODES)
    assert kinds(phy.ModulationSection) == set(catalog.MODULATIONS)
    assert kinds(phy.ChannelSection) == set(catalog.CHANNELS)
    assert kinds(codec.CodecSection) == set(catalog.CODECS)
