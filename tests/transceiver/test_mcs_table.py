"""Tables of modes: what is refused, what is written is read, and the table that ships."""

import hashlib
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from phy.ldpc import DvbS2
from phy.theory import constellation_capacity
from transceiver import build_phy
from transceiver.intervals import wilson
from transceiver.mcs.table import (
    MeasuredMode,
    ModeTable,
    digest,
    dominated,
    find_family,
    find_table,
    load_family,
    load_table,
    tables,
    text_of,
)
from transceiver.scenario import ScenarioError

CODE = {"kind": "ieee80211n", "n": 648, "rate": "1/2"}


def mode(order: int, bits: float, esn0_db: float, **more: Any) -> dict[str, Any]:
    return {
        "modulation": {"kind": "qam", "order": order},
        "code": CODE,
        "bits_per_channel_use": bits,
        "esn0_db": esn0_db,
        "limit_esn0_db": esn0_db - 1,
        "bler": 0.02,
        "bler_low": 0.01,
        "bler_high": 0.04,
        "block_errors": 4,
        "blocks": 200,
        **more,
    }


def table(*modes: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "family": "test",
        "target_bler": 0.05,
        "step_db": 0.25,
        "most_blocks": 200,
        "seed": 1,
        "measured_with": "nothing",
        "modes": list(modes) or [mode(4, 1.0, 1.5), mode(16, 2.0, 6.5)],
        **more,
    }


def _file(folder: Path, data: Any) -> Path:
    path = folder / "t.yaml"
    path.write_text(yaml.safe_dump(data))
    return path


def test_what_is_written_is_read(tmp_path: Path) -> None:
    interleaved = mode(64, 3.0, 9.0, interleaver={"kind": "row_column", "columns": 6})
    useless = mode(
        256, 4.0, 30.0, modulation={"kind": "cross_qam", "order": 128, "demapper": "max_log"}
    )
    data = table(mode(4, 1.0, 1.5), interleaved, useless, mode(16, 4.0, 31.0, dominated=True))
    before = ModeTable.model_validate(data)
    path = tmp_path / "out.yaml"
    path.write_text(text_of(before, comment="one\ntwo"))
    assert path.read_text().startswith("# one\n# two\nfamily: test\n")
    assert load_table(path) == before
    assert before.decoder.kind == "two_tier"
    assert [m.name for m in before.used] == [
        "4-qam 1/2", "64-qam 1/2", "128-cross-qam 1/2",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("places", "expected"),
    [
        ([(1.0, 0.0), (2.0, 3.0)], [False, False]),
        ([(1.0, 3.0), (2.0, 3.0)], [True, False]),  # more from the same
        ([(1.0, 3.0), (1.0, 4.0)], [False, True]),  # the same from less
        ([(1.0, 5.0), (1.5, 4.0), (2.0, 4.5)], [True, False, False]),
        ([(1.0, 3.0), (1.0, 3.0)], [False, True]),  # equal: the first
    ],
)
def test_dominated_modes(places: list[tuple[float, float]], expected: list[bool]) -> None:
    modes = [MeasuredMode.model_validate(mode(4, bits, esn0_db)) for bits, esn0_db in places]
    assert dominated(modes) == expected


REFUSED: list[tuple[dict[str, Any], str]] = [
    (table(mode(16, 2.0, 6.5), mode(4, 1.0, 1.5)), "modes must be in rising order of bits_per_"),
    (table(mode(4, 1.0, 6.5), mode(16, 2.0, 6.5)), "modes.0.dominated must be True, got False"),
    (table(mode(4, 1.0, 1.5, dominated=True)), "modes.0.dominated must be False, got True"),
    (
        table(mode(4, 1.0, 1.5, limit_esn0_db=1.6)),
        "modes.0.esn0_db must be at least limit_esn0_db 1.6, got 1.5",
    ),
    (table(mode(4, 1.0, 1.5, bler=0.03)), "modes.0.bler must be block_errors / blocks, got 0.03"),
    (
        table(target_bler=0.01, modes=[mode(4, 1.0, 1.5)]),
        "modes.0.bler must be at most 0.01, got 0.02",
    ),
    (
        table(mode(4, 1.0, 1.5, bler_low=0.03)),
        "modes.0.bler must be from bler_low to bler_high, got 0.03, 0.02, 0.04",
    ),
    (table(mode(4, 1.0, 1.5, code={"kind": "none"})), "modes.0.code.kind must be that of a code"),
    (table(mode(4, 1.0, 1.5, code={"kind": "ldpc"})), "modes.0.code.kind: must be one of"),
    (
        table(decoder={"kind": "viterbi"}),
        "modes.0: decoder.kind must be two_tier or offset_min_sum or a_min_star or sum_product "
        "for the code ieee80211n, got viterbi",
    ),
    (
        table(mode(4, 1.0, 1.5, interleaver={"kind": "row_column", "columns": 5})),
        "modes.0: interleaver.columns must divide the block length 648, got 5",
    ),
    (table(target_bler=1.0), "target_bler: must be less than 1, got 1.0"),
    (table(extra=1), "extra: is not a key of this section"),
    (table(modes=[]), "modes: must have at least 1 item"),
]


