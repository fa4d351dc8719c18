"""Claims on levels and cliffs, on runs whose numbers are made, so that the answer is known."""

import math
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any

import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError

from transceiver.counters import NAMES
from transceiver.database import SCHEMA
from transceiver.intervals import Z
from transceiver.reproduce.claims import evaluate
from transceiver.reproduce.cliff import RESAMPLES, cliffs, crossing
from transceiver.reproduce.evidence import Evidence
from transceiver.reproduce.finding import TOO_LITTLE, Finding
from transceiver.reproduce.weights_claims import WeightFiles
from transceiver.scenario import parse
from transceiver.scenario.reproduction_check import problems
from transceiver.scenario.reproduction_claims import ClaimSection

CLAIM: TypeAdapter[ClaimSection] = TypeAdapter(ClaimSection)
IMAGES = 100
VALUES = [0.0, 2.0, 4.0, 6.0, 8.0]

Judge = Callable[..., Finding]


class Made:
    """A run's database, filled by hand."""

    def __init__(self, database: sqlite3.Connection) -> None:
        database.executescript(SCHEMA)
        self.database = database
        self.random = np.random.default_rng(0)
        spread = self.random.normal(0, 3, IMAGES)
        self.image = spread - spread.mean()

    def psnr(
        self, codec: str, curve: Sequence[float], *, spread: float = 0.0, trials: int = 1,
        images: int = IMAGES, column: str = "psnr",
    ) -> None:  # fmt: skip
        """A mean for each point; images differ by 3 dB alike for all codecs and points."""
        for point, mean in enumerate(curve):
            own = self.random.normal(0, spread, (images, trials)) if spread else np.zeros((1, 1))
            own = own - own.mean()
            shift = self.image[:images, None] if images > 1 else 0.0
            self.rows(codec, point, np.broadcast_to(mean + shift + own, (images, trials)), column)

    def rows(self, codec: str, point: int, values: np.ndarray, column: str) -> None:
        marks = ", ".join("?" * (8 + len(NAMES)))
        for (image, trial), value in np.ndenumerate(values):
            self.database.execute(
                f"INSERT INTO unit VALUES ({marks})",
                (codec, point, image, trial, "", 3072, 0, 0, *(0 for _ in NAMES)),
            )
            self.database.execute(
                "INSERT INTO metric VALUES (?, ?, ?, ?, ?, ?)",
                (codec, point, image, trial, column, float(value)),
            )

    def blocks(self, codec: str, rates: Sequence[float]) -> None:
        """Block errors among a thousand blocks of each image."""
        names = {"blocks": 1000, "frames": 1}
        marks = ", ".join("?" * (8 + len(NAMES)))
        for point, rate in enumerate(rates):
            counts = names | {"block_errors": round(1000 * rate)}
            for image in range(IMAGES):
                self.database.execute(
                    f"INSERT INTO unit VALUES ({marks})",
                    (codec, point, image, 0, "", 1, 0, 0, *(counts.get(n, 0) for n in NAMES)),
                )

    def evidence(self, labels: Mapping[str, list[str]] | None = None) -> Evidence:
        found = self.database.execute("SELECT DISTINCT codec FROM unit").fetchall()
        series = {name: [name] for (name,) in found} | dict(labels or {})
        return Evidence(self.database, series=series, values=VALUES)


@pytest.fixture
def made() -> Iterator[Made]:
    with closing(sqlite3.connect(":memory:")) as database:
        yield Made(database)


@pytest.fixture
def judge(made: Made, change: Any) -> Judge:
    """Judge a claim; series by label, each codec also under its own name."""
    files = WeightFiles(parse(change()))

    def go(kind: str, labels: Mapping[str, list[str]] | None = None, **keys: Any) -> Finding:
        claim = CLAIM.validate_python({"kind": kind, "text": "the claim", "metric": "psnr"} | keys)
        return evaluate(claim, made.evidence(labels), files)

    return go


def _ends(finding: Finding) -> tuple[float, float]:
    low, high = map(float, finding.interval.strip("[]").split(", "))
    return low, high


