"""What is read column by column is what the result rows say."""

import math
from collections.abc import Iterator

import pytest

from transceiver.reproduce.evidence import COUNTS, Evidence, evidence
from transceiver.reproduce.paired import TRIALS
from transceiver.results import Row, rows
from transceiver.scenario.reproduction import FALLING, RATES, SCALARS
from transceiver.store import Store


@pytest.fixture
def read(finished: Store) -> Iterator[Evidence]:
    codecs = list(finished.scenario.codecs)
    series = {name: [name] for name in codecs} | {"bytes": ["bpg", "jpeg"], "any": codecs}
    with evidence(finished.folder, series=series, values=finished.scenario.sweep.values) as found:
        yield found


@pytest.fixture
def table(finished: Store) -> list[Row]:
    return list(rows(finished))


def test_every_column_is_that_of_the_row(read: Evidence, table: list[Row]) -> None:
    for row in table:
        expected = {name: e.value for name, e in (row.metrics | row.rates).items()}
        expected |= row.scalars | {"cbr": row.cbr}
        if row.counters.frames:
            expected["source_bits_mean"] = row.counters.source_bits / row.counters.frames
        for name, value in expected.items():
            found = read.value(row.codec, row.point, name)
            assert found == pytest.approx(value, rel=1e-12, nan_ok=True), (row.codec, name)
        mine = read.row(row.codec, row.point)
        assert mine is not None
        assert mine.counters == row.counters
        assert (mine.failures, mine.outages) == (row.failures, row.outages)


def test_the_names_are_those_of_the_row(table: list[Row]) -> None:
    assert set(RATES) == set(table[0].rates) == set(COUNTS)
    known = {"cbr", "source_bits_mean", *table[0].scalars}
    assert known <= set(SCALARS)
    assert FALLING.isdisjoint(SCALARS)


def test_units_are_images_and_trials(read: Evidence, finished: Store) -> None:
    units = list(finished.units("vq", 0))
    sample = read.sample("vq", 0, "psnr")
    assert set(sample.unit) == {u.key.image * TRIALS + u.key.trial for u in units}
    assert sorted(sample.top) == sorted(u.metrics["psnr"] for u in units)
    assert sample.bottom.tolist() == [1.0] * len(units)
    assert read.sample("vq", 0, "psnr") is sample
    assert read.done() == (6, 36)


def test_the_best_of_a_series(read: Evidence, table: list[Row]) -> None:
    for point in range(2):
        own = {row.codec: row for row in table if row.point == point}
        best = read.best("any", point, "psnr")
        assert best is not None
        assert best.codec == max(own, key=lambda name: own[name].metrics["psnr"].value)
        best = read.best("bytes", point, "failure_rate")
        rates = {name: own[name].rates["failure_rate"].value for name in ("bpg", "jpeg")}
        assert best is None  # of jpeg no frame was sent, which is no rate
        assert math.isnan(rates["jpeg"])
    best = read.best("any", 0, "coded_ber")
    assert best is None


def test_what_was_not_run(read: Evidence) -> None:
    assert len(read.sample("vq", 7, "psnr").unit) == 0
    assert read.row("vq", 7) is None
    assert read.best("vq", 7, "psnr") is None
    for column in ("psnr", "bler", "cbr", "source_bits_mean", "evm"):
        assert math.isnan(read.value("vq", 7, column)), column


def test_lower_is_better_for_rates(finished: Store) -> None:
    series = {"sent": ["vq", "bpg"]}
    with evidence(finished.folder, series=series, values=[0.5, 2.0]) as read:
        for point in range(2):
            best = read.best("sent", point, "fer")
            assert best is not None
            values = {name: read.value(name, point, "fer") for name in series["sent"]}
            assert values[best.codec] == min(values.values())
