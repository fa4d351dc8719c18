"""The sections of a scenario that say what it reproduces."""

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from transceiver.scenario import parse
from transceiver.scenario.reproduction import (
    CurvesFigure,
    FigureSection,
    Paper,
    point_of,
    series_of,
)
from transceiver.scenario.reproduction_check import problems
from transceiver.scenario.reproduction_claims import ClaimSection, OrderClaim, level

CLAIM: TypeAdapter[ClaimSection] = TypeAdapter(ClaimSection)
FIGURE: TypeAdapter[FigureSection] = TypeAdapter(FigureSection)


def _claim(kind: str, **keys: Any) -> ClaimSection:
    return CLAIM.validate_python({"kind": kind, "text": "t"} | keys)


def _curves(**keys: Any) -> FigureSection:
    data = {"kind": "curves", "metric": "psnr", "series": {"VQ": ["vq"], "Files": ["bpg", "jpeg"]}}
    return FIGURE.validate_python(data | keys)


def test_all_kinds_are_read() -> None:
    claim = _claim("order", series=["A", ["B", "C"]], metric="psnr", points=[0, "1/2"])
    assert isinstance(claim, OrderClaim)
    assert claim.points == [0.0, 0.5]
    assert [level(names) for names in claim.series] == [["A"], ["B", "C"]]
    assert isinstance(_curves(), CurvesFigure)
    assert _curves().metric == ["psnr"]  # type: ignore[union-attr]
    two = {"series": "A", "metric": "psnr"}
    _claim("improvement", **two, over="B", point=10, paper=0.241, least=0.1)
    _claim("gain_falls", **two, over="B")
    _claim("comparable", **two, other="B", within=0.2, points="all")
    _claim("trend", codec="a", column="codebook_mean", direction="falls")
    _claim("weights", quantity="parameters", of=["a", ["b", "c"]], direction="rises")
    _claim("rate_order", series=["A", "B"], metric="psnr", point=0, found="why")
    assert Paper(title="x").figure is None


@pytest.mark.parametrize(
    ("data", "key"),
    [
        ({"kind": "order", "series": ["A"], "metric": "psnr"}, "series"),
        ({"kind": "order", "series": ["A", []], "metric": "psnr"}, "series"),
        ({"kind": "order", "series": ["A", "B"], "metric": "psnr", "points": "some"}, "points"),
        ({"kind": "order", "series": ["A", "B"], "metric": "psnr", "point": 1}, "point"),
        ({"kind": "trend", "codec": "a", "column": "x", "direction": "up"}, "direction"),
        ({"kind": "comparable", "series": "A", "other": "B", "metric": "m", "within": 0}, "within"),
        (
            {"kind": "weights", "quantity": "age", "of": ["a", "b"], "direction": "rises"},
            "quantity",
        ),
        ({"kind": "gain", "series": "A"}, None),
    ],
)
def test_refused_sections(data: dict[str, Any], key: str | None) -> None:
    with pytest.raises(ValidationError) as refused:
        CLAIM.validate_python({"text": "t"} | data)
    if key is not None:
        assert key in refused.value.errors()[0]["loc"]


def test_labels_go_before_codecs() -> None:
    figure = _curves(series={"vq": ["bpg"], "All": ["vq", "bpg"]})
    assert series_of(figure, ["vq", "bpg"]) == {
        "vq": ["bpg"], "bpg": ["bpg"], "All": ["vq", "bpg"],
    }  # fmt: skip
    cdf = FIGURE.validate_python({"kind": "flip_probability_cdf", "codec": "vq"})
    assert series_of(cdf, ["vq"]) == {"vq": ["vq"]}


def test_a_point_that_is_none() -> None:
    with pytest.raises(ValueError, match=r"must be a point of the sweep \(0, 0.3\), got 3"):
        point_of(3, [0.0, 0.3])
    assert point_of(0.1 + 0.2, [0.0, 0.3]) == 1


def test_names_of_the_scenario_pass(change: Any) -> None:
    scenario = parse(change())
    claims = [
        _claim("order", series=["VQ", ["Files", "jpeg"]], metric="ssim", points=[0.5]),
        _claim("improvement", series="VQ", over="bpg", metric="bler", point=2),
        _claim("gain_falls", series="VQ", over="Files", metric="psnr"),
        _claim("comparable", series="VQ", other="vq", metric="fer", within=1),
        _claim("trend", codec="vq", column="codebook_mean", direction="falls"),
        _claim("weights", quantity="mean_flip", of=["vq:1", "vq:2"], direction="rises"),
        _claim("rate_order", series=["VQ", "Files"], metric="psnr", point=0.5),
    ]
    assert list(problems(scenario, _curves(metric=["psnr", "ssim"]), claims)) == []


