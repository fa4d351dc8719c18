"""The whole link, from the shipped scenarios, against values known from elsewhere."""

from pathlib import Path

import pytest

from phy.theory import ber
from transceiver.results import Row, rows
from transceiver.scenario import load
from transceiver.store import open_run
from transceiver.sweep import run

SCENARIOS = Path(__file__).parents[2] / "scenarios" / "phy"


def measure(tmp_path: Path, name: str, *, sweep: str, codec: str, blocks: int) -> Row:
    """One point of one codec of a shipped scenario, exactly so many blocks."""
    scenario = load(
        SCENARIOS / f"{name}.yaml",
        [f"sweep={{{sweep}}}", f"stop={{block_errors: {blocks}, max_blocks: {blocks}}}"],
    )
    codecs = {codec: scenario.codecs[codec]}
    scenario = scenario.model_copy(update={"codecs": codecs})
    run(scenario, None, folder=tmp_path, batch=4, progress=lambda *_: None)
    (row,) = rows(open_run(tmp_path))
    assert row.counters.blocks == blocks
    return row


def wrong_codewords(row: Row) -> float:
    """The rate of wrong codewords: some have every information bit right."""
    c = row.counters
    return (c.unconverged_blocks + c.false_decodes) / c.blocks


def test_ieee80211n_648_with_qpsk_at_1_5_db(tmp_path: Path) -> None:
    """BLER 0.137 +- 0.02 with 20 flooding sum-product iterations, Eb/N0 1.5 dB."""
    row = measure(
        tmp_path, "ldpc_648_qpsk", sweep="ebn0_db: [1.5]", codec="20-iterations", blocks=5000
    )
    assert row.esn0_db == pytest.approx(1.5)
    assert abs(row.rates["bler"].value - 0.137) < 0.02
    assert abs(wrong_codewords(row) - 0.137) < 0.015


def test_ieee80211n_648_with_16_qam_at_4_db(tmp_path: Path) -> None:
    """BLER 0.091 +- 0.015 with 20 flooding sum-product iterations, Eb/N0 4.0 dB."""
    row = measure(tmp_path, "ldpc_648_16qam", sweep="ebn0_db: [4.0]", codec="exact", blocks=6000)
    assert abs(wrong_codewords(row) - 0.091) < 0.012
    assert 0.8 * wrong_codewords(row) < row.rates["bler"].value < wrong_codewords(row)


@pytest.mark.conformance
def test_nr_1024_2048_over_rayleigh_fading(tmp_path: Path) -> None:
    """About 0.45 at 3 dB, below 0.02 at 4 dB: with N0 in place of N0/|h|^2 it takes 4 dB more."""
    at_3 = measure(
        tmp_path / "3",
        "nr_rayleigh_qpsk",
        sweep="esn0_db: [3.0]",
        codec="nr-1024-2048",
        blocks=2000,
    )
    at_4 = measure(
        tmp_path / "4",
        "nr_rayleigh_qpsk",
        sweep="esn0_db: [4.0]",
        codec="nr-1024-2048",
        blocks=4000,
    )
    assert abs(at_3.rates["bler"].value - 0.45) < 0.05
    assert 0.001 < at_4.rates["bler"].value < 0.02


@pytest.mark.parametrize("codec", ["4-qam", "16-qam", "64-qam", "8-psk"])
def test_uncoded_links_over_rayleigh_fading_follow_theory(tmp_path: Path, codec: str) -> None:
    row = measure(tmp_path, "uncoded_rayleigh", sweep="esn0_db: [12]", codec=codec, blocks=5)
    scenario = load(SCENARIOS / "uncoded_rayleigh.yaml")
    from transceiver.build import build

    link = build(scenario)[codec].link
    expected = float(ber(link.modulation, 12.0, fading=link.channel))  # type: ignore[arg-type]
    bits, errors = row.counters.source_bits, row.counters.source_bit_errors
    assert bits == 1_200_000
    # Bits of a symbol fail together: at worst all of them, which multiplies the variance.
    spread = (link.modulation.bits_per_symbol * bits * expected * (1 - expected)) ** 0.5
    assert abs(errors - bits * expected) < 4 * spread


def test_block_rayleigh_4_qam_at_10_db(tmp_path: Path) -> None:
    """BER 4.36e-2 with one gain for a whole frame, averaged over frames (Es/N0 10 dB)."""
    text = (SCENARIOS / "uncoded_rayleigh.yaml").read_text()
    text = text.replace("fading: symbol", "fading: image").replace("240000", "400")
    path = tmp_path / "block.yaml"
    path.write_text(text)
    scenario = load(path, ["sweep={esn0_db: [10]}", "stop={block_errors: 8000, max_blocks: 8000}"])
    scenario = scenario.model_copy(update={"codecs": {"4-qam": scenario.codecs["4-qam"]}})
    run(scenario, None, folder=tmp_path / "run", batch=500, progress=lambda *_: None)
    (row,) = rows(open_run(tmp_path / "run"))
    # Frames are independent; the BER of one frame has a standard deviation below 0.09.
    assert abs(row.rates["source_ber"].value - 4.36e-2) < 4 * 0.09 / 8000**0.5
