"""LPIPS against plain torch modules with random weights, its files, and the real weights."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from skimage import data
from torch import Tensor, nn

from semcodec.errors import WeightsError
from semcodec.image_io import read_image
from semcodec.lpips import Lpips
from semcodec.weights_path import find_lpips_weights

VARIABLE = "SEMANTIC_TRANSCEIVER_WEIGHTS"
EXAMPLE = Path(os.environ.get(VARIABLE, "nowhere")) / "lpips-example"


class Fire(nn.Module):
    """A fire module of SqueezeNet, in torchvision's names."""

    def __init__(self, channels: int, squeezed: int, expanded: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(channels, squeezed, 1)
        self.expand1x1 = nn.Conv2d(squeezed, expanded, 1)
        self.expand3x3 = nn.Conv2d(squeezed, expanded, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.squeeze(x).relu()
        return torch.cat((self.expand1x1(x).relu(), self.expand3x3(x).relu()), 1)


def pool(*, ceil_mode: bool) -> nn.MaxPool2d:
    return nn.MaxPool2d(3, 2, ceil_mode=ceil_mode)


def backbone(net: str) -> tuple[nn.Sequential, tuple[int, ...], tuple[int, ...]]:
    """torchvision's `features`, the modules whose outputs count, and their channels."""
    if net == "alex":
        layers = nn.Sequential(
            nn.Conv2d(3, 64, 11, 4, 2), nn.ReLU(), pool(ceil_mode=False),
            nn.Conv2d(64, 192, 5, padding=2), nn.ReLU(), pool(ceil_mode=False),
            nn.Conv2d(192, 384, 3, padding=1), nn.ReLU(),
            nn.Conv2d(384, 256, 3, padding=1), nn.ReLU(),
            nn.Conv2d(256, 256, 3, padding=1), nn.ReLU(),
        )  # fmt: skip
        return layers, (1, 4, 7, 9, 11), (64, 192, 384, 256, 256)
    layers = nn.Sequential(
        nn.Conv2d(3, 64, 3, 2), nn.ReLU(), pool(ceil_mode=True),
        Fire(64, 16, 64), Fire(128, 16, 64), pool(ceil_mode=True),
        Fire(128, 32, 128), Fire(256, 32, 128), pool(ceil_mode=True),
        Fire(256, 48, 192), Fire(384, 48, 192), Fire(384, 64, 256), Fire(512, 64, 256),
    )  # fmt: skip
    return layers, (1, 4, 7, 9, 10, 11, 12), (64, 128, 256, 384, 384, 512, 512)


def random_weights(net: str) -> dict[str, Tensor]:
    torch.manual_seed(9)
    layers, _, channels = backbone(net)
    weights = {f"features.{name}": tensor for name, tensor in layers.state_dict().items()}
    return weights | {f"lin{k}.weight": torch.rand(count) for k, count in enumerate(channels)}


def reference_distance(net: str, weights: dict[str, Tensor], x: Tensor, y: Tensor) -> float:
    """The definition, layer by layer."""
    layers, taps, _ = backbone(net)
    layers.load_state_dict({k[9:]: v for k, v in weights.items() if k.startswith("features.")})
    total = 0.0
    mean = torch.tensor([-0.030, -0.088, -0.188]).reshape(3, 1, 1)
    deviation = torch.tensor([0.458, 0.448, 0.450]).reshape(3, 1, 1)
    x, y = ((image.float()[None] / 127.5 - 1 - mean) / deviation for image in (x, y))
    with torch.no_grad():
        for index, layer in enumerate(layers):
            x, y = layer(x), layer(y)
            if index in taps:
                difference = (nn.functional.normalize(x) - nn.functional.normalize(y)) ** 2
                weight = weights[f"lin{taps.index(index)}.weight"].reshape(1, -1, 1, 1)
                total += float((weight * difference).sum(1).mean())
    return total


def images(side: int = 64) -> tuple[Tensor, Tensor]:
    crop = torch.from_numpy(data.astronaut()[:side, 200 : 200 + side].copy()).permute(2, 0, 1)
    noise = torch.randn(crop.shape, generator=torch.Generator().manual_seed(10))
    return crop, (crop + 20 * noise).clamp(0, 255).to(torch.uint8)


@pytest.mark.parametrize("net", ["alex", "squeeze"])
@pytest.mark.parametrize("side", [33, 64])
def test_distance_is_that_of_plain_modules(net: str, side: int) -> None:
    weights = random_weights(net)
    x, y = images(side)
    expected = reference_distance(net, weights, x, y)
    assert Lpips(net, weights)(x, y) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("net", ["alex", "squeeze"])
def test_distance_is_zero_symmetric_batched_and_differentiable(net: str) -> None:
    lpips = Lpips(net, random_weights(net))
    x, y = images()
    assert lpips(x, x) == 0
    assert lpips(x, y) == pytest.approx(lpips(y, x), rel=1e-5)
    batch = torch.stack((x, y)).float() / 255
    assert lpips.distance(batch, batch.flip(0)).tolist() == pytest.approx(
        [lpips(x, y)] * 2, rel=1e-4
    )
    moving = batch[1:].clone().requires_grad_()
    lpips.distance(batch[:1], moving).sum().backward()
    assert moving.grad is not None
    assert float(moving.grad.abs().sum()) > 0


def test_images_must_be_large_enough_and_alike() -> None:
    x, y = images(30)
    with pytest.raises(ValueError, match="sides of at least 31"):
        Lpips("alex", random_weights("alex"))(x, y)
    squeeze = Lpips("squeeze", random_weights("squeeze"))
    assert squeeze(x[:, :17, :17], y[:, :17, :17]) > 0
    with pytest.raises(ValueError, match="images must be of one size"):
        squeeze(x, y[:, :, :20])
    with pytest.raises(ValueError, match="image must be uint8"):
        squeeze(x, y.float())


def save(path: Path, weights: dict[str, Tensor]) -> Path:
    if path.suffix == ".npz":
        np.savez(path, **{name: tensor.numpy() for name, tensor in weights.items()})
    elif path.suffix == ".safetensors":
        save_file(weights, path)
    else:
        torch.save(weights, path)
    return path


@pytest.mark.parametrize("suffix", [".npz", ".safetensors", ".pth"])
def test_every_file_format_gives_the_same_weights(tmp_path: Path, suffix: str) -> None:
    weights = random_weights("squeeze")
    loaded = Lpips.load("squeeze", save(tmp_path / f"weights{suffix}", weights)).weights
    assert loaded.keys() == weights.keys()
    assert all(torch.equal(loaded[name], weights[name]) for name in weights)


def test_linear_layers_are_completed_by_the_backbone_beside_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "cache"))
    weights = random_weights("alex")
    linear = {
        name.replace(".weight", ".model.1.weight"): tensor.reshape(1, -1, 1, 1)
        for name, tensor in weights.items()
        if name.startswith("lin")
    }
    path = save(tmp_path / "alex.pth", linear)
    with pytest.raises(WeightsError, match="hold only the linear layers"):
        Lpips.load("alex", path)
    features = {name: tensor for name, tensor in weights.items() if name.startswith("features")}
    save(tmp_path / "alexnet-owt-7be5be79.pth", features | {"classifier.1.weight": torch.ones(2)})
    assert Lpips.load("alex", path)(*images()) == Lpips("alex", weights)(*images())


