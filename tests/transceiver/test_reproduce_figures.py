"""The figure and the tables of a run carry its numbers."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.collections import PolyCollection
from PIL import Image as PillowImage
from rich.console import Console

from transceiver.reproduce.evidence import Evidence, evidence
from transceiver.reproduce.figures import draw, save_both
from transceiver.reproduce.finding import Finding
from transceiver.reproduce.tables import (
    best_lines,
    claims_markdown,
    claims_table,
    numbers_markdown,
)
from transceiver.reproduce.weights_claims import WeightFiles
from transceiver.results import Row, rows
from transceiver.scenario.reproduction import CurvesFigure, Paper, RateFigure
from transceiver.store import Store

SERIES = {"VQ": ["vq"], "Files | bytes": ["bpg", "jpeg"]}
CURVES = CurvesFigure(kind="curves", metric=["psnr", "ssim"], series=SERIES)
RATE = RateFigure(kind="rate", metric="psnr", point=2.0, series={"both": ["vq", "bpg"]})
PAPER = Paper(title="A paper", figure="Fig. 5")


@pytest.fixture
def read(finished: Store) -> Iterator[Evidence]:
    series = SERIES | RATE.series | {name: [name] for name in finished.scenario.codecs}
    with evidence(finished.folder, series=series, values=[0.5, 2.0]) as found:
        yield found


@pytest.fixture
def files(finished: Store) -> WeightFiles:
    return WeightFiles(finished.scenario)


@pytest.fixture
def table(finished: Store) -> dict[tuple[str, int], Row]:
    return {(row.codec, row.point): row for row in rows(finished)}


def _best(table: dict[tuple[str, int], Row], point: int, metric: str) -> tuple[float, str]:
    """The first one of equals."""
    values = {name: table[name, point].metrics[metric].value for name in ("bpg", "jpeg")}
    codec = max(values, key=lambda name: round(values[name], 9))
    return values[codec], codec


def test_curves(read: Evidence, files: WeightFiles, table: Any) -> None:
    figure = draw(CURVES, read, files, quantity="esn0_db", paper=PAPER)
    assert figure.get_suptitle() == "Fig. 5 of A paper"
    assert [axes.get_ylabel() for axes in figure.axes] == ["PSNR [dB]", "SSIM"]
    assert {axes.get_xlabel() for axes in figure.axes} == {"Es/N0 [dB]"}
    for axes, metric in zip(figure.axes, CURVES.metric, strict=True):
        first, second = axes.lines
        assert [str(line.get_label()) for line in axes.lines] == list(SERIES)
        assert np.asarray(first.get_xdata()).tolist() == [0.5, 2.0]
        own = [table["vq", point].metrics[metric].value for point in range(2)]
        assert np.asarray(first.get_ydata()) == pytest.approx(own, rel=1e-12)
        best = [_best(table, point, metric)[0] for point in range(2)]
        assert np.asarray(second.get_ydata()) == pytest.approx(best, rel=1e-12)
        bands = [c for c in axes.collections if isinstance(c, PolyCollection)]
        assert len(bands) == 2
        reach = bands[0].get_datalim(axes.transData)
        assert reach.y0 < min(own) < max(own) < reach.y1


def test_curves_of_rates_and_counts(read: Evidence, files: WeightFiles, table: Any) -> None:
    section = CurvesFigure(kind="curves", metric="coded_ber", series={"VQ": ["vq"]}, y_label="BER")
    (axes,) = draw(section, read, files, quantity="esn0_db", paper=None).axes
    assert (axes.get_yscale(), axes.get_ylabel()) == ("log", "BER")
    section = CurvesFigure(kind="curves", metric="iterations_mean", series={"VQ": ["vq"]})
    (axes,) = draw(section, read, files, quantity="other", paper=None).axes
    expected = [table["vq", point].scalars["iterations_mean"] for point in range(2)]
    assert np.asarray(axes.lines[0].get_ydata()).tolist() == expected
    assert (axes.get_yscale(), axes.get_xlabel()) == ("linear", "other")


def test_rate_figure(read: Evidence, files: WeightFiles, table: Any) -> None:
    (axes,) = draw(RATE, read, files, quantity="esn0_db", paper=None).axes
    (line,) = axes.lines
    own = [table[name, 1] for name in ("vq", "bpg")]
    expected = sorted(
        (row.counters.source_bits / row.counters.frames, row.metrics["psnr"].value) for row in own
    )
    assert np.asarray(line.get_xdata()) == pytest.approx([x for x, _ in expected])
    assert np.asarray(line.get_ydata()) == pytest.approx([y for _, y in expected])


def test_files_are_the_same_every_time(read: Evidence, files: WeightFiles, tmp_path: Path) -> None:
    contents = []
    for name in ("one", "two"):
        folder = tmp_path / name
        figure = draw(CURVES, read, files, quantity="esn0_db", paper=PAPER)
        png, svg = save_both(figure, folder, "reproduction")
        contents.append((png.read_bytes(), svg.read_bytes()))
    assert contents[0] == contents[1]
    assert b"<svg" in contents[0][1]
    with PillowImage.open(tmp_path / "one" / "reproduction.png") as picture:
        assert picture.width > 2 * 0.7 * picture.height


FINDINGS = [
    Finding("A [best]", "least: a | b", "[+1, +2]", "holds", ""),
    Finding("B", "m", "", "does not hold", "too few\nepochs"),
    Finding("C", "not run", "", "no data", ""),
]


def test_claims_on_the_terminal() -> None:
    console = Console(file=io.StringIO(), width=140)
    console.print(claims_table(FINDINGS, "name"))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    for part in ("A [best]", "least: a | b", "[+1, +2]", "does not hold", "epochs", "no data"):
        assert part in text
    console = Console(file=io.StringIO(), width=140)
    console.print(claims_table(FINDINGS[:1], "name"))
    assert "found" not in console.file.getvalue()  # type: ignore[attr-defined]


def test_claims_as_markdown() -> None:
    text = claims_markdown(FINDINGS, name="n", paper=PAPER, state="3 units", numbers="## psnr\n")
    lines = text.splitlines()
    assert lines[:5] == ["# n", "", "Fig. 5 of A paper", "", "3 units"]
    assert "| claim | measured | 95 % interval | verdict | found |" in lines
    assert r"| A [best] | least: a \| b | [+1, +2] | holds |  |" in lines
    assert "| B | m |  | does not hold | too few epochs |" in lines
    assert lines[-1] == "## psnr"
    assert "| claim" not in claims_markdown([], name="n", paper=None, state="s", numbers="")


def test_numbers_behind_the_figure(read: Evidence, table: Any) -> None:
    lines = numbers_markdown(CURVES, read, quantity="esn0_db").splitlines()
    assert lines[0] == "## psnr"
    assert lines[2] == r"| Es/N0 [dB] | VQ | Files \| bytes |"
    value, codec = _best(table, 0, "psnr")
    assert lines[4].startswith(f"| 0.5 | {table['vq', 0].metrics['psnr'].value:#.4g} [")
    assert f"| {value:#.4g} [" in lines[4]
    assert lines[4].endswith(f"] {codec} |")
    lines = numbers_markdown(RATE, read, quantity="esn0_db").splitlines()
    assert lines[0] == "## psnr at 2"
    row = table["bpg", 1]
    bits = row.counters.source_bits / row.counters.frames
    assert any(line.startswith(f"| both | bpg | {bits:.1f} | ") for line in lines)
    assert numbers_markdown(None, read, quantity="esn0_db") == ""


def test_which_codec_was_the_best(read: Evidence, table: Any) -> None:
    lines = best_lines(CURVES, read)
    assert [line.split(":")[0] for line in lines] == [
        "best of Files | bytes in psnr",
        "best of Files | bytes in ssim",
    ]
    for line, metric in zip(lines, CURVES.metric, strict=True):
        best = [_best(table, point, metric)[1] for point in range(2)]
        same = best[0] == best[1]
        expected = f"{best[0]} at 0.5, 2" if same else f"{best[0]} at 0.5; {best[1]} at 2"
        assert line.endswith(expected)
    assert best_lines(None, read) == []
