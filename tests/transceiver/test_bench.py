"""The speed of a link: what is built, counted and shown; not how fast this machine is."""

import sys
from pathlib import Path

import pytest
import torch
from rich.console import Console

from transceiver import bench, cli
from transceiver.bench import (
    UNIT_BLOCKS,
    Laps,
    LinkSpeed,
    error_rates,
    link_scenario,
    link_table,
    measure_link,
    random_bits,
)
from transceiver.build import build, conditions
from transceiver.scenario import Scenario

STAGES = [
    "random bits",
    "segment",
    "encode",
    "map",
    "fading",
    "noise",
    "channel",
    "equalize",
    "demap",
    "decode",
    "join",
    "count errors",
]
WHOLE = [
    "random bits",
    "CRC",
    "segment",
    "encode",
    "interleave",
    "Gold sequence",
    "scramble",
    "map",
    "fading",
    "noise",
    "channel",
    "equalize",
    "demap",
    "descramble",
    "deinterleave",
    "decode",
    "join",
    "CRC check",
    "count errors",
]


def measure(code: str, *, order: int, ebn0_db: float, blocks: int, seed: int = 1) -> LinkSpeed:
    scenario = link_scenario(code, order=order, ebn0_db=ebn0_db)
    link = build(scenario)["bits"].link
    return measure_link(link, conditions(link, scenario, ebn0_db), blocks=blocks, seed=seed)


@pytest.mark.parametrize(
    "code",
    [
        "ieee80211n:648:1/2",
        "dvbs2:16200:2/3",
        "nr:1024:2048",
        "gallager:20:3:4",
        "polar:100:256",
        "convolutional:100:1/2",
        "turbo:40:1/3",
    ],
)
def test_every_kind_of_code(code: str) -> None:
    scenario = link_scenario(code, order=4, ebn0_db=2)
    assert scenario.phy.code.kind == code.partition(":")[0]
    link = build(scenario)["bits"].link
    assert link.coding is not None
    assert link.crc is None
    assert (link.modulation.name, link.demapper) == ("4-qam", "exact")


@pytest.mark.parametrize("order", [2, 4, 8, 16, 32, 64, 128, 256, 1024, 4096])
def test_every_constellation(order: int) -> None:
    link = build(link_scenario("ieee80211n:648:1/2", order=order, ebn0_db=2))["bits"].link
    assert len(link.modulation.points) == order


def test_the_decoder_is_the_default_of_scenarios() -> None:
    mine = link_scenario("ieee80211n:648:1/2", order=64, ebn0_db=2)
    data = mine.model_dump()
    assert data["phy"].pop("decoder") == mine.phy.decoder.model_dump()
    assert Scenario.model_validate(data).phy.decoder == mine.phy.decoder


def test_stages_and_counts() -> None:
    clean = measure("ieee80211n:648:1/2", order=64, ebn0_db=20, blocks=130)
    assert list(clean.seconds) == STAGES
    assert min(clean.seconds.values()) > 0
    assert (clean.blocks, clean.k, clean.bit_errors, clean.block_errors) == (130, 324, 0, 0)
    noisy = measure("ieee80211n:648:1/2", order=64, ebn0_db=-5, blocks=130)
    assert noisy.block_errors == 130
    # Bits of a hopeless block are wrong with the channel's rate or so: from 0.05 to 0.5.
    assert 0.05 < noisy.bit_errors / (130 * 324) < 0.5


def test_a_whole_link_has_every_stage_and_loses_nothing() -> None:
    scenario = link_scenario("ieee80211n:648:1/2", order=64, ebn0_db=20, whole=True)
    link = build(scenario)["bits"].link
    speed = measure_link(link, conditions(link, scenario, 20.0), blocks=130, seed=1)
    assert list(speed.seconds) == WHOLE
    assert (speed.blocks, speed.bit_errors, speed.block_errors) == (130, 0, 0)


def test_a_block_error_rate_between() -> None:
    """The (648, 324) code with QPSK at Eb/N0 1.5 dB: about 0.1 with any good decoder."""
    speed = measure("ieee80211n:648:1/2", order=4, ebn0_db=1.5, blocks=2000)
    assert 0.04 < speed.block_errors / speed.blocks < 0.2
    again = measure("ieee80211n:648:1/2", order=4, ebn0_db=1.5, blocks=2000)
    assert (again.bit_errors, again.block_errors) == (speed.bit_errors, speed.block_errors)


