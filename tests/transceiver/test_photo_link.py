"""VQ-DeepSC, MOC-RVQ and the analog codecs behind the physical layer, from the scenario on."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from skimage import data as photographs
from torch import nn

from phy.qam import pam_levels
from semcodec import weights
from semcodec.analog import to_symbols, unit_power
from semcodec.photo import jscc_codec, moc_rvq_codec, unet_jscc_codec, vq_deepsc_codec
from semcodec.photo.jscc import JsccNetwork
from semcodec.photo.moc_rvq import MocRvqConfig, MocRvqNetwork
from semcodec.photo.noise_reduction import NoiseReductionConfig
from semcodec.photo.unet_jscc import UNetJsccConfig, UNetJsccNetwork
from semcodec.photo.vq_deepsc import VqDeepScConfig, VqDeepScNetwork
from semcodec.photo.vqgan import VqganConfig
from transceiver.build import build
from transceiver.networks import one_thread
from transceiver.pictures import open_pictures
from transceiver.results import rows
from transceiver.scenario import ScenarioError, parse
from transceiver.source import Picture
from transceiver.store import open_run
from transceiver.sweep import run

AUTOENCODER = VqganConfig(width=8, factors=(1, 1, 1, 1), latent_channels=8)


def _photograph() -> torch.Tensor:
    return torch.from_numpy(photographs.astronaut()[:64, 160:256].copy()).movedim(-1, 0)


def _make() -> dict[str, tuple[nn.Module, str]]:
    """Networks with random weights whose codewords lie on a photograph's latents."""
    picture = _photograph()[None].float() / 255
    generator = torch.Generator().manual_seed(0)
    block = NoiseReductionConfig(channels=8, width=8, depth=1, layers=1, heads=2, window=4)
    with torch.random.fork_rng():
        torch.manual_seed(3)
        deepsc = VqDeepScNetwork(VqDeepScConfig((2, 8, 4, 4), width=1 / 16))
        moc = MocRvqNetwork(MocRvqConfig(AUTOENCODER, noise_reduction=block))
        unet = UNetJsccNetwork(UNetJsccConfig((0, 1, 2, 3), width=1 / 16))
        jscc = JsccNetwork(AUTOENCODER)
    deepsc.place(picture, iterations=3, generator=generator)
    with torch.no_grad():
        latents = moc.autoencoder.encode(picture)
    moc.quantizer.restart(latents, iterations=3, generator=generator)
    moc.quantizer.reorder(labels=pam_levels(3).argsort())
    return {
        "vq_deepsc": (deepsc, vq_deepsc_codec.MODEL),
        "moc_rvq": (moc, moc_rvq_codec.MODEL),
        "unet_jscc": (unet, unet_jscc_codec.MODEL),
        "jscc": (jscc, jscc_codec.MODEL),
    }


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("photo")
    paths = {}
    for kind, (network, model) in _make().items():
        path = folder / f"{kind}.safetensors"
        config = asdict(network.config)
        weights.save(path, network.state_dict(), model=model, config=config, training={"steps": 0})
        paths[kind] = str(path)
    return paths


@pytest.fixture
def scenario(
    change: Callable[..., dict[str, Any]], files: dict[str, str]
) -> Callable[..., dict[str, Any]]:
    """Uncoded 64-QAM over AWGN, an index an axis, with the four kinds."""

    def changed(**dotted: Any) -> dict[str, Any]:
        start: dict[str, Any] = {
            "codecs": {kind: {"kind": kind, "weights": path} for kind, path in files.items()},
            "phy": {
                "crc": "none",
                "code": {"kind": "none"},
                "modulation": {"kind": "qam", "order": 64, "axes": "split"},
                "channel": {"kind": "awgn"},
            },
            "sweep": {"esn0_db": [5.0, 40.0]},
            "stop": {"trials": 1},
            "metrics": ["psnr"],
        }
        return change(**(start | dotted))

    return changed


@pytest.fixture
def picture() -> Picture:
    return Picture(0, "astronaut", _photograph())


def _results(data: dict[str, Any], folder: Path) -> dict[tuple[str, int], Any]:
    checked = parse(data)
    assert checked.images is not None
    run(
        checked,
        open_pictures(checked.images, folder=folder),
        folder=folder / "run",
        batch=8,
        progress=lambda *_: None,
    )
    return {(row.codec, row.point): row for row in rows(open_run(folder / "run"))}


def test_all_kinds_cross_the_link(scenario: Any, tmp_path: Path) -> None:
    """On any number of threads with the same rows."""
    found, before = _results(scenario(), tmp_path / "a"), torch.get_num_threads()
    torch.set_num_threads(1 if before > 1 else 2)
    try:
        _results(scenario(), tmp_path / "b")
    finally:
        torch.set_num_threads(before)
    stores = [open_run(tmp_path / name / "run") for name in "ab"]
    assert stores[0].rows() == stores[1].rows()
    for kind in ("vq_deepsc", "moc_rvq", "unet_jscc", "jscc"):
        noisy, clean = found[kind, 0], found[kind, 1]
        assert noisy.counters.frames == clean.counters.frames == 3
        assert noisy.metrics["psnr"].value != clean.metrics["psnr"].value
    for kind in ("vq_deepsc", "moc_rvq"):
        assert found[kind, 0].counters.index_errors > 0
        assert found[kind, 0].scalars["displacement_mean"] > 0
        assert found[kind, 1].counters.index_errors == 0
    for kind in ("unet_jscc", "jscc"):
        row = found[kind, 1]
        assert row.counters.source_bits == row.counters.coded_bits == row.counters.blocks == 0
        assert np.isnan(row.rates["fer"].value)
        assert row.scalars["symbol_power_mean"] == pytest.approx(1, rel=1e-3)
        assert row.scalars["noise_variance_measured"] == pytest.approx(1e-4, rel=0.2)