def _slowly(x: Sequence[float], y: Sequence[float]) -> float:
    """The last crossing by definition: the line between each two points, from the top down."""
    middle = (y[0] + y[-1]) / 2
    for left in reversed(range(len(x) - 1)):
        a, b = y[left] - middle, y[left + 1] - middle
        if a != b and a * b <= 0:
            return x[left] + (x[left + 1] - x[left]) * a / (a - b)
    return math.nan


def test_crossing_by_definition() -> None:
    random = np.random.default_rng(1)
    x = np.sort(random.uniform(-5, 20, 9))
    y = random.normal(0, 1, (200, 9))
    found = crossing(x, y)
    assert found == pytest.approx([_slowly(list(x), list(row)) for row in y])
    assert (found > x[0]).all()
    assert (found < x[-1]).all()


def test_crossing_invariants() -> None:
    """Scaling and turning the metric changes nothing, scaling the axis scales the place."""
    random = np.random.default_rng(2)
    x, y = np.arange(6.0), random.normal(0, 1, (50, 6))
    place = crossing(x, y)
    assert crossing(x, 7 - 3 * y) == pytest.approx(place)
    assert crossing(2 * x - 4, y) == pytest.approx(2 * place - 4)
    assert np.isnan(crossing(x, np.ones(6)))
    assert np.isnan(crossing(x, np.array([1.0, np.nan, np.nan, np.nan, np.nan, 3.0])))


def test_a_sigmoid_has_its_cliff_at_its_middle() -> None:
    x = np.linspace(0, 20, 81)
    assert float(crossing(x, np.tanh(x - 9.3))) == pytest.approx(9.3, abs=1e-3)


def test_level(made: Made, judge: Judge) -> None:
    made.psnr("a", [10, 12, 30, 31, 31])
    made.psnr("b", [9, 13, 20, 20, 20])
    near = judge("level", series="a", point=8, value=30.9, within=0.2)
    assert near.verdict == "holds"
    assert near.measured == "a 31 dB at 8, +0.1 dB from 30.9 dB"
    assert judge("level", series="a", point=8, value=31.3, within=0.2).verdict == "does not hold"
    half = Z * made.image.std(ddof=1) / np.sqrt(IMAGES)
    assert _ends(near) == pytest.approx((31 - half, 31 + half), abs=0.006)
    labels = {"best": ["a", "b"]}
    best = judge("level", labels, series="best", point=2, value=12.5, within=0.1, found="why")
    assert best.measured == "best (b) 13 dB at 2, +0.5 dB from 12.5 dB"
    assert best.found == "why"


def test_at_least(made: Made, judge: Judge) -> None:
    made.psnr("a", [10, 12, 30, 29, 31])
    above = judge("at_least", series="a", value=29, points=[4, 6, 8])
    assert above.verdict == "holds"
    assert above.measured == "least: a 29 dB at 6; at least 29 dB at 3 of 3 points"
    everywhere = judge("at_least", series="a", value=11)
    assert everywhere.verdict == "does not hold"
    assert everywhere.measured == "least: a 10 dB at 0; at least 11 dB at 4 of 5 points"
    made.blocks("coded", [1, 0.5, 0.02, 0.01, 0])
    low = judge("at_least", series="coded", metric="bler", value=0.02, points=[4, 6, 8])
    assert low.verdict == "holds"
    assert low.measured == "most: coded 0.02 at 4; at most 0.02 at 3 of 3 points"
    assert judge("at_least", series="coded", metric="bler", value=0.02).verdict == "does not hold"


def test_cliff_at_a_place(made: Made, judge: Judge) -> None:
    made.psnr("a", [10, 10, 15, 30, 30], spread=0.5)
    finding = judge("cliff", series="a", at=4.6, within=0.2)
    assert finding.verdict == "holds"
    assert finding.measured == (
        "cliff of a at 4.667, +0.0667 from 4.6; half-way between 10 dB at 0 and 30 dB at 8"
    )
    low, high = _ends(finding)
    assert low < 4.667 < high
    assert judge("cliff", series="a", at=4.4, within=0.2).verdict == "does not hold"