def test_chunks_carry_all_blocks_and_fill_the_last_symbol(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "_CHUNK_BITS", 1)  # 64 blocks of 20 bits: 1280 = 213 symbols + 2
    speed = measure("gallager:20:3:4", order=64, ebn0_db=40, blocks=150)
    assert (speed.blocks, speed.block_errors) == (150, 0)


def test_random_bits_are_fair() -> None:
    bits = random_bits(1000, 300, torch.Generator().manual_seed(1))
    assert bits.shape == (1000, 300)
    assert set(bits.unique().tolist()) == {0, 1}
    ones = int(bits.sum())
    assert abs(ones - 150_000) < 4 * 75_000**0.5
    alike = int((bits[:500] == bits[500:]).sum())
    assert abs(alike - 75_000) < 4 * 37_500**0.5


def test_laps_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([0.0, 1.0, 3.0, 7.0])
    monkeypatch.setattr(bench.time, "perf_counter", lambda: next(times))
    lap = Laps(_last=next(times))
    assert lap("a", "result") == "result"
    lap("b", None)
    lap("a", None)
    assert lap.seconds == {"a": 5.0, "b": 2.0}


def test_table_and_error_rates() -> None:
    speed = LinkSpeed(
        {"encode": 0.5, "decode": 1.5}, blocks=2 * UNIT_BLOCKS, k=100, bit_errors=0, block_errors=2
    )
    console = Console(width=80)
    with console.capture() as capture:
        console.print(link_table(speed, "polar:100:256"))
    lines = [line.split() for line in capture.get().splitlines() if line.strip()]
    assert lines[0] == ["polar:100:256"]
    assert ["encode", "250.00", "25.0", "%", "1.6"] in lines
    assert ["decode", "750.00", "75.0", "%", "0.5"] in lines
    assert ["total", "1000.00", "100.0", "%", "0.4"] in lines
    # Wilson's bounds for 0 of 819200 and 2 of 8192.
    assert error_rates(speed) == "BER 0 [0, 4.69e-06]; BLER 0.000244 [6.7e-05, 0.00089]"


def test_machine(tmp_path: Path) -> None:
    assert f"torch {torch.__version__}" in bench.machine()
    threads = torch.get_num_threads()
    assert f"{threads} thread" in bench.machine()
    (tmp_path / "cpuinfo").write_text("processor : 0\nmodel name\t: Some CPU @ 1 GHz\n")
    assert bench._processor(tmp_path / "cpuinfo") == "Some CPU @ 1 GHz"
    assert bench._processor(tmp_path / "none")


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--code", "ldpc:648"], "--code must begin with one of ieee80211n, dvbs2, nr,"),
        (["--code", "nr:1024"], "--code must be nr:K:N, got nr:1024"),
        (["--code", "ieee80211n:649:1/2"], "phy.code.n: must be 648, 1296 or 1944, got 649"),
        (["--code", "nr:x:2048"], "phy.code.k: must be a valid integer, got 'x'"),
        (["--order", "5"], "--order must be one of 2, 4, 8, 16, 32, 64, 128, 256, 1024, 4096"),
        (["--ebn0-db", "nan"], "sweep.ebn0_db.0: must be a finite number, got nan"),
    ],
)
def test_refused(
    arguments: list[str],
    line: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", ["transceiver", "bench", "link", *arguments])
    with pytest.raises(SystemExit) as left:
        cli.main()
    out, err = capsys.readouterr()
    assert (left.value.code, out) == (2, "")
    assert err.startswith(f"error: {line}"), err
    assert len(err.splitlines()) == 1


def test_command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    threads = torch.get_num_threads()
    arguments = ["bench", "link", "--blocks", "100", "--order", "16", "--ebn0-db", "20"]
    monkeypatch.setattr(sys, "argv", ["transceiver", *arguments])
    with pytest.raises(SystemExit) as left:
        cli.main()
    used = torch.get_num_threads()
    torch.set_num_threads(threads)
    assert used == 1
    assert left.value.code == 0
    lines = capsys.readouterr().out.splitlines()
    assert "1 thread, torch" in lines[0]
    assert lines[1].strip() == "ieee80211n:648:1/2, 16-qam, Eb/N0 20 dB, 100 blocks"
    found = [line.split("  ")[0].strip() for line in lines]
    assert [name for name in found if name in {*STAGES, "total"}] == [*STAGES, "total"]
    assert lines[-1].startswith("BER 0 [0, ")