def test_missing_misshapen_and_unreadable_weights_are_refused(tmp_path: Path) -> None:
    weights = random_weights("alex")
    missing = {name: tensor for name, tensor in weights.items() if name != "features.8.bias"}
    with pytest.raises(WeightsError, match=r"for alex must hold features\.8\.bias, got none"):
        Lpips.load("alex", save(tmp_path / "missing.npz", missing))
    with pytest.raises(WeightsError, match=r"lin1\.weight must be \[192\], got \[128\]"):
        Lpips("alex", weights | {"lin1.weight": torch.ones(128)})
    with pytest.raises(WeightsError, match=r"features\.0\.weight must be \[64, 3, 3, 3\], got"):
        Lpips.load("squeeze", save(tmp_path / "other.npz", weights))
    for suffix in (".npz", ".safetensors", ".pth"):
        path = tmp_path / f"damaged{suffix}"
        path.write_bytes(b"PK\3\4 not weights at all")
        with pytest.raises(WeightsError, match="LPIPS weights must be readable, got"):
            Lpips.load("alex", path)
        with pytest.raises(WeightsError, match="LPIPS weights must be readable, got"):
            Lpips.load("alex", tmp_path / f"absent{suffix}")
    for content in ({"lin0.weight": "text"}, ["features.0.weight"]):
        torch.save(content, tmp_path / "odd.pth")
        with pytest.raises(WeightsError, match=r"must hold features\.0|must be readable"):
            Lpips.load("alex", tmp_path / "odd.pth")
    np.savez(tmp_path / "text.npz", **{"features.0.weight": np.array("text")})
    with pytest.raises(WeightsError, match="LPIPS weights must be readable, got"):
        Lpips.load("alex", tmp_path / "text.npz")
    with pytest.raises(WeightsError, match=r"must be \.npz, \.safetensors, \.pth, got"):
        Lpips.load("alex", tmp_path / "weights.bin")


def test_weights_are_looked_for_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    with pytest.raises(WeightsError, match=r"got no lpips_alex_v0\.1\.npz"):
        find_lpips_weights("alex")
    cached = tmp_path / "torch" / "hub" / "checkpoints" / "lpips_alex_v0.1.pth"
    cached.parent.mkdir(parents=True)
    cached.touch()
    assert find_lpips_weights("alex") == cached
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    assert find_lpips_weights("alex") == cached
    named = tmp_path / "lpips_alex_v0.1.npz"
    named.touch()
    assert find_lpips_weights("alex") == named
    assert find_lpips_weights("alex", cached) == cached
    with pytest.raises(WeightsError, match="got no file"):
        find_lpips_weights("alex", tmp_path / "absent.npz")
    with pytest.raises(WeightsError, match="net must be 'alex' or 'squeeze', got 'vgg'"):
        find_lpips_weights("vgg")  # type: ignore[arg-type]
    monkeypatch.delenv("TORCH_HOME")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert find_lpips_weights("alex") == named
    monkeypatch.delenv(VARIABLE)
    assert find_lpips_weights("alex") == cached


def test_looking_for_weights_needs_no_torch() -> None:
    code = "import sys, semcodec.weights_path; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.skipif(not EXAMPLE.is_dir(), reason=f"{VARIABLE} names no folder with LPIPS weights")
@pytest.mark.parametrize(
    ("net", "far", "near"), [("alex", 0.7219, 0.1376), ("squeeze", 0.7110, 0.1479)]
)
def test_real_weights_give_the_published_distances(net: str, far: float, near: float) -> None:
    reference, p0, p1 = (read_image(EXAMPLE / f"ex_{name}.png") for name in ("ref", "p0", "p1"))
    lpips = Lpips.load(net, find_lpips_weights(net))
    assert lpips(reference, p0) == pytest.approx(far, abs=1e-3)
    assert lpips(reference, p1) == pytest.approx(near, abs=1e-3)
