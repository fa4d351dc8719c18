"""What a run measured, column by column, read from its database."""

import math
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from transceiver.database import open_for_reading, totals
from transceiver.reproduce.paired import TRIALS, Sample, aligned, combination
from transceiver.results import Row
from transceiver.scenario.reproduction import FALLING, RATES, SCALARS, Points, point_of
from transceiver.store import FILE

COUNTS = {
    "coded_ber": ("coded_bit_errors", "coded_bits"),
    "info_ber": ("info_bit_errors", "info_bits"),
    "source_ber": ("source_bit_errors", "source_bits + length_bits"),
    "ser": ("symbol_errors", "symbols * (coded_bits > 0)"),
    "bler": ("block_errors", "blocks"),
    "unconverged_rate": ("unconverged_blocks", "blocks"),
    "fer": ("frame_errors", "(frames - outage) * (source_bits > 0)"),
    "index_error_rate": ("index_errors", "indices"),
    "failure_rate": ("failure", "frames - outage"),
}
"""What an error rate counts in a unit: `transceiver.results.Row.rates` before it is summed."""


@dataclass(frozen=True)
class Best:
    """The best codec of a series at a point.

    Attributes:
        codec: Its name.
        sample: The column.
    """

    codec: str
    sample: Sample


class Evidence:
    """A run that is read; use `evidence`.

    Attributes:
        series: The codecs of each series.
        values: The swept quantity at each point.
    """

    def __init__(
        self,
        database: sqlite3.Connection,
        *,
        series: Mapping[str, Sequence[str]],
        values: Sequence[float],
    ) -> None:
        """Read nothing yet."""
        self._db = database
        self.series, self.values = series, values
        self._samples: dict[tuple[str, int, str], Sample] = {}

    def sample(self, codec: str, point: int, column: str) -> Sample:
        """A metric or an error rate of every unit; without units where none was run."""
        key = codec, point, column
        if key not in self._samples:
            self._samples[key] = self._read(*key)
        return self._samples[key]

    def _read(self, codec: str, point: int, column: str) -> Sample:
        where = "WHERE codec = ? AND point = ?"
        if column in RATES:
            top, bottom = COUNTS[column]
            query = f"SELECT image, trial, {top}, {bottom} FROM unit {where}"
            found = self._db.execute(f"{query} ORDER BY image, trial", (codec, point))
        else:
            query = f"SELECT image, trial, value, 1 FROM metric {where} AND name = ?"
            found = self._db.execute(f"{query} ORDER BY image, trial", (codec, point, column))
        table = np.array(found.fetchall(), dtype=np.float64).reshape(-1, 4)
        unit = table[:, 0].astype(np.int64) * TRIALS + table[:, 1].astype(np.int64)
        return Sample(unit, table[:, 2], table[:, 3])

    def done(self) -> tuple[int, int]:
        """Pairs of a codec and a point of which anything was run, and units in all."""
        query = (
            "SELECT COUNT(*), SUM(n) FROM (SELECT COUNT(*) AS n FROM unit GROUP BY codec, point)"
        )
        begun, units = self._db.execute(query).fetchone()
        return begun, units or 0

    def best(self, series: str, point: int, column: str) -> Best | None:
        """The best of a series, the first of equals, over the units that all its codecs have.

        None where a codec of it has no unit.
        """
        codecs = self.series[series]
        samples = [self.sample(codec, point, column) for codec in codecs]
        sign = -1 if column in FALLING else 1
        means = [sign * sample.value for sample in aligned(samples)]
        if not all(map(math.isfinite, means)):
            return None
        chosen = means.index(max(means))
        return Best(codecs[chosen], samples[chosen])

    def label(self, series: str, best: Best) -> str:
        """A series in words, with its best codec where it has several."""
        return f"{series} ({best.codec})" if len(self.series[series]) > 1 else series

    def points(self, chosen: Points) -> list[int]:
        """The numbers of the points that a claim is about."""
        if isinstance(chosen, str):
            return list(range(len(self.values)))
        return [point_of(value, self.values) for value in chosen]

    def row(self, codec: str, point: int) -> Row | None:
        """The result row without metrics and ratios in dB; None where nothing was run."""
        sums = totals(self._db, codec, point)
        if not sums.units:
            return None
        counters, samples = sums.counters, sums.samples_sent
        return Row(
            codec, point, self.values[point], math.nan, math.nan, math.nan,
            cbr=counters.symbols / samples if samples else math.nan,
            failures=sums.failures, outages=sums.outages, counters=counters, metrics={},
        )  # fmt: skip

    def source_bits(self, codec: str, point: int) -> float:
        """Mean source bits of an image; NaN where nothing was run."""
        row = self.row(codec, point)
        return row.counters.source_bits / row.counters.frames if row else math.nan

    def value(self, codec: str, point: int, column: str) -> float:
        """Any column of a codec at a point; NaN where nothing was run."""
        if column == "source_bits_mean":
            return self.source_bits(codec, point)
        if column not in SCALARS:
            return combination([(1, self.sample(codec, point, column))]).value
        row = self.row(codec, point)
        if row is None:
            return math.nan
        return row.cbr if column == "cbr" else row.scalars[column]


@contextmanager
def evidence(
    folder: Path, *, series: Mapping[str, Sequence[str]], values: Sequence[float]
) -> Iterator[Evidence]:
    """Read the run in a folder while the context lasts."""
    with closing(open_for_reading(folder / FILE)) as database:
        yield Evidence(database, series=series, values=values)