@pytest.mark.parametrize(
    ("claim", "line"),
    [
        (
            {"kind": "order", "series": ["VQ", ["x"]], "metric": "psnr"},
            "claims.0.series must be one of vq, bpg, jpeg, VQ, Files, got x",
        ),
        (
            {"kind": "order", "series": ["VQ", "bpg"], "metric": "psnr", "points": [1]},
            "claims.0.points must be a point of the sweep (0.5, 2), got 1",
        ),
        (
            {"kind": "rate_order", "series": ["VQ", "bpg"], "metric": "psnr", "point": 1},
            "claims.0.point must be a point of the sweep (0.5, 2), got 1",
        ),
        (
            {"kind": "gain_falls", "series": "VQ", "over": "x", "metric": "psnr"},
            "claims.0.over must be one of vq, bpg, jpeg, VQ, Files, got x",
        ),
        (
            {"kind": "comparable", "series": "VQ", "other": "vq", "metric": "evm", "within": 1},
            "claims.0.metric must be one of psnr, ssim, coded_ber, ",
        ),
        (
            {"kind": "trend", "codec": "VQ", "column": "cbr", "direction": "falls"},
            "claims.0.codec must be one of vq, bpg, jpeg, got VQ",
        ),
        (
            {"kind": "trend", "codec": "vq", "column": "lpips_alex", "direction": "falls"},
            "claims.0.column must be one of psnr, ssim, coded_ber, ",
        ),
        (
            {"kind": "weights", "quantity": "bytes", "of": ["vq", "bpg"], "direction": "falls"},
            "claims.0.of must be one of vq, got bpg",
        ),
        (
            {"kind": "weights", "quantity": "bytes", "of": ["vq", "vq:1"], "direction": "falls"},
            "claims.0.of: bytes are of a whole file, got vq:1",
        ),
        (
            {"kind": "weights", "quantity": "mean_flip", "of": ["vq:0", "vq:1"],
             "direction": "falls"},
            "claims.0.of: a codebook must be a number from 1, got vq:0",
        ),
        (
            {"kind": "weights", "quantity": "mean_flip", "of": ["vq:1", ["vq:2", "vq:3"]],
             "direction": "falls"},
            "claims.0.of: only parameters and bytes can be added up, got mean_flip",
        ),
    ],
)  # fmt: skip
def test_names_that_the_scenario_lacks(change: Any, claim: dict[str, Any], line: str) -> None:
    checked = CLAIM.validate_python({"text": "t"} | claim)
    (found,) = problems(parse(change()), _curves(), [checked])
    assert found.startswith(line)


def test_one_point_has_no_halves(change: Any) -> None:
    claim = _claim("gain_falls", series="vq", over="bpg", metric="psnr")
    (found,) = problems(parse(change(**{"sweep.esn0_db": [1.0]})), None, [claim])
    assert found == "claims.0: gain_falls needs a sweep of at least 2 points, got 1"


@pytest.mark.parametrize(
    ("figure", "line"),
    [
        (
            {"kind": "curves", "metric": "psnr", "series": {"A": ["x"]}},
            "figure.series.A must be one of vq, bpg, jpeg, got x",
        ),
        (
            {"kind": "curves", "metric": ["psnr", "lpips_alex"], "series": {"A": ["vq"]}},
            "figure.metric must be one of psnr, ssim, coded_ber, ",
        ),
        (
            {"kind": "curves", "metric": ["psnr", "ssim"], "y_label": "y", "series": {"A": ["vq"]}},
            "figure.y_label must be left out for 2 metrics",
        ),
        (
            {"kind": "curves", "metric": "cbr", "series": {"A": ["vq", "bpg"]}},
            "figure.series: the best of several codecs needs a metric, got cbr",
        ),
        (
            {"kind": "rate", "metric": "psnr", "point": 3, "series": {"A": ["vq"]}},
            "figure.point must be a point of the sweep (0.5, 2), got 3",
        ),
        (
            {"kind": "flip_probability_cdf", "codec": "bpg"},
            "figure.codec must be one of vq, got bpg",
        ),
    ],
)  # fmt: skip
def test_figures_of_what_the_scenario_lacks(change: Any, figure: Any, line: str) -> None:
    (found,) = problems(parse(change()), FIGURE.validate_python(figure), [])
    assert found.startswith(line)
