"""Small real parts: tiny networks with random weights, and crops of scikit-image's photographs."""

import copy
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image as PillowImage
from skimage import data

from semcodec import weights as weight_files
from semcodec.system32.backbone import Backbone
from semcodec.system32.subvectors import split
from semcodec.system32.system import Codebooks, System, SystemConfig, save_system
from semcodec.vq.vqvae import VqVae, VqVaeConfig
from semcodec.weights_path import torch_checkpoints
from transceiver import cli
from transceiver.encodings import EncodingCache
from transceiver.pictures import open_pictures
from transceiver.scenario import Scenario, parse
from transceiver.store import Store, open_run
from transceiver.sweep import run

CODE = {"kind": "ieee80211n", "n": 648, "rate": "1/2"}


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Commands keep encodings in a cache of these tests; torch's cache stays where it is."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TORCH_HOME", str(torch_checkpoints().parents[1]))
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def tiny_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A VQ-VAE of 4-bit indices; its codewords lie on a photograph's latents."""
    config = VqVaeConfig(16, 4, (4, 4, 8), (1, 1), (1, 1, 1))
    with torch.random.fork_rng():
        torch.manual_seed(5)
        network = VqVae(config)
    photograph = torch.from_numpy(data.astronaut()).movedim(-1, 0)[None].float() / 255
    with torch.no_grad():
        latents = network.encode(photograph)
    network.codebook.restart(latents, iterations=3, generator=torch.Generator().manual_seed(0))
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    weight_files.save(
        path, network.state_dict(), model="vqvae", config=asdict(config), training={"steps": 0}
    )
    return path


@pytest.fixture(scope="session")
def picture_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three photographs of 48 x 40, 33 x 50 and (grey) 40 x 48 pixels."""
    folder = tmp_path_factory.mktemp("pictures")
    crops = {
        "a-face": data.astronaut()[60:100, 200:248],
        "b-coffee": data.coffee()[100:150, 250:283],
        "c-grey": data.camera()[100:148, 200:240],
    }
    for name, pixels in crops.items():
        PillowImage.fromarray(pixels).save(folder / f"{name}.png")
    return folder


@pytest.fixture(scope="session")
def base(tiny_weights: Path, picture_folder: Path) -> dict[str, Any]:
    """A scenario with an index codec and two byte codecs, where some frames fail."""
    equal = {"kind": "symbols_of", "codec": "vq"}
    return {
        "name": "tiny",
        "seed": 3,
        "images": {"kind": "folder", "path": str(picture_folder)},
        "codecs": {
            "vq": {"kind": "vq", "weights": str(tiny_weights)},
            "bpg": {"kind": "bpg", "budget": {"kind": "bytes", "value": 300}},
            "jpeg": {"kind": "jpeg", "budget": equal},
        },
        "phy": {
            "code": CODE,
            "modulation": {"kind": "qam", "order": 4},
            "channel": {"kind": "awgn"},
        },
        "sweep": {"esn0_db": [0.5, 2.0]},
        "stop": {"trials": 2},
        "metrics": ["psnr", "ssim"],
    }


Change = Callable[..., dict[str, Any]]


def _changer(base: dict[str, Any]) -> Change:
    def changed(**dotted: Any) -> dict[str, Any]:
        data = copy.deepcopy(base)
        for path, value in dotted.items():
            *parents, last = path.split(".")
            section = data
            for key in parents:
                section = section.setdefault(key, {})
            if value is ...:
                section.pop(last)
            else:
                section[last] = value
        return data

    return changed


@pytest.fixture
def change(base: dict[str, Any]) -> Change:
    """The base scenario's data with dotted keys replaced; ``...`` removes a key."""
    return _changer(base)


@pytest.fixture(scope="session")
def small_pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four photographs shrunk to 24 x 16 pixels: 6 x 4 cells of a system's latents."""
    folder = tmp_path_factory.mktemp("small")
    for name in ("astronaut", "chelsea", "coffee", "rocket"):
        photograph = PillowImage.fromarray(getattr(data, name)())
        photograph.resize((24, 16), PillowImage.Resampling.BOX).save(folder / f"{name}.png")
    return folder


