"""Every figure of a run is written, whatever the run looks like, and nothing is warned of."""

import io
import math
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image as PillowImage
from rich.console import Console

from transceiver.build import build
from transceiver.report import curves
from transceiver.report.figures import draw
from transceiver.report.signals import chosen_points
from transceiver.report.tables import results_table, taps_table
from transceiver.results import rows
from transceiver.scenario import TAPS
from transceiver.store import Store

Run = Callable[..., Store]


def _is_figure(path: Path) -> bool:
    """A PNG (signature and header of its specification, clause 5.2) of sensible size."""
    data = path.read_bytes()
    width, height = struct.unpack(">II", data[16:24])
    with PillowImage.open(path) as picture:
        pixels = np.asarray(picture.convert("L"))
    return (
        data[:8] == b"\x89PNG\r\n\x1a\n"
        and min(width, height) >= 150
        and max(width, height) < 4000
        and bool(pixels.std() > 3)
    )


def test_every_figure_is_written(finished: Store) -> None:
    written = [path.relative_to(finished.folder).as_posix() for path in draw(finished)]
    assert written == [
        "figures/psnr.png",
        "figures/ssim.png",
        "figures/error_rates.png",
        "figures/constellation-vq.png",
        "figures/constellation-bpg.png",
        "figures/strip.png",
    ]
    for name in written:
        assert _is_figure(finished.folder / name), name


@pytest.mark.parametrize(
    "phy",
    [
        {"modulation": {"kind": "cross_qam", "order": 32}},
        {"modulation": {"kind": "psk", "order": 8}, "code": {"kind": "none"}},
        {"channel": {"kind": "rician", "fading": "image"}},
        {"channel": {"kind": "rayleigh", "fading": "symbol"}, "equalizer": {"kind": "mmse"}},
    ],
)
def test_figures_of_random_bits(bits: Any, run_in: Run, phy: dict[str, Any]) -> None:
    stop = {"block_errors": 1, "max_blocks": 1}
    data = bits(stop=stop, sweep={"ebn0_db": [12, 0, 4]})
    data["codecs"]["bits"]["payload_bits"] = 500
    data["phy"] |= phy
    store = run_in(data)
    paths = list(draw(store))
    assert [p.name for p in paths] == ["error_rates.png", "constellation-bits.png"]
    assert all(map(_is_figure, paths))


def test_figures_of_a_bsc_of_outages_and_of_one_point(change: Any, bits: Any, run_in: Run) -> None:
    stop = {"block_errors": 1, "max_blocks": 1}
    bsc = {"phy.channel.kind": "bsc", "sweep": {"flip_probability": [0.1]}}
    (path,) = draw(run_in(bits(**bsc, stop=stop)))
    assert path.name == "error_rates.png"
    assert _is_figure(path)
    data = change(**bsc, **{"codecs.bpg.budget.value": 1})
    data["codecs"] = {"bpg": data["codecs"]["bpg"]}
    paths = list(draw(run_in(data)))
    assert [p.name for p in paths] == ["psnr.png", "ssim.png", "error_rates.png", "strip.png"]
    assert all(map(_is_figure, paths))


def test_strip_of_a_very_tall_picture(change: Any, run_in: Run, tmp_path: Path) -> None:
    folder = tmp_path / "tall"
    folder.mkdir()
    pixels = np.random.default_rng(0).integers(0, 255, (900, 9, 3), np.uint8)
    PillowImage.fromarray(pixels).save(folder / "tall.png")
    data = change(**{"images.path": str(folder), "metrics": [], "stop.trials": 1})
    data["codecs"] = {"vq": data["codecs"]["vq"]}
    assert _is_figure(list(draw(run_in(data)))[-1])


