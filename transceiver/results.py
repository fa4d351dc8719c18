"""Rows of results: a codec at a point, computed from the integer counts that are stored."""

import csv
import io
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from transceiver.counters import POWER_UNIT, Counters
from transceiver.database import Totals
from transceiver.files import write_whole
from transceiver.intervals import Estimate, bootstrap_mean, wilson
from transceiver.metrics_names import metric_name
from transceiver.scenario import Scenario, ScenarioError
from transceiver.store import Store


@dataclass(frozen=True)
class Row:
    """One codec at one point.

    Attributes:
        codec: Its name in the scenario.
        point: Number of the point.
        value: Of the swept quantity.
        esn0_db: Es/N0, NaN over a BSC.
        ebn0_db: Eb/N0 with the nominal code rate and bits per symbol.
        ebn0_payload_db: Eb/N0 with the energy of every symbol sent shared among the source bits.
        cbr: Channel uses / (3 H W) over the frames that were sent, everything counted.
        failures: Frames whose receiver knew that it had no picture.
        outages: Frames that were not sent: no bitstream fits into the budget.
        counters: Sums over all frames.
        metrics: Means over all frames, failures and outages included.
    """

    codec: str
    point: int
    value: float
    esn0_db: float
    ebn0_db: float
    ebn0_payload_db: float
    cbr: float
    failures: int
    outages: int
    counters: Counters
    metrics: dict[str, Estimate]

    @property
    def rates(self) -> dict[str, Estimate]:
        """Error rates with Wilson intervals; of symbols and frames only where these carry bits."""
        c = self.counters
        frames = c.frames - self.outages
        return {
            "coded_ber": wilson(c.coded_bit_errors, c.coded_bits),
            "info_ber": wilson(c.info_bit_errors, c.info_bits),
            "source_ber": wilson(c.source_bit_errors, c.source_bits + c.length_bits),
            "ser": wilson(c.symbol_errors, c.symbols if c.coded_bits else 0),
            "bler": wilson(c.block_errors, c.blocks),
            "unconverged_rate": wilson(c.unconverged_blocks, c.blocks),
            "fer": wilson(c.frame_errors, frames if c.source_bits else 0),
            "index_error_rate": wilson(c.index_errors, c.indices),
            "failure_rate": wilson(self.failures, frames),
        }

    @property
    def scalars(self) -> dict[str, float]:
        """Means that are no error rates."""
        c = self.counters
        return {
            "iterations_mean": _ratio(c.iterations, c.blocks),
            "displacement_mean": _ratio(c.displacement * POWER_UNIT, c.indices),
            "evm": math.sqrt(_ratio(c.error_power, c.symbol_power)) if c.symbol_power else math.nan,
            "symbol_power_mean": _ratio(c.symbol_power * POWER_UNIT, c.symbols),
            "gain_power_mean": _ratio(c.gain_power * POWER_UNIT, c.symbols),
            "codebook_mean": _ratio(c.codebook_sum, c.indices),
            "concealed_rate": _ratio(c.concealed_indices, c.indices),
            "noise_variance_measured": _ratio(c.noise_power * POWER_UNIT, c.symbols),
        }


def rows(store: Store) -> Iterator[Row]:
    """All rows of a run that have any unit, codec by codec, the swept quantity rising.

    Raises:
        ScenarioError: The database holds what no run can have counted.
    """
    scenario = store.scenario
    nominal = {
        key.removeprefix("nominal_bits_per_symbol."): float(value)
        for key, value in store.facts().items()
        if key.startswith("nominal_bits_per_symbol.")
    }
    for codec in scenario.codecs:
        rising = sorted(enumerate(scenario.sweep.values), key=lambda numbered: numbered[1])
        for point, value in rising:
            try:
                sums = store.totals(codec, point)
                if not sums.units:
                    continue
                row = _row(store, scenario, codec, point, value, nominal[codec], sums)
                row.rates, row.scalars  # noqa: B018 - refuse impossible counts here
            except (KeyError, TypeError, ValueError, ArithmeticError) as error:
                raise ScenarioError(
                    f"{store.path}: must hold counts of a run, undamaged, got for {codec} at point "
                    f"{point}: {error}"
                ) from error
            yield row


def _row(
    store: Store,
    scenario: Scenario,
    codec: str,
    point: int,
    value: float,
    nominal_bits_per_symbol: float,
    sums: Totals,
) -> Row:
    counters = sums.counters
    esn0_db = ebn0_db = payload_db = math.nan
    shift_db = 10 * math.log10(nominal_bits_per_symbol)
    if scenario.sweep.quantity in ("esn0_db", "normalized_snr_db"):
        esn0_db = value
        if scenario.sweep.quantity == "normalized_snr_db":
            esn0_db += 10 * math.log10(scenario.reference_bits_per_symbol)
        ebn0_db = esn0_db - shift_db
    elif scenario.sweep.quantity == "ebn0_db":
        esn0_db, ebn0_db = value + shift_db, value
    if counters.symbols and counters.source_bits:
        payload_db = esn0_db - 10 * math.log10(counters.source_bits / counters.symbols)
    metrics = {
        name: bootstrap_mean(list(store.values(codec, point, name).values()))
        for name in map(metric_name, scenario.metrics)
    }
    return Row(
        codec=codec,
        point=point,
        value=value,
        esn0_db=esn0_db,
        ebn0_db=ebn0_db,
        ebn0_payload_db=payload_db,
        cbr=_ratio(counters.symbols, sums.samples_sent),
        failures=sums.failures,
        outages=sums.outages,
        counters=counters,
        metrics=metrics,
    )


def export_csv(store: Store, path: Path) -> int:
    """Write every row as CSV; return how many."""
    lines = [_flat(row) for row in rows(store)]
    names = list(dict.fromkeys(name for line in lines for name in line))
    file = io.StringIO(newline="")
    writer = csv.DictWriter(file, names)
    writer.writeheader()
    writer.writerows(lines)
    write_whole(path, file.getvalue().encode())
    return len(lines)


def _flat(row: Row) -> dict[str, object]:
    line: dict[str, object] = {
        name: getattr(row, name)
        for name in (
            "codec",
            "point",
            "value",
            "esn0_db",
            "ebn0_db",
            "ebn0_payload_db",
            "cbr",
            "failures",
            "outages",
        )
    }
    line |= vars(row.counters)
    for name, estimate in (row.metrics | row.rates).items():
        line |= {name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}
    return line | row.scalars


def _ratio(a: float, b: float) -> float:
    return a / b if b else math.nan