def tiny_system(folder: Path, *, flips: bool) -> System:
    """A system of three codebooks of 4-bit indices for the pictures of a folder.

    Of 24 sub-vectors: flip probabilities (from 0.001 upwards) and distortion rise with the
    codebook. The first word lies in the middle of the pictures' latents and is the likeliest.
    """
    config = SystemConfig(8, 4, 4, 4, 3, bounded=False, trained_as="learned_flips")
    generator = torch.Generator().manual_seed(6)
    with torch.random.fork_rng():
        torch.manual_seed(5)
        backbone = Backbone(8, 4, bounded=False)
    with torch.no_grad():
        for weight in backbone.parameters():
            weight *= 2.5 if weight.dim() > 1 else 0.1  # so that outputs depend on inputs
    pixels = [np.asarray(PillowImage.open(path)) for path in sorted(folder.iterdir())]
    pictures = torch.from_numpy(np.stack(pixels)).movedim(-1, 1).float() / 255
    with torch.no_grad():
        flat = split(backbone.encode(pictures), 4).reshape(-1, 4)
    middle = flat.mean(0)
    first = torch.cat([middle[None], middle + 1.5 * (flat[::6] - middle)])[:16]
    noise = 0.1 * first.std() * torch.randn(3, 16, 4, generator=generator)
    codewords = first + noise * torch.tensor([0.0, 1.0, 2.0])[:, None, None]
    nearest = [torch.cdist(flat, words).argmin(1) for words in codewords]
    used = torch.stack([torch.bincount(index, minlength=16) for index in nearest]).float()
    spread = 3 * torch.rand(3, 24, 4, generator=generator)  # of a codebook's probabilities
    mu = torch.tensor([0.001, 0.008, 0.04])[:, None, None] * spread.exp2()
    distortion = torch.rand(3, 24, generator=generator).add(0.1).cumsum(0)
    tables = Codebooks(
        codewords,
        used / len(flat),
        flip_probability=mu if flips else None,
        distortion=distortion if flips else None,
    )
    return System(config, backbone, tables)


@pytest.fixture(scope="session")
def system_weights(small_pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A weight file of `tiny_system`."""
    path = tmp_path_factory.mktemp("weights") / "system.safetensors"
    save_system(path, tiny_system(small_pictures, flips=True), training={"steps": 0})
    return path


@pytest.fixture
def small(system_weights: Path, small_pictures: Path) -> Change:
    """As `change`, for a system and its pictures, uncoded over one gain for each image."""
    return _changer(
        {
            "name": "small",
            "seed": 4,
            "images": {"kind": "folder", "path": str(small_pictures)},
            "codecs": {"system": {"kind": "system32", "weights": str(system_weights)}},
            "phy": {
                "code": {"kind": "none"},
                "crc": "none",
                "modulation": {"kind": "qam", "order": 16},
                "channel": {"kind": "rayleigh", "fading": "image"},
            },
            "sweep": {"normalized_snr_db": [2.0, 14.0]},
            "stop": {"trials": 2},
            "metrics": ["psnr"],
        }
    )


@pytest.fixture
def bits(change: Change) -> Change:
    """The same for plain random bits over the PHY."""

    def changed(**dotted: Any) -> dict[str, Any]:
        start = {
            "images": ...,
            "codecs": {"bits": {"kind": "bits"}},
            "metrics": [],
            "stop": {"block_errors": 20, "max_blocks": 200},
        }
        return change(**(start | dotted))

    return changed


def run_data(
    data: dict[str, Any],
    folder: Path,
    *,
    batch: int = 16,
    jobs: int = 1,
    cache: EncodingCache | None = None,
) -> Store:
    """Run a scenario's data in a folder and open the result."""
    scenario: Scenario = parse(data)
    pictures = open_pictures(scenario.images, folder=folder) if scenario.images else None
    run(
        scenario, pictures, folder=folder, batch=batch, progress=lambda *_: None, jobs=jobs,
        cache=cache,
    )  # fmt: skip
    return open_run(folder)


@pytest.fixture
def run_in(tmp_path: Path) -> Callable[..., Store]:
    """Run a scenario's data in a fresh folder."""
    count = iter(range(1000))

    def go(
        data: dict[str, Any],
        *,
        folder: Path | None = None,
        batch: int = 16,
        jobs: int = 1,
        cache: EncodingCache | None = None,
    ) -> Store:
        folder = folder or tmp_path / f"run{next(count)}"
        return run_data(data, folder, batch=batch, jobs=jobs, cache=cache)

    return go


@pytest.fixture(scope="session")
def finished(base: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Store:
    """One run of the base scenario for all tests that only read."""
    return run_data(base, tmp_path_factory.mktemp("finished"))


@pytest.fixture(scope="session")
def sampled(base: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A run that kept what the report can show of the signal."""
    samples = ["received", "equalized", "llrs", "symbols", "indices", "indices_hat"]
    kept = {"taps": {"samples": samples, "per_point": 4096}, "stop.trials": 1}
    return run_data(_changer(base)(**kept), tmp_path_factory.mktemp("sampled"))


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """Run a command in this process: exit code, standard output, standard error."""

    def run_command(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["transceiver", *map(str, arguments)])
        with pytest.raises(SystemExit) as left:
            cli.main()
        found = capsys.readouterr()
        code = left.value.code
        return (code if isinstance(code, int) else 0), found.out, found.err

    return run_command
