"""Rows are computed from the integers in the store, and exported as they are."""

import csv
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from transceiver.counters import NAMES, Counters, total
from transceiver.intervals import wilson
from transceiver.results import export_csv, rows
from transceiver.store import Store


def test_rows_are_in_the_order_of_the_scenario(finished: Store) -> None:
    keys = [(row.codec, row.value) for row in rows(finished)]
    assert keys == [(codec, v) for codec in ("vq", "bpg", "jpeg") for v in (0.5, 2.0)]


def test_rates_come_from_counters(finished: Store) -> None:
    for row in rows(finished):
        units = list(finished.units(row.codec, row.point))
        counters = total([unit.counters for unit in units])
        assert row.counters == counters
        assert row.failures == sum(u.failure for u in units)
        c, sent = counters, counters.frames - row.outages
        assert len(row.rates) == 9
        for name, errors, trials in (
            ("coded_ber", c.coded_bit_errors, c.symbols * 2),
            ("info_ber", c.info_bit_errors, c.blocks * 324),
            ("source_ber", c.source_bit_errors, c.source_bits + c.length_bits),
            ("ser", c.symbol_errors, c.symbols),
            ("bler", c.block_errors, c.blocks),
            ("unconverged_rate", c.unconverged_blocks, c.blocks),
            ("fer", c.frame_errors, sent),
            ("index_error_rate", c.index_errors, c.indices),
            ("failure_rate", row.failures, sent),
        ):
            found, expected = row.rates[name], wilson(errors, trials)
            assert found == expected or (math.isnan(found.value) and trials == 0)


def test_cbr_and_snr(finished: Store) -> None:
    samples = 3 * (48 * 40 + 33 * 50 + 40 * 48) * 2
    for row in rows(finished):
        if row.codec == "jpeg":
            assert math.isnan(row.cbr)
            assert math.isnan(row.ebn0_payload_db)
            continue
        assert row.cbr == row.counters.symbols / samples
        assert row.esn0_db == row.value
        assert row.ebn0_db == pytest.approx(row.value)  # one bit for each 4-QAM symbol
        share = row.counters.source_bits / row.counters.symbols
        assert row.ebn0_payload_db == pytest.approx(row.value - 10 * math.log10(share))
        assert row.ebn0_payload_db > row.ebn0_db  # CRC, length field and padding cost energy


def test_sweep_over_eb_n0_and_flips(bits: Any, run_in: Any) -> None:
    stop = {"block_errors": 1, "max_blocks": 1}
    data = bits(**{"sweep": {"ebn0_db": [4]}, "phy.code.rate": "5/6", "stop": stop})
    data["phy"]["modulation"] = {"kind": "qam", "order": 64}
    (row,) = rows(run_in(data))
    assert row.ebn0_db == 4
    assert row.esn0_db == pytest.approx(4 + 10 * math.log10(5))
    measured, n0 = row.scalars["noise_variance_measured"], 10 ** (-row.esn0_db / 10)
    assert abs(measured / n0 - 1) < 4 / math.sqrt(row.counters.symbols)
    assert abs(row.scalars["symbol_power_mean"] - 1) < 0.05
    assert row.scalars["evm"] == pytest.approx(math.sqrt(n0), rel=0.05)
    data = bits(**{"sweep": {"flip_probability": [0.01]}, "phy.channel.kind": "bsc", "stop": stop})
    (row,) = rows(run_in(data))
    assert row.value == 0.01
    assert all(math.isnan(x) for x in (row.esn0_db, row.ebn0_db, row.ebn0_payload_db))
    assert math.isnan(row.cbr)
    assert row.scalars["iterations_mean"] == row.counters.iterations / 64
    assert math.isnan(row.scalars["evm"])


def test_metrics_are_means_over_all_frames(finished: Store) -> None:
    for row in rows(finished):
        values = [u.metrics["psnr"] for u in finished.units(row.codec, row.point)]
        assert row.metrics["psnr"].value == pytest.approx(np.mean(values))
        assert len(values) == row.counters.frames == 6
        assert list(row.metrics) == ["psnr", "ssim"]


def test_csv_holds_every_counter_and_interval(finished: Store, tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    assert export_csv(finished, path) == 6
    with path.open(newline="") as file:
        lines = list(csv.DictReader(file))
    estimates = ["psnr", "ssim", "coded_ber", "info_ber", "source_ber", "ser", "bler",
                 "unconverged_rate", "fer", "index_error_rate", "failure_rate"]  # fmt: skip
    columns = [
        "codec", "point", "value", "esn0_db", "ebn0_db", "ebn0_payload_db", "cbr", "failures",
        "outages", *NAMES,
        *(name + end for name in estimates for end in ("", "_low", "_high")),
        "iterations_mean", "displacement_mean", "evm", "symbol_power_mean", "gain_power_mean",
        "codebook_mean", "concealed_rate", "noise_variance_measured",
    ]  # fmt: skip
    assert list(lines[0]) == columns
    for line, row in zip(lines, rows(finished), strict=True):
        assert line["codec"] == row.codec
        assert {name: int(line[name]) for name in NAMES} == vars(row.counters)
        assert float(line["psnr_low"]) == row.metrics["psnr"].low
        bler = row.rates["bler"].high
        assert float(line["bler_high"]) == bler or (line["bler_high"] == "nan" and bler != bler)


def test_total_adds_every_counter() -> None:
    one = Counters(**{name: i + 1 for i, name in enumerate(NAMES)})
    assert total([]) == Counters()
    assert total([one, one, one]) == Counters(*(3 * (i + 1) for i in range(len(NAMES))))