def test_the_interval_of_a_cliff(made: Made) -> None:
    """By the delta method: place = 4 + 2 s, s = (m - y2) / (y3 - y2), m = (y0 + y4) / 2, and
    ds = (dm - (1 - s) dy2 - s dy3) / (y3 - y2).
    """
    made.psnr("a", [10, 10, 15, 30, 30], spread=1.0)
    run = made.evidence()
    place = cliffs(["a"], "psnr", run).at(0)
    y = [run.sample("a", point, "psnr").top for point in range(5)]
    share = 1 / 3
    moved = 2 * ((y[0] + y[4]) / 2 - (1 - share) * y[2] - share * y[3]) / 15
    half = Z * moved.std(ddof=1) / np.sqrt(IMAGES)
    assert place.value == pytest.approx(4 + 2 * share)
    # A percentile of 500 draws is known to sqrt(0.025 * 0.975 / 500) / 0.058 = 0.12 sigma.
    assert (place.low, place.high) == pytest.approx(
        (place.value - half, place.value + half), abs=4 * 0.12 * half / Z
    )


def test_the_interval_covers_the_truth() -> None:
    """Of 200 made runs about 190 have the true cliff inside."""
    inside, runs = 0, 200
    x = np.array(VALUES)
    truth = float(crossing(x, np.array([10.0, 10, 16, 30, 30])))
    for seed in range(runs):
        random = np.random.default_rng(seed)
        curve = np.array([10.0, 10, 16, 30, 30]) + random.normal(0, 1, (30, 5))
        with closing(sqlite3.connect(":memory:")) as database:
            run = Evidence(_filled(database, curve), series={"a": ["a"]}, values=VALUES)
            place = cliffs(["a"], "psnr", run).at(0)
        inside += place.low <= truth <= place.high
    assert abs(inside - 0.95 * runs) < 4 * math.sqrt(runs * 0.95 * 0.05)


def _filled(database: sqlite3.Connection, curve: np.ndarray) -> sqlite3.Connection:
    database.executescript(SCHEMA)
    database.executemany(
        "INSERT INTO metric VALUES ('a', ?, ?, 0, 'psnr', ?)",
        [(point, image, float(v)) for (image, point), v in np.ndenumerate(curve)],
    )
    return database


def test_trials_of_an_image_are_drawn_together(made: Made) -> None:
    """Equal trials tell nothing new: the interval is that of the images alone."""
    random = np.random.default_rng(5)
    curve = np.array([10.0, 10, 16, 30, 30]) + random.normal(0, 1, (20, 5))
    for point in range(5):
        made.rows("once", point, curve[:, point : point + 1], "psnr")
        made.rows("thrice", point, curve[:, [point] * 3], "psnr")
    run = made.evidence()
    once, thrice = (cliffs([name], "psnr", run).at(0) for name in ("once", "thrice"))
    assert (thrice.low, thrice.high) == pytest.approx((once.low, once.high))
    made.psnr("single", [10, 10, 16, 30, 30], spread=1, trials=40, images=1)
    single = cliffs(["single"], "psnr", made.evidence()).at(0)
    assert single.low < single.value < single.high


def test_cliff_over_another(made: Made, judge: Judge) -> None:
    made.psnr("a", [10, 20, 30, 30, 30], spread=0.2)
    made.psnr("b", [10, 10, 20, 30, 30], spread=0.2)
    pair = {"series": "a", "over": "b"}
    finding = judge("cliff", **pair, shift=-2, within=0.1)
    assert finding.verdict == "holds"
    assert finding.measured.startswith("cliffs: a 2, b 4; shift -2 for -2")
    low, high = _ends(finding)
    assert -2.1 < low < -2 < high < -1.9
    assert judge("cliff", **pair, shift=-1, within=0.5).verdict == "does not hold"
    assert judge("cliff", series="b", over="a", shift=2, within=0.1).verdict == "holds"


