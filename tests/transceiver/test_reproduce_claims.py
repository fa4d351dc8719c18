"""Claims put to the test on runs whose numbers are made, so that the answer is known."""

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any

import numpy as np
import pytest
from pydantic import TypeAdapter

from transceiver.counters import NAMES
from transceiver.database import SCHEMA
from transceiver.intervals import Z
from transceiver.reproduce.claims import evaluate
from transceiver.reproduce.evidence import Evidence
from transceiver.reproduce.finding import TOO_LITTLE, Finding
from transceiver.reproduce.rate_claims import at, knots
from transceiver.reproduce.weights_claims import WeightFiles
from transceiver.scenario import parse
from transceiver.scenario.reproduction_claims import ClaimSection

CLAIM: TypeAdapter[ClaimSection] = TypeAdapter(ClaimSection)
IMAGES = 400
VALUES = [0.0, 5.0, 10.0, 15.0]

Curve = Sequence[float]
Judge = Callable[..., Finding]


class Made:
    """A run's database, filled by hand."""

    def __init__(self, database: sqlite3.Connection) -> None:
        database.executescript(SCHEMA)
        self.database = database
        random = np.random.default_rng(0)
        self.image = random.normal(0, 3, IMAGES)
        self.random = random

    def psnr(self, codec: str, curve: Curve, *, spread: float = 0.1, bits: int = 100) -> None:
        """A mean for each point; images differ by 3 dB alike for all codecs."""
        for point, mean in enumerate(curve):
            own = self.random.normal(0, spread, IMAGES) if spread else np.zeros(IMAGES)
            values = mean + self.image - self.image.mean() + own - own.mean()
            self.rows(codec, point, {"psnr": values}, {"source_bits": bits})

    def rows(
        self, codec: str, point: int, metrics: Mapping[str, np.ndarray], counts: Mapping[str, int]
    ) -> None:
        fixed = dict.fromkeys(NAMES, 0) | {"frames": 1} | counts
        marks = ", ".join("?" * (8 + len(NAMES)))
        self.database.executemany(
            f"INSERT INTO unit VALUES ({marks})",
            [
                (codec, point, image, 0, "", 3072, 0, 0, *(fixed[n] for n in NAMES))
                for image in range(IMAGES)
            ],
        )
        for name, values in metrics.items():
            self.database.executemany(
                "INSERT INTO metric VALUES (?, ?, ?, 0, ?, ?)",
                [(codec, point, i, name, float(v)) for i, v in enumerate(values)],
            )


@pytest.fixture
def made() -> Iterator[Made]:
    with closing(sqlite3.connect(":memory:")) as database:
        yield Made(database)


@pytest.fixture
def judge(made: Made, change: Any) -> Judge:
    """Judge a claim; series by label, each codec also under its own name."""
    files = WeightFiles(parse(change()))

    def go(kind: str, labels: Mapping[str, list[str]] | None = None, **keys: Any) -> Finding:
        claim = CLAIM.validate_python({"kind": kind, "text": "the claim"} | keys)
        names = made.database.execute("SELECT DISTINCT codec FROM unit").fetchall()
        series = {name: [name] for (name,) in names} | dict(labels or {})
        return evaluate(claim, Evidence(made.database, series=series, values=VALUES), files)

    return go


def test_order_holds_and_says_where_it_is_closest(made: Made, judge: Judge) -> None:
    made.psnr("a", [20, 22, 24, 26])
    made.psnr("b", [19, 21.5, 24, 25])
    made.psnr("c", [10, 11, 12, 13])
    made.psnr("d", [11, 10, 10, 13.5])
    finding = judge("order", series=["a", "b", ["c", "d"]], metric="psnr", found="why")
    assert finding.verdict == "holds"
    assert finding.text == "the claim"
    assert finding.found == "why"
    assert finding.measured.startswith("least: a over b ")
    assert finding.measured.endswith(
        " at 10; of 12 comparisons 11 significantly right, 0 significantly wrong"
    )
    strict = judge("order", series=["a", "b"], metric="psnr", strict=True)
    assert strict.verdict == "does not hold"
    points = judge("order", series=["a", "b"], metric="psnr", strict=True, points=[0, 5, 15])
    assert points.verdict == "holds"
    assert points.measured.startswith("least: a over b +0.5 dB at 5; of 3 comparisons 3 ")


def test_order_fails_on_one_significant_difference(made: Made, judge: Judge) -> None:
    made.psnr("a", [20, 22, 24, 26])
    made.psnr("b", [19, 22.2, 20, 20])
    finding = judge("order", series=["a", "b"], metric="psnr")
    assert finding.verdict == "does not hold"
    assert finding.measured == (
        "least: a over b -0.2 dB at 5; of 4 comparisons 3 significantly right, "
        "1 significantly wrong"
    )
    low, high = map(float, finding.interval.strip("[]").split(", "))
    half = Z * np.sqrt(2) * 0.1 / np.sqrt(IMAGES)
    assert (low, high) == pytest.approx((-0.2 - half, -0.2 + half), abs=0.004)