def test_an_index_of_moc_rvq_is_an_amplitude(scenario: Any, picture: Picture) -> None:
    """Two indices of three bits make a 64-QAM symbol: real part the first, imaginary the second."""
    sender = build(parse(scenario()))["moc_rvq"]
    sent = sender.encode(picture)
    symbols = sender.link.modulation.map(sent.bits)
    levels = pam_levels(3) / np.sqrt(42)
    expected = torch.view_as_real(symbols).reshape(-1)
    torch.testing.assert_close(levels[sent.indices].to(expected), expected)
    assert len(symbols) == sender.link.account(sent).symbols == 8 * 12 * 8  # eq. 11: CBR 1/24


@pytest.mark.parametrize("levels", [1, 3])
def test_fewer_levels_are_the_first_indices(scenario: Any, picture: Picture, levels: int) -> None:
    data = scenario()
    data["codecs"]["fewer"] = {**data["codecs"]["moc_rvq"], "levels": levels, "nrb": False}
    senders = build(parse(data))
    whole, fewer = (senders[name].encode(picture) for name in ("moc_rvq", "fewer"))
    assert torch.equal(whole.indices[: len(fewer.indices)], fewer.indices)
    assert 4 * len(fewer.indices) == levels * len(whole.indices)
    assert not torch.equal(senders["moc_rvq"].decode_clean(whole), picture.pixels)


@one_thread()
def test_the_noise_reduction_block_can_be_left_out(scenario: Any, picture: Picture) -> None:
    data = scenario()
    data["codecs"]["without"] = {**data["codecs"]["moc_rvq"], "nrb": False}
    senders = build(parse(data))
    images = [senders[n].decode_clean(senders[n].encode(picture)) for n in ("moc_rvq", "without")]
    assert not torch.equal(*images)
    codec = senders["without"].link.source.codec
    network = codec.network
    vectors = network.quantizer.lookup(network.encode(picture.pixels[None] / 255))
    expected = network.autoencoder.decode(vectors)[0].clamp(0, 1).mul(255).round()
    assert torch.equal(images[1].float(), expected)


def test_the_scales_of_vq_deepsc_have_their_own_bits(scenario: Any, picture: Picture) -> None:
    sent = build(parse(scenario()))["vq_deepsc"].encode(picture)
    cells = 4 * 6
    assert sent.bits.numel() == cells * (2 + 4 * 2 + 16 * 3 + 64 * 1)
    assert sent.indices.numel() == cells * (1 + 4 + 16 + 64)


@pytest.mark.parametrize("kind", ["unet_jscc", "jscc"])
@one_thread()
def test_analog_values_become_symbols_of_unit_power(
    scenario: Any, picture: Picture, kind: str
) -> None:
    sender = build(parse(scenario()))[kind]
    sent = sender.encode(picture)
    codec = sender.link.source.codec
    values = codec.network.encode(picture.pixels[None] / 255)[0]
    assert torch.equal(sent.values[: len(values)], values)
    symbols = sender.link.source.symbols(sent.values)
    assert torch.equal(symbols, to_symbols(unit_power(sent.values[None])[0]))
    assert sender.link.account(sent).symbols == len(symbols) == len(sent.values) // 2
    assert sender.decode_clean(sent).shape == picture.pixels.shape


def test_only_indices_have_a_constellation(scenario: Any) -> None:
    found = {name: sender.constellation for name, sender in build(parse(scenario())).items()}
    assert found["jscc"] is found["unet_jscc"] is None
    for name in ("vq_deepsc", "moc_rvq"):
        assert found[name] is not None
        assert found[name].name == build(parse(scenario()))[name].link.modulation.name


def test_a_byte_codec_takes_the_symbols_of_an_analog_one(scenario: Any, picture: Picture) -> None:
    data = scenario()
    budget = {"kind": "symbols_of", "codec": "jscc"}
    phy = {"modulation": {"kind": "qam", "order": 1024}}
    data["codecs"]["jpeg"] = {"kind": "jpeg", "budget": budget, "phy": phy}
    senders = build(parse(data))
    allowed = senders["jscc"].link.account(senders["jscc"].encode(picture)).symbols
    used = senders["jpeg"].link.account(senders["jpeg"].encode(picture)).symbols
    assert 0.9 * allowed < used <= allowed


def test_failures_fall_back_on_what_an_analog_codec_would_show(
    scenario: Any, tmp_path: Path
) -> None:
    found = _results(scenario(failure="last_good", **{"stop.trials": 2}), tmp_path)
    assert found["jscc", 0].counters.frames == 6


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        ({"sweep": {"ebn0_db": [5.0]}}, "unet_jscc sends no bits"),
        ({"codecs.jscc.plan": {"kind": "amc", "table": "x"}}, "plan: is not a key"),
        ({"codecs.moc_rvq.levels": 0}, "levels: must be greater than or equal to 1, got 0"),
        (
            {
                "codecs.jpeg": {
                    "kind": "jpeg",
                    "budget": {"kind": "source_bits_of", "codec": "jscc"},
                }
            },
            r"codec with weights that sends bits \(vq_deepsc, moc_rvq\), got jscc",
        ),
    ],
)
def test_what_does_not_fit_is_refused(scenario: Any, bad: Any, says: str) -> None:
    with pytest.raises(ScenarioError, match=says):
        parse(scenario(**bad))


def test_more_levels_than_there_are_is_refused(scenario: Any) -> None:
    with pytest.raises(ScenarioError, match=r"codecs\.moc_rvq: levels must be 1 to 4, got 5"):
        build(parse(scenario(**{"codecs.moc_rvq.levels": 5})))