def test_common_draws_cancel(made: Made) -> None:
    """Two equal series have no shift in any draw."""
    made.psnr("a", [10, 12, 22, 30, 30], spread=1)
    run = made.evidence({"same": ["a"]})
    found = cliffs(["a", "same"], "psnr", run)
    assert found.resampled.shape == (RESAMPLES, 2)
    assert found.resampled[:, 0].std() > 0
    shift = found.shift(0, 1)
    assert (shift.value, shift.low, shift.high) == pytest.approx((0, 0, 0), abs=1e-12)


def test_order_of_cliffs(made: Made, judge: Judge) -> None:
    made.psnr("a", [10, 20, 30, 30, 30], spread=0.2)
    made.psnr("b", [10, 10, 20, 30, 30], spread=0.2)
    made.psnr("c", [10, 10, 10, 20, 30], spread=0.2)
    labels = {"worse": ["b", "c"]}
    rising = judge("cliff_order", series=["a", "b", "c"])
    assert rising.verdict == "holds"
    assert rising.measured.startswith("cliffs: a 2, b 4, c 6; least: ")
    assert rising.measured.endswith(" by 2")
    assert judge("cliff_order", series=["a", "b", "c"], by=1.9).verdict == "holds"
    assert judge("cliff_order", series=["a", "b", "c"], by=2.1).verdict == "does not hold"
    turned = judge("cliff_order", series=["a", "c", "b"])
    assert turned.verdict == "does not hold"
    assert turned.measured.endswith("least: c below b by -2")
    assert judge("cliff_order", series=["a", "a"]).verdict == "does not hold"
    assert judge("cliff_order", labels, series=["a", "worse"]).measured.startswith(
        "cliffs: a 2, worse 4;"
    )


def test_two_shifts(made: Made, judge: Judge) -> None:
    made.psnr("a20", [10, 10, 20, 30, 30], spread=0.2)
    made.psnr("a64800", [10, 15, 25, 30, 30], spread=0.2)
    made.psnr("b20", [10, 10, 10, 20, 30], spread=0.2)
    made.psnr("b64800", [10, 20, 30, 30, 30], spread=0.2)
    pairs = {"series": ["a20", "a64800"], "over": ["b20", "b64800"]}
    finding = judge("cliff_shift", **pairs)
    assert finding.verdict == "holds"
    assert finding.measured == (
        "cliffs: a20 4, a64800 3, b20 6, b64800 2; the first two 1 apart, the others 4: closer by 3"
    )
    low, high = _ends(finding)
    assert 2.9 < low < 3 < high < 3.1
    turned = judge("cliff_shift", series=pairs["over"][::-1], over=pairs["series"])
    assert turned.verdict == "does not hold"
    assert turned.measured.endswith("closer by -3")


def test_cliffs_of_error_rates_and_unsorted_sweeps(made: Made, judge: Judge) -> None:
    made.blocks("coded", [1, 0.9, 0.1, 0, 0])
    finding = judge("cliff", series="coded", metric="bler", at=3, within=0.01)
    assert finding.verdict == "holds"
    assert finding.interval == "[3, 3]"
    turned = Evidence(made.database, series={"coded": ["coded"]}, values=VALUES[::-1])
    assert cliffs(["coded"], "bler", turned).values == pytest.approx([5])


def test_flat_series_have_no_cliff(made: Made, judge: Judge) -> None:
    made.psnr("flat", [20, 25, 15, 20, 20])
    made.psnr("a", [10, 10, 15, 30, 30])
    made.psnr("noisy", [20, 20, 20, 20, 20.02], spread=3)
    finding = judge("cliff", series="flat", at=4, within=1)
    assert (finding.verdict, finding.interval) == ("no data", "")
    assert finding.measured == (
        "no cliff: flat is flat, 20 dB at 0 and 20 dB at 8 do not differ significantly"
    )
    assert "noisy is flat" in judge("cliff", series="noisy", at=4, within=1).measured
    for over in (
        judge("cliff", series="a", over="flat", shift=1, within=1),
        judge("cliff_order", series=["a", "flat"]),
        judge("cliff_shift", series=["a", "a"], over=["a", "flat"]),
    ):
        assert over.verdict == "no data"
        assert over.measured.startswith("no cliff: flat is flat")