def test_curves_carry_the_numbers(
    finished: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is drawn is what the rows say: values, upper bounds and theory."""
    figures: list[Figure] = []
    monkeypatch.setattr(curves, "save", lambda figure, path: figures.append(figure) or path)
    table, scenario = list(rows(finished)), finished.scenario
    curves.metric_figure("psnr", table, scenario, tmp_path / "x.png")
    curves.error_rate_figure(table, scenario, build(scenario), tmp_path / "y.png")
    metric, rates = (figure.axes[0] for figure in figures)
    lines = {str(line.get_label()): line for line in metric.lines}
    (label,) = [name for name in lines if name.startswith("vq")]
    own = [row for row in table if row.codec == "vq"]
    assert label == f"vq (CBR {own[0].cbr:.4f})"
    assert lines[label].get_ydata().tolist() == [r.metrics["psnr"].value for r in own]
    assert "jpeg (never sent)" in lines
    assert [text.get_text() for text in metric.texts] == ["6 outages", "6 outages"]
    lines = {str(line.get_label()): line for line in rates.lines}
    before = lines["bpg, before decoding"].get_ydata()
    own = [row for row in table if row.codec == "bpg"]
    assert before.tolist() == [r.rates["coded_ber"].value for r in own]
    assert np.isnan(lines["bpg, blocks"].get_ydata()[1])  # no error seen: a caret, no point
    theory = lines["uncoded, theory"].get_ydata()
    assert theory[0] == pytest.approx(math.erfc(10 ** (0.5 / 20) / 2**0.5) / 2)
    assert theory[-1] == pytest.approx(math.erfc(10 ** (2 / 20) / 2**0.5) / 2)


def test_points_of_a_strip() -> None:
    class Row:
        def __init__(self, point: int) -> None:
            self.point, self.value = point, 10.0 * point

    few = [Row(p) for p in (0, 1, 1, 2)]
    assert chosen_points(few) == [(0, 0.0), (1, 10.0), (2, 20.0)]  # type: ignore[arg-type]
    appended = Row(3)
    appended.value = 5.0
    found = chosen_points([*few, appended])  # type: ignore[list-item]
    assert found == [(0, 0.0), (3, 5.0), (1, 10.0), (2, 20.0)]
    many = chosen_points([Row(p) for p in range(30)])  # type: ignore[misc]
    assert len(many) == 6
    assert (many[0][0], many[-1][0]) == (0, 29)


def _text(table: Any) -> str:
    console = Console(file=io.StringIO(), width=250)
    console.print(table)
    return console.file.getvalue()


def test_results_table_has_a_line_for_each_row(finished: Store) -> None:
    table = list(rows(finished))
    lines = _text(results_table(table, finished.scenario)).splitlines()
    for row in table:
        (line,) = [ln for ln in lines if ln.split()[:2] == [row.codec, f"{row.value:g}"]]
        assert f"{row.metrics['psnr'].value:.2f} [" in line
        assert line.split()[-2:] == [
            f"{row.failures}/{row.counters.frames - row.outages}",
            f"{row.outages}/6",
        ]


def test_taps_table_shows_the_chain_in_signal_order(finished: Store) -> None:
    row = next(r for r in rows(finished) if (r.codec, r.point) == ("vq", 0))
    stages, seconds = finished.stages("vq"), finished.seconds("vq")
    lines = _text(taps_table(row, finished.scenario, stages, seconds)).splitlines()
    shown = [line.split()[0] for line in lines if line.split() and line.split()[0] in TAPS]
    assert shown == [name for name in TAPS if name in stages]
    assert set(TAPS) - set(shown) == {
        "codebooks", "payload", "bits_per_symbol", "values", "values_hat", "payload_hat",
    }  # fmt: skip
    text = "\n".join(lines)
    assert f"{row.counters.index_errors} errors, rate" in text
    assert f"{row.counters.blocks} blocks, {row.counters.crc_bits} of CRC" in text
    assert stages["symbols"].shape == "[324]"
    assert stages["image"].dtype == "uint8"


def test_taps_table_of_a_codec_that_never_sent(finished: Store) -> None:
    row = next(r for r in rows(finished) if r.codec == "jpeg")
    assert "jpeg" in _text(taps_table(row, finished.scenario, {}, {}))


def test_the_table_without_intervals_fits_80_columns(finished: Store) -> None:
    lines = _text(
        results_table(list(rows(finished)), finished.scenario, intervals=False)
    ).splitlines()
    assert max(len(line.rstrip()) for line in lines) <= 80
    assert not any("…" in line for line in lines)
    assert "Es/N0" in " ".join(lines[:4])
    assert "[dB]" in " ".join(lines[:4])