@pytest.mark.parametrize(("data", "line"), REFUSED, ids=[line[:50] for _, line in REFUSED])
def test_each_unfit_table_gets_its_line(tmp_path: Path, data: dict[str, Any], line: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        load_table(_file(tmp_path, data))
    assert str(caught.value).splitlines()[0].startswith(f"t.yaml: {line}")


@pytest.mark.parametrize(
    ("modes", "line"),
    [
        (
            [{"modulation": {"kind": "qam", "order": 4}, "code": CODE}] * 2,
            "modes.1 must differ from",
        ),
        (
            [{"modulation": {"kind": "psk", "order": 16}, "code": CODE}],
            "modes.0.modulation.order: ",
        ),
        ([{"modulation": {"kind": "psk", "order": 4}}], "modes.0.code: is required"),
        (3, "modes: must be a valid list, got 3"),
    ],
)
def test_each_unfit_family_gets_its_line(tmp_path: Path, modes: Any, line: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        load_family(_file(tmp_path, {"family": "test", "modes": modes}))
    assert any(found.startswith(f"t.yaml: {line}") for found in str(caught.value).splitlines())


def test_tables_are_found_by_name_or_path(tmp_path: Path) -> None:
    assert find_table("dvbs2-64800", key="x") == tables()["dvbs2-64800"]
    path = _file(tmp_path, table())
    assert find_table(str(path), key="x") == path
    path.with_suffix(".sha256").write_text(f"{digest(path)}  t.yaml\n")
    assert find_table(str(path), key="x") == path
    path.write_text(path.read_text() + "\n")
    with pytest.raises(ScenarioError, match=r"^x: t\.yaml must have the SHA-256 in t\.sha256, got"):
        find_table(str(path), key="x")
    for missing in ("dvbs2", str(tmp_path / "no.yaml"), str(tmp_path)):
        with pytest.raises(ScenarioError, match=r"^x: must be a shipped table \(dvbs2-64800\) or "):
            find_table(missing, key="x")
    with pytest.raises(ScenarioError, match=r"^family: must be a shipped one"):
        find_family("dvbs3")


# The table that ships


@pytest.fixture(scope="module")
def shipped() -> ModeTable:
    return load_table(find_table("dvbs2-64800", key="table"))


def test_the_shipped_table_is_that_of_its_family(shipped: ModeTable) -> None:
    path = tables()["dvbs2-64800"]
    recorded = path.with_suffix(".sha256").read_text().split()
    assert recorded == [hashlib.sha256(path.read_bytes()).hexdigest(), path.name]
    family = load_family(find_family("dvbs2-64800"))
    assert (shipped.family, shipped.decoder) == (family.family, family.decoder)
    kinds = [(m.modulation, m.code, m.interleaver) for m in shipped.modes]
    assert len(kinds) == len(family.modes)
    assert all((m.modulation, m.code, m.interleaver) in kinds for m in family.modes)
    assert (shipped.used[0].name, shipped.used[-1].name) == ("2-psk 1/2", "32-cross-qam 3/4")
    rising = [(m.bits_per_channel_use, m.esn0_db) for m in shipped.used]
    assert all(a < c and b < d for (a, b), (c, d) in pairwise(rising))


def test_thresholds_lie_within_2_db_above_the_capacity(shipped: ModeTable) -> None:
    for m in shipped.modes:
        constellation = build_phy.modulation(m.modulation)
        code = DvbS2(m.code.n, m.code.rate)
        bits = code.k / code.n * constellation.bits_per_symbol
        assert m.bits_per_channel_use == pytest.approx(bits, rel=1e-12)
        esn0_db = [m.esn0_db, m.esn0_db - 2, m.limit_esn0_db]
        at, below, limit = constellation_capacity(constellation, esn0_db)
        assert below < bits < at, m.name
        assert limit == pytest.approx(bits, abs=2e-4)


def test_error_rates_are_those_of_the_counts(shipped: ModeTable) -> None:
    for m in shipped.modes:
        rate = wilson(m.block_errors, m.blocks)
        assert m.blocks == shipped.most_blocks
        assert (m.bler, m.bler_low, m.bler_high) == pytest.approx(
            (rate.value, rate.low, rate.high), abs=1e-6
        )
        places = m.esn0_db / shipped.step_db
        assert places == pytest.approx(round(places), abs=1e-6)


# ETSI EN 302 307-1 V1.4.1, Table 13: Es/N0 [dB] at a packet error rate of 1e-7, ideal, with the
# outer BCH code; a block error rate of 1e-2 of the inner code alone lies close by.
TABLE_13 = {
    "4-psk 1/2": 1.00,
    "4-psk 3/5": 2.23,
    "4-psk 2/3": 3.10,
    "4-psk 3/4": 4.03,
    "4-psk 5/6": 5.18,
    "8-psk 3/5": 5.50,
    "8-psk 2/3": 6.62,
    "8-psk 3/4": 7.91,
}


def test_thresholds_are_those_of_the_standard(shipped: ModeTable) -> None:
    measured = {m.name: m.esn0_db for m in shipped.modes}
    assert {name: measured[name] for name in TABLE_13} == pytest.approx(TABLE_13, abs=0.35)


def test_bpsk_needs_half_the_energy_of_qpsk(shipped: ModeTable) -> None:
    """Each axis of QPSK is BPSK; the noise drawn differs, hence a step of the grid more or less."""
    measured = {m.name: m.esn0_db for m in shipped.modes}
    for rate in ("1/2", "2/3", "3/4"):
        apart = measured[f"4-psk {rate}"] - measured[f"2-psk {rate}"]
        assert apart == pytest.approx(3.01, abs=shipped.step_db * 1.5)