def test_equal_pictures_hold_and_prove_nothing(made: Made, judge: Judge) -> None:
    made.psnr("a", [20, 22, 24, 26], spread=0)
    made.psnr("b", [20, 22, 24, 26], spread=0)
    finding = judge("order", series=["a", "b"], metric="psnr")
    assert (finding.verdict, finding.interval) == ("holds", "[+0, +0]")
    assert "0 significantly right" in finding.measured


def test_the_best_of_a_series_represents_it(made: Made, judge: Judge) -> None:
    made.psnr("a", [20, 22, 24, 26])
    made.psnr("low", [19, 19, 19, 19])
    made.psnr("high", [10, 15, 20, 25])
    labels = {"Pairs": ["low", "high"]}
    finding = judge("order", labels, series=["a", "Pairs"], metric="psnr")
    assert finding.measured.startswith("least: a over Pairs (")
    assert "Pairs (low) +1 dB at 0" in finding.measured or "(high) +1 dB at 15" in finding.measured
    finding = judge("order", labels, series=["a", "Pairs"], metric="psnr", points=[10])
    assert finding.measured.startswith("least: a over Pairs (high) +4 dB at 10")


def test_lower_is_better_for_error_rates(made: Made, judge: Judge) -> None:
    for point in range(len(VALUES)):
        made.rows("good", point, {}, {"blocks": 10, "block_errors": 1})
        made.rows("bad", point, {}, {"blocks": 10, "block_errors": 2})
    right = judge("order", series=["good", "bad"], metric="bler")
    assert right.verdict == "holds"
    assert right.measured.startswith("least: good over bad +0.1 at 0; of 4 comparisons 4 ")
    assert judge("order", series=["bad", "good"], metric="bler").verdict == "does not hold"
    finding = judge("improvement", series="good", over="bad", metric="bler", point=5)
    assert finding.measured == "good 0.1, bad 0.2: +50.0 %"


def test_improvement_beside_the_papers(made: Made, judge: Judge) -> None:
    made.psnr("a", [24, 24, 24, 24])
    made.psnr("b", [20, 20, 20, 20])
    pair = {"series": "a", "over": "b", "metric": "psnr", "point": 10}
    finding = judge("improvement", **pair, paper=0.241)
    assert finding.verdict == "holds"
    assert finding.measured == (
        "a 24 dB, b 20 dB: +20.0 %; the paper's +24.1 % lies above the interval"
    )
    low, high = (float(end.removesuffix(" %")) for end in finding.interval[1:-1].split(", "))
    assert 19 < low <= 20 <= high < 21
    assert judge("improvement", **pair, least=0.25).verdict == "does not hold"
    assert "below the interval" in judge("improvement", **pair, paper=0.1).measured
    assert "inside the interval" in judge("improvement", **pair, paper=0.2).measured
    back = judge("improvement", series="b", over="a", metric="psnr", point=10)
    assert back.verdict == "does not hold"


def test_gain_that_falls(made: Made, judge: Judge) -> None:
    made.psnr("a", [23, 24, 25, 26])
    made.psnr("b", [20, 22, 24, 26])
    finding = judge("gain_falls", series="a", over="b", metric="psnr")
    assert finding.verdict == "holds"
    assert finding.measured == (
        "mean gain +2.5 dB from 0 to 5 and +0.5 dB from 10 to 15: difference +2 dB"
    )
    rising = judge("gain_falls", series="b", over="a", metric="psnr")
    assert rising.verdict == "does not hold"
    made.psnr("c", [22.9, 23.9, 24.9, 25.9])
    assert judge("gain_falls", series="a", over="c", metric="psnr").verdict == "does not hold"


def test_comparable(made: Made, judge: Judge) -> None:
    made.psnr("a", [20, 22, 24, 26])
    made.psnr("b", [17, 21, 24.1, 25.8])
    pair = {"series": "a", "other": "b", "metric": "psnr"}
    high = judge("comparable", **pair, within=0.3, points=[10, 15])
    assert high.verdict == "holds"
    assert high.measured == ("largest: a over b +0.2 dB at 15; within 0.3 dB at 2 of 2 points")
    everywhere = judge("comparable", **pair, within=0.3)
    assert everywhere.verdict == "does not hold"
    assert "+3 dB at 0; within 0.3 dB at 2 of 4 points" in everywhere.measured


