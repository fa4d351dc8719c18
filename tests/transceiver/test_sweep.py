"""Runs: what is counted does not depend on how the work is cut, and failures are told apart."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image as PillowImage
from rich.console import Console

from semcodec.image_io import read_image
from semcodec.metrics import psnr
from transceiver.build import build
from transceiver.failure import mean_colour
from transceiver.metrics import PSNR_LIMIT_DB
from transceiver.pictures import open_pictures
from transceiver.report.tables import results_table
from transceiver.results import rows
from transceiver.scenario import TAPS, parse
from transceiver.store import Store, Unit
from transceiver.sweep import run

Run = Callable[..., Store]


def _units(store: Store, codec: str, point: int = 0) -> list[Unit]:
    return list(store.units(codec, point))


def _pictures(data: dict[str, Any]) -> list[torch.Tensor]:
    scenario = parse(data)
    assert scenario.images is not None
    return [p.pixels for p in open_pictures(scenario.images, folder=Path())]


LIVELY = {
    "phy.channel": {"kind": "rayleigh", "fading": {"block": 20}},
    "sweep.esn0_db": [5],
    "stop.trials": 3,
    "failure": "last_good",
}


def test_batch_and_repetition_change_nothing(change: Any, run_in: Run) -> None:
    data = change(**LIVELY)
    stores = [run_in(data, batch=batch) for batch in (1, 3, 16, 16)]
    assert [s.rows() for s in stores[1:]] == [stores[0].rows()] * 3
    failures = [u.failure for u in _units(stores[0], "bpg")]
    assert len(failures) == 9
    assert 0 < sum(failures) < 9


def test_kept_samples_change_nothing(change: Any, run_in: Run) -> None:
    plain, tapped = change(**LIVELY), change(**LIVELY)
    tapped["taps"] = {"samples": list(TAPS), "per_point": 99}
    first, second = run_in(plain), run_in(tapped)
    assert first.rows() == second.rows()
    with np.load(second.folder / "taps" / "bpg-000.npz") as kept:
        absent = {"indices", "codebooks", "bits_per_symbol", "indices_hat", "payload_hat"}
        absent |= {"values", "values_hat"}
        assert set(TAPS) - absent <= set(kept.files)
        assert {len(kept[name]) for name in ("llrs", "symbols", "image_hat")} == {99}
    with np.load(first.folder / "taps" / "bpg-000.npz") as kept:
        assert sorted(kept.files) == ["equalized", "received", "symbols"]
        assert len(kept["symbols"]) == 2048


def test_two_codecs_meet_the_same_channel(change: Any, run_in: Run) -> None:
    """Common random numbers: gains equal, noise equal, as far as the shorter signal goes."""
    data = change(**{**LIVELY, "sweep.esn0_db": [3, 7]})
    data["taps"] = {"samples": ["gain", "symbols", "received"], "per_point": 300}
    folder = run_in(data).folder / "taps"
    noises = []
    for point in range(2):
        kept = {c: np.load(folder / f"{c}-{point:03d}.npz") for c in ("vq", "bpg")}
        assert np.array_equal(kept["vq"]["gain"], kept["bpg"]["gain"])
        assert not np.array_equal(kept["vq"]["symbols"], kept["bpg"]["symbols"])
        vq, bpg = (k["received"] - k["gain"] * k["symbols"] for k in kept.values())
        assert np.abs(vq - bpg).max() < 1e-5
        assert np.abs(vq).mean() > 0.2
        noises.append(vq / np.abs(vq).mean())
    assert np.abs(noises[0] - noises[1]).max() > 0.5  # but every point has its own


def test_failed_picture_is_its_mean_colour(change: Any, run_in: Run) -> None:
    data = change(**{"sweep.esn0_db": [-5], "codecs.jpeg": ...})
    store = run_in(data)
    pictures = _pictures(data)
    units = _units(store, "bpg")
    assert [u.failure for u in units] == [True] * 6
    for unit in units:
        pixels = pictures[unit.key.image]
        exact = pixels.double().mean(dim=(1, 2)).round().to(torch.uint8)
        grey = exact[:, None, None].expand_as(pixels)
        assert torch.equal(mean_colour(pixels), grey)
        assert unit.metrics["psnr"] == psnr(pixels, grey)
        counters = unit.counters
        assert (counters.frame_errors, counters.crc_failures) == (1, 1)
        assert counters.undetected_errors == 0
    shown = read_image(store.folder / "images" / "bpg-000.png")
    assert torch.equal(shown, mean_colour(pictures[0]))
    assert torch.equal(read_image(store.folder / "images" / "sent.png"), pictures[0])
    damaged = _units(store, "vq")  # a damaged index is an index: nothing is concealed
    assert [u.failure for u in damaged] == [False] * 6
    assert sum(u.counters.index_errors for u in damaged) > 0
    assert sum(u.counters.displacement for u in damaged) > 0


def test_last_good_shows_the_last_that_arrived(change: Any, run_in: Run) -> None:
    data = change(**{**LIVELY, "stop.trials": 6})
    units = _units(run_in(data), "bpg")
    pictures = _pictures(data)
    sender = build(parse(data))["bpg"]
    seen = {"arrived": 0, "repeated": 0, "grey": 0}
    good: set[int] = set()
    for unit in units:
        key = unit.key.image
        codec = sender.link.source.codec
        clean = codec.decode(codec.encode_to_budget(pictures[key], 300), *pictures[key].shape[1:])
        if not unit.failure:
            good.add(key)
        kind = ("repeated" if unit.failure else "arrived") if key in good else "grey"
        seen[kind] += 1
        expected = mean_colour(pictures[key]) if kind == "grey" else clean
        assert unit.metrics["psnr"] == psnr(pictures[key], expected)
    assert min(seen.values()) > 0, seen


def test_best_effort_shows_damaged_pictures(change: Any, run_in: Run) -> None:
    """Uncoded JPEG: a few wrong bits; every frame fails, and some are better than grey."""
    data = change(
        **{
            "codecs.bpg": {"kind": "jpeg", "budget": {"kind": "quality", "value": 40}},
            "codecs.jpeg": ...,
            "phy.code": {"kind": "none"},
            "sweep.esn0_db": [9.5],
            "stop.trials": 5,
        }
    )
    grey = _units(run_in(data), "bpg")
    data["failure"] = "best_effort"
    shown = _units(run_in(data), "bpg")
    assert [u.failure for u in grey] == [u.failure for u in shown]
    assert [u.counters for u in grey] == [u.counters for u in shown]
    failed = [(g, s) for g, s in zip(grey, shown, strict=True) if g.failure]
    assert len(failed) > 3
    assert any(s.metrics["psnr"] > g.metrics["psnr"] + 1 for g, s in failed)


def test_without_a_crc_a_damaged_file_is_shown_or_fails_undetected(
    change: Any, run_in: Run
) -> None:
    data = change(
        **{
            "codecs.bpg": {"kind": "jpeg", "budget": {"kind": "quality", "value": 40}},
            "codecs.jpeg": ...,
            "phy.code": {"kind": "none"},
            "phy.crc": "none",
            "sweep.esn0_db": [8],
            "stop.trials": 5,
        }
    )
    units = _units(run_in(data), "bpg")
    for unit in units:
        assert unit.counters.crc_bits == unit.counters.crc_failures == 0
        assert unit.counters.undetected_errors == unit.counters.frame_errors
        assert unit.counters.blocks == 1
    wrong = [u.failure for u in units if u.counters.frame_errors]
    assert set(wrong) == {True, False}


def test_outage_is_counted_and_shown(finished: Store, base: dict[str, Any]) -> None:
    """No JPEG fits into the symbols of the VQ codec: nothing is sent, the viewer sees grey."""
    pictures = _pictures(base)
    for unit in _units(finished, "jpeg"):
        assert unit.outage
        assert not unit.failure
        assert unit.counters.frames == 1
        assert sum(vars(unit.counters).values()) == 1
        pixels = pictures[unit.key.image]
        assert unit.metrics["psnr"] == psnr(pixels, mean_colour(pixels))
    table = list(rows(finished))
    row = next(r for r in table if r.codec == "jpeg")
    assert (row.outages, row.failures) == (6, 0)
    assert np.isnan(row.cbr)
    console = Console(file=io.StringIO(), width=200)
    console.print(results_table(table, finished.scenario))
    text = console.file.getvalue()
    (line,) = [ln for ln in text.splitlines() if ln.split()[:2] == ["jpeg", "2"]]
    assert line.split()[-2:] == ["0/0", "6/6"]
    assert line.split()[2] == "-"
    (line,) = [ln for ln in text.splitlines() if ln.split()[:2] == ["bpg", "0.5"]]
    assert line.split()[-2:] == ["6/6", "0/6"]


def test_first_picture_may_be_an_outage(change: Any, run_in: Run) -> None:
    """Some pictures fit into the budget and some do not; the frames keep their keys."""
    data = change(**{"codecs.bpg.budget.value": 44, "codecs.jpeg": ..., "sweep.esn0_db": [5]})
    store = run_in(data, batch=2)
    outages = {u.key.image: u.outage for u in _units(store, "bpg")}
    assert set(outages.values()) == {True, False}
    for unit in _units(store, "bpg"):
        assert (unit.counters.source_bits == 0) == outages[unit.key.image]
        assert unit.image_name == ("a-face", "b-coffee", "c-grey")[unit.key.image]
    assert store.rows() == run_in(data, batch=1).rows()
    row = next(r for r in rows(store) if r.codec == "bpg")
    samples = sum(u.samples for u in _units(store, "bpg") if not u.outage)
    assert row.cbr == row.counters.symbols / samples


def test_bits_stop_by_block_errors_whatever_the_batch(bits: Any, run_in: Run) -> None:
    data = bits(
        **{
            "codecs.bits": {"kind": "bits", "payload_bits": 300},
            "stop": {"block_errors": 9, "max_blocks": 60},
            "sweep.esn0_db": [1.0, 6.0],
        }
    )
    stores = [run_in(data, batch=batch) for batch in (1, 3, 16)]
    assert stores[0].rows() == stores[1].rows() == stores[2].rows()
    few, many = (list(rows(stores[0]))[i].counters for i in range(2))
    assert few.block_errors == 9
    assert few.blocks < 60
    assert (many.block_errors, many.blocks) == (0, 60)
    last = _units(stores[0], "bits")[-1]
    assert last.counters.block_errors == 1  # stopped right behind the error that was one enough
    assert last.samples == 0
    assert last.metrics == {}


def test_identical_picture_counts_as_100_db(change: Any, run_in: Run, tmp_path: Path) -> None:
    folder = tmp_path / "flat"
    folder.mkdir()
    PillowImage.new("RGB", (24, 16), (128, 128, 128)).save(folder / "flat.png")
    data = change(
        **{"images.path": str(folder), "codecs.jpeg": ..., "metrics": ["psnr"], "stop.trials": 1}
    )
    (row,) = [r for r in rows(run_in(data)) if r.codec == "bpg" and r.point == 1]
    assert row.metrics["psnr"].value == PSNR_LIMIT_DB == 100


def test_progress_ends_at_one(change: Any, tmp_path: Path) -> None:
    data = change(**{"codecs.jpeg": ..., "codecs.bpg": ..., "stop.trials": 1})
    scenario = parse(data)
    pictures = open_pictures(scenario.images, folder=tmp_path)
    calls: list[tuple[str, float]] = []
    run(
        scenario, pictures, folder=tmp_path / "r", batch=2,
        progress=lambda label, fraction: calls.append((label, fraction)),
    )  # fmt: skip
    fractions = [fraction for _, fraction in calls]
    assert fractions == sorted(fractions)
    assert fractions[-1] == pytest.approx(1)
    assert calls[0][0] == "vq esn0_db 0.5"