def test_too_little(made: Made, judge: Judge) -> None:
    made.psnr("short", [10, 20])
    made.psnr("one", [10, 12, 20, 30, 30], images=1)
    findings = [
        judge("level", series=name, point=8, value=1, within=1) for name in ("short", "one")
    ]
    findings += [judge("at_least", series=name, value=1) for name in ("short", "one")]
    findings += [judge("cliff", series=name, at=1, within=1) for name in ("short", "one")]
    for finding in findings:
        assert (finding.verdict, finding.measured) == ("no data", TOO_LITTLE)


@pytest.mark.parametrize(
    ("keys", "rule"),
    [
        ({"within": 1}, "cliff must have at, or over and shift, got neither"),
        ({"within": 1, "over": "b"}, "cliff must have at, or over and shift, got neither"),
        ({"within": 1, "at": 3, "shift": 1}, "cliff must have at, or over and shift, got both"),
        ({"within": 1, "at": 3, "over": "b"}, "over and shift must be given together"),
        ({"within": 1, "shift": 3}, "over and shift must be given together"),
        ({"within": 0, "at": 3}, "greater than 0"),
        ({"at": 3}, "Field required"),
    ],
)
def test_refused_cliffs(keys: dict[str, Any], rule: str) -> None:
    with pytest.raises(ValidationError, match=rule):
        CLAIM.validate_python({"kind": "cliff", "text": "t", "series": "a", "metric": "m"} | keys)


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        ({"kind": "level", "series": "vq", "point": 3, "value": 1, "within": 1},
         "claims.0.point must be a point of the sweep (0.5, 2), got 3"),
        ({"kind": "at_least", "series": "x", "value": 1},
         "claims.0.series must be one of vq, bpg, jpeg, got x"),
        ({"kind": "at_least", "series": "vq", "value": 1, "points": [0.5, 1]},
         "claims.0.points must be a point of the sweep (0.5, 2), got 1"),
        ({"kind": "cliff", "series": "x", "at": 1, "within": 1},
         "claims.0.series must be one of vq, bpg, jpeg, got x"),
        ({"kind": "cliff", "series": "vq", "over": "x", "shift": 1, "within": 1},
         "claims.0.over must be one of vq, bpg, jpeg, got x"),
        ({"kind": "cliff_order", "series": ["vq", "x"]},
         "claims.0.series must be one of vq, bpg, jpeg, got x"),
        ({"kind": "cliff_shift", "series": ["vq", "bpg"], "over": ["x", "vq"]},
         "claims.0.over must be one of vq, bpg, jpeg, got x"),
        ({"kind": "cliff_order", "series": ["vq", "bpg"], "metric": "y"},
         "claims.0.metric must be one of psnr, ssim, coded_ber, "),
    ],
)  # fmt: skip
def test_names_that_the_scenario_lacks(change: Any, keys: dict[str, Any], line: str) -> None:
    claim = CLAIM.validate_python({"text": "t", "metric": "psnr"} | keys)
    (found,) = problems(parse(change()), None, [claim])
    assert found.startswith(line)


def test_a_cliff_needs_a_sweep(change: Any) -> None:
    scenario = parse(change(**{"sweep.esn0_db": [1.0]}))
    for keys in (
        {"kind": "cliff", "series": "vq", "at": 1, "within": 1},
        {"kind": "cliff_order", "series": ["vq", "bpg"]},
        {"kind": "cliff_shift", "series": ["vq", "bpg"], "over": ["vq", "jpeg"]},
    ):
        claim = CLAIM.validate_python({"text": "t", "metric": "psnr"} | keys)
        (found,) = problems(scenario, None, [claim])
        assert found == f"claims.0: {keys['kind']} needs a sweep of at least 2 points, got 1"
