"""The capacity bound: bytes by the formula, pictures by the codec, kept in the run's folder."""

import copy
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from semcodec.bpg.codec import Bpg
from semcodec.metrics import psnr, ssim
from transceiver.failure import mean_colour
from transceiver.pictures import Pictures, open_pictures
from transceiver.reproduce.bounds import FILE, Bound, capacity_bound, capacity_bytes
from transceiver.reproduce.evidence import evidence
from transceiver.reproduce.figures import draw
from transceiver.reproduce.tables import numbers_markdown
from transceiver.reproduce.weights_claims import WeightFiles
from transceiver.scenario import Scenario, ScenarioError, parse
from transceiver.scenario.reproduction import CurvesFigure, series_of
from transceiver.scenario.source import FolderImages
from transceiver.store import Store

POINTS = [2.0, -15.0, 8.0]  # at -15 dB no BPG file fits
CBR = 0.5
FIGURE: dict[str, Any] = {
    "kind": "curves",
    "metric": "psnr",
    "series": {"coded": ["bpg"], "best": ["bpg", "small"]},
    "dashed": ["best"],
    "bound": {"kind": "capacity", "codec": "bpg", "label": "limit"},
}


def _bpg(cbr: float, headers: str = "counted") -> dict[str, Any]:
    return {"kind": "bpg", "headers": headers, "budget": {"kind": "cbr", "value": cbr}}


@pytest.fixture
def data(change: Any) -> dict[str, Any]:
    codecs = {"bpg": _bpg(CBR), "small": _bpg(CBR / 2)}
    figure = copy.deepcopy(FIGURE)
    changed: dict[str, Any] = change(
        **{"figure": figure, "codecs": codecs, "sweep.esn0_db": POINTS, "stop.trials": 1}
    )
    return changed


@pytest.fixture
def pictures(picture_folder: Path) -> Pictures:
    section = FolderImages(kind="folder", path=str(picture_folder))
    return open_pictures(section, folder=picture_folder)


def _bound(scenario: Scenario, store: Store, pictures: Pictures | None) -> Bound | None:
    return capacity_bound(scenario, store, pictures, lambda *_: None)


def test_bytes_by_the_formula() -> None:
    assert capacity_bytes(16, cbr=0.5, esn0_db=0.0) == 1  # 8 symbols of 1 bit
    esn0_db = 10 * math.log10(3)  # log2(1 + 3) = 2
    assert capacity_bytes(1000, cbr=0.1, esn0_db=esn0_db) == 25
    assert capacity_bytes(1009, cbr=0.1, esn0_db=esn0_db) == 25  # 100 whole symbols
    assert capacity_bytes(1039, cbr=0.1, esn0_db=esn0_db) == 25  # 206 bits are 25 whole bytes
    assert capacity_bytes(1000, cbr=0.1, esn0_db=-40.0) == 0


@pytest.mark.parametrize("headers", ["counted", "known"])
def test_pictures_by_the_codec(
    data: dict[str, Any], headers: str, run_in: Any, pictures: Pictures
) -> None:
    data["codecs"]["bpg"] = _bpg(CBR, headers)
    data["figure"]["metric"] = ["psnr", "cbr", "ssim"]
    data["figure"]["series"] = {"coded": ["bpg"]}
    data["figure"]["dashed"] = []
    store = run_in(data)
    bound = _bound(parse(data), store, pictures)
    assert bound is not None
    assert (bound.has("psnr"), bound.has("ssim"), bound.has("cbr")) == (True, True, False)
    for point, esn0_db in enumerate(POINTS):
        found: dict[str, list[float]] = {"psnr": [], "ssim": []}
        for picture in (pictures[key] for key in range(len(pictures))):
            pixels = picture.pixels
            symbols = math.floor(CBR * pixels.numel())
            allowed = math.floor(symbols * math.log2(1 + 10 ** (esn0_db / 10)) / 8)
            free = Bpg().header_bytes(Bpg().encode(pixels, 51)) if headers == "known" else 0
            if esn0_db < 0:
                assert allowed + free < len(Bpg().encode(pixels, 51))
                image_hat = mean_colour(pixels)
            else:
                file = Bpg().encode_to_budget(pixels, allowed + free)
                image_hat = Bpg().decode(file, *pixels.shape[1:])
            found["psnr"].append(psnr(pixels, image_hat))
            found["ssim"].append(ssim(pixels, image_hat))
        for column, values in found.items():
            estimate = bound.estimate(point, column)
            assert estimate.value == pytest.approx(np.mean(values), rel=1e-12)
            # The normal interval of a mean over pictures.
            half = 1.959964 * np.std(values, ddof=1) / len(values) ** 0.5
            assert estimate.high - estimate.value == pytest.approx(half, rel=1e-6, abs=1e-9)


def test_no_code_beats_it(data: dict[str, Any], run_in: Any, pictures: Pictures) -> None:
    store, scenario = run_in(data), parse(data)
    bound = _bound(scenario, store, pictures)
    assert bound is not None
    limit = [bound.estimate(point, "psnr").value for point in range(3)]
    assert limit[1] < limit[0] < limit[2]
    series = series_of(scenario.figure, list(scenario.codecs))
    with evidence(store.folder, series=series, values=POINTS) as run:
        for point in range(3):
            assert run.value("bpg", point, "psnr") <= limit[point] + 1e-9