@pytest.mark.parametrize(
    ("curve", "direction", "verdict", "turns"),
    [
        ([4, 3, 3, 1], "falls", "holds", 0),
        ([4, 3, 3.5, 1], "falls", "does not hold", 1),
        ([4, 3, 2, 1], "rises", "does not hold", 3),
        ([2, 2, 2, 2], "falls", "does not hold", 0),
        ([1, 2, 2, 3], "rises", "holds", 0),
    ],
)
def test_trend(made: Made, judge: Judge, curve: Curve, direction: str, verdict: str,
               turns: int) -> None:  # fmt: skip
    made.psnr("a", curve, spread=0)
    finding = judge("trend", codec="a", column="psnr", direction=direction)
    assert finding.verdict == verdict
    assert f"from {curve[0]:g} dB at 0 to {curve[-1]:g} dB at 15" in finding.measured
    assert finding.measured.endswith(f"{turns} of 3 steps the other way")


def test_trend_of_a_count(made: Made, judge: Judge) -> None:
    for point, iterations in enumerate([40, 30, 20, 20]):
        made.rows("a", point, {}, {"blocks": 10, "iterations": iterations})
    finding = judge("trend", codec="a", column="iterations_mean", direction="falls")
    assert finding.verdict == "holds"
    assert finding.measured.startswith("iterations_mean of a from 4 at 0 to 2 at 15")


def test_no_data(made: Made, judge: Judge) -> None:
    made.psnr("a", [20, 22, 24, 26])
    made.psnr("b", [19, 21])
    two = {"series": "a", "metric": "psnr"}
    for finding in (
        judge("order", series=["a", "b"], metric="psnr"),
        judge("improvement", **two, over="b", point=10),
        judge("gain_falls", **two, over="b"),
        judge("comparable", **two, other="b", within=1),
        judge("trend", codec="b", column="psnr", direction="rises"),
        judge("rate_order", series=["a", "b"], metric="psnr", point=10),
    ):
        assert finding.verdict == "no data"
        assert finding.measured == TOO_LITTLE
    assert judge("order", series=["a", "b"], metric="psnr", points=[0]).verdict == "holds"


def _line(made: Made, name: str, points: Mapping[int, float]) -> dict[str, list[str]]:
    """A series with a codec for each number of bits."""
    for bits, mean in points.items():
        made.psnr(f"{name}{bits}", [mean], bits=bits)
    return {name: [f"{name}{bits}" for bits in points]}


def test_lines_over_bits_where_both_are(made: Made, judge: Judge) -> None:
    labels = _line(made, "up", {300: 26, 100: 22}) | _line(made, "low", {200: 23, 400: 26})
    finding = judge("rate_order", labels, series=["up", "low"], metric="psnr", point=0)
    assert finding.verdict == "holds"
    assert finding.measured == "up over low +1 dB at 200 bits, the least of 2 from 200 to 300"
    turned = judge("rate_order", labels, series=["low", "up"], metric="psnr", point=0)
    assert turned.verdict == "does not hold"
    assert turned.measured.startswith("low over up -1.5 dB at 300 bits")


def test_a_line_between_its_points(made: Made) -> None:
    labels = _line(made, "up", {100: 22, 300: 26})
    run = Evidence(made.database, series=labels, values=VALUES)
    line = knots("up", 0, "psnr", run)
    assert [knot.bits for knot in line] == [100, 300]
    assert [weight for weight, _ in at(150, line)] == [0.75, 0.25]
    assert sum(w * s.value for w, s in at(150, line)) == pytest.approx(23)
    assert [weight for weight, _ in at(300, line)] == [0, 1]


def test_a_point_above_a_line(made: Made, judge: Judge) -> None:
    labels = _line(made, "dot", {200: 25}) | _line(made, "line", {100: 22, 300: 26})
    finding = judge("rate_order", labels, series=["dot", "line"], metric="psnr", point=0)
    assert finding.verdict == "holds"
    assert finding.measured == "dot over line +1 dB at 200 bits, the least of 1 from 200 to 200"


def test_the_same_pictures_with_fewer_bits(made: Made, judge: Judge) -> None:
    made.psnr("coded", [24], spread=0, bits=450)
    made.psnr("plain", [24], spread=0, bits=512)
    labels = _line(made, "best", {400: 24.5})
    finding = judge("rate_order", labels, series=["best", "coded", "plain"], metric="psnr", point=0)
    assert finding.verdict == "holds"
    assert finding.measured == (
        "best has 50 bits fewer than coded at +0.5 dB; coded has 62 bits fewer than plain at +0 dB"
    )
    assert finding.interval.endswith("; [+0, +0]")
    turned = judge("rate_order", labels, series=["plain", "coded"], metric="psnr", point=0)
    assert turned.verdict == "does not hold"
    assert turned.measured == "coded has 62 bits fewer than plain at +0 dB"


def test_no_common_range(made: Made, judge: Judge) -> None:
    labels = _line(made, "few", {100: 20, 200: 22}) | _line(made, "many", {300: 26})
    finding = judge("rate_order", labels, series=["few", "many"], metric="psnr", point=0)
    assert (finding.verdict, finding.interval) == ("no data", "-")
    assert finding.measured == "few over many: no common range of bits"