def test_it_is_computed_once_and_goes_on(
    data: dict[str, Any], run_in: Any, pictures: Pictures
) -> None:
    store, scenario = run_in(data), parse(data)
    path = store.folder / "figures" / FILE
    assert _bound(scenario, store, None) is None
    assert not path.exists()
    first = _bound(scenario, store, pictures)
    assert first is not None
    content = path.read_text()
    kept = json.loads(content)
    assert [len(points) for points in kept["pictures"]] == [3, 3, 3]
    assert kept["pictures"][0][0]["bytes"] == capacity_bytes(
        pictures[0].pixels.numel(), cbr=CBR, esn0_db=2.0
    )
    said: list[tuple[str, float]] = []
    capacity_bound(scenario, store, pictures, lambda *line: said.append(line))
    assert (said, path.read_text()) == ([], content)
    again = _bound(scenario, store, None)
    assert again is not None
    assert again.estimate(0, "psnr") == first.estimate(0, "psnr")
    # Interrupted after two pictures: only the third is encoded.
    path.write_text(json.dumps(kept | {"pictures": kept["pictures"][:2]}))
    assert _bound(scenario, store, None) is None
    capacity_bound(scenario, store, pictures, lambda *line: said.append(line))
    assert (said, path.read_text()) == ([("capacity bound", 1.0)], content)
    # Another codec of the same run has another bound.
    data["figure"]["bound"]["codec"] = "small"
    assert _bound(parse(data), store, None) is None
    other = _bound(parse(data), store, pictures)
    assert other is not None
    assert other.estimate(2, "psnr").value < first.estimate(2, "psnr").value


def test_figures_without_a_bound(data: dict[str, Any], run_in: Any, pictures: Pictures) -> None:
    store = run_in(data)
    data["figure"].pop("bound")
    assert _bound(parse(data), store, pictures) is None
    assert _bound(parse(data | {"figure": None}), store, pictures) is None


def test_it_is_drawn_and_in_the_table(
    data: dict[str, Any], run_in: Any, pictures: Pictures
) -> None:
    data["figure"]["metric"] = ["psnr", "bler"]
    store, scenario = run_in(data), parse(data)
    bound, figure = _bound(scenario, store, pictures), scenario.figure
    assert bound is not None
    assert isinstance(figure, CurvesFigure)
    series = series_of(figure, list(scenario.codecs))
    with evidence(store.folder, series=series, values=POINTS) as run:
        files = WeightFiles(scenario)
        drawn = draw(figure, run, files, quantity="esn0_db", paper=None, bound=bound)
        text = numbers_markdown(figure, run, quantity="esn0_db", bound=bound)
    left, right = drawn.axes
    assert [line.get_label() for line in left.lines] == ["coded", "best", "limit"]
    assert [line.get_linestyle() for line in left.lines] == ["-", "--", ":"]
    limit = np.asarray(left.lines[2].get_ydata())
    assert limit.tolist() == [bound.estimate(point, "psnr").value for point in (1, 0, 2)]
    assert [line.get_label() for line in right.lines] == ["coded", "best"]
    lines = text.splitlines()
    assert lines[2] == "| Es/N0 [dB] | coded | best | limit |"
    estimate = bound.estimate(0, "psnr")
    shown = f"| {estimate.value:#.4g} [{estimate.low:#.4g}, {estimate.high:#.4g}] |"
    assert lines[4].startswith("| 2 | ")
    assert lines[4].endswith(shown)
    assert "| Es/N0 [dB] | coded | best |" in lines


def test_reproduce_keeps_it(
    data: dict[str, Any], call: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    folder, file = tmp_path / "run", tmp_path / "s.yaml"
    file.write_text(yaml.safe_dump(data, sort_keys=False))
    command = ("reproduce", file, "--out", folder)
    code, out, err = call(*command)
    assert (code, err) == (0, "")
    assert "not computed" not in out
    document = (folder / "figures" / "claims.md").read_text()
    assert "| coded | best | limit |" in document
    assert call(*command, "--no-run") == (0, out, "")
    assert (folder / "figures" / "claims.md").read_text() == document
    (folder / "figures" / FILE).unlink()
    code, out, _ = call(*command, "--no-run")
    assert (code, "the bound was not computed yet: leave out --no-run" in out) == (0, True)
    assert "| coded | best |" in (folder / "figures" / "claims.md").read_text()


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        (
            {"figure.bound.codec": "x"},
            "figure.bound.codec must be a codec with budget cbr (bpg, small), got x",
        ),
        (
            {"codecs.bpg.budget": {"kind": "bytes", "value": 300}},
            "figure.bound.codec must be a codec with budget cbr (small), got bpg",
        ),
        (
            {"figure.bound.label": "coded"},
            "figure.bound.label must differ from those of the series, got coded",
        ),
        (
            {"figure.metric": ["bler"]},
            "figure.bound needs a metric of pictures in figure.metric, got ['bler']",
        ),
        (
            {"sweep": {"ebn0_db": [1.0]}},
            "figure.bound: capacity needs a sweep over esn0_db, got ebn0_db",
        ),
        (
            {"phy.channel": {"kind": "rayleigh", "fading": "symbol"}},
            "figure.bound: capacity needs channel awgn, got rayleigh for bpg",
        ),
        ({"figure.dashed": ["bpg"]}, "figure.dashed must be one of coded, best, got bpg"),
        ({"figure.bound.kind": "limit"}, "figure.bound.kind: must be 'capacity', got 'limit'"),
    ],
)
def test_refused(data: dict[str, Any], keys: dict[str, Any], line: str) -> None:
    for path, value in keys.items():
        *parents, last = path.split(".")
        section = data
        for key in parents:
            section = section[key]
        section[last] = value
    with pytest.raises(ScenarioError) as refused:
        parse(data)
    assert line in str(refused.value)
