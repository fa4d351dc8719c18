"""How fast a link is, stage by stage: random bits through the blocks that a scenario builds."""

import platform
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import TypeVar

import torch
from rich import box
from rich.table import Table
from rich.text import Text
from torch import Tensor

from phy.channel import transmit
from phy.equalize import zero_forcing
from phy.fading import NoFading
from phy.ldpc.encoding import from_lanes
from phy.noise import standard_complex_normal
from phy.ragged import Ragged
from phy.scramble import descramble_llrs, gold_sequence, scramble
from phy.segment import join, segment
from transceiver.coding import Coding
from transceiver.intervals import wilson
from transceiver.link import Conditions, Link
from transceiver.scenario import Scenario
from transceiver.scenario.load import ScenarioError, parse

T = TypeVar("T")

UNIT_BLOCKS = 4096
"""Times are given for this many code blocks."""

_CODE_KEYS = {
    "ieee80211n": ("n", "rate"),
    "dvbs2": ("n", "rate"),
    "nr": ("k", "n"),
    "gallager": ("n", "column_weight", "row_weight"),
    "polar": ("k", "n"),
    "convolutional": ("k", "rate"),
    "turbo": ("k", "rate"),
}
_MODULATIONS = {
    2: "psk", 4: "qam", 8: "psk", 16: "qam", 32: "cross_qam", 64: "qam", 128: "cross_qam",
    256: "qam", 1024: "qam", 4096: "qam",
}  # fmt: skip
_CHUNK_BITS = 2**21
"""Coded bits carried at once, about: so many that the decoder rarely waits for its last block."""


@dataclass
class Laps:
    """A stopwatch: what was done since the last lap counts for the stage that it is told."""

    seconds: dict[str, float] = field(default_factory=dict)
    _last: float = field(default_factory=time.perf_counter)

    def __call__(self, stage: str, result: T) -> T:
        """End a lap, and give the stage's result on."""
        now = time.perf_counter()
        self.seconds[stage] = self.seconds.get(stage, 0.0) + now - self._last
        self._last = now
        return result


@dataclass(frozen=True)
class LinkSpeed:
    """What was measured.

    Attributes:
        seconds: Spent in each stage, in signal order.
        blocks: Code blocks carried.
        k: Information bits of a block.
        bit_errors: Wrong information bits.
        block_errors: Blocks with any.
    """

    seconds: dict[str, float]
    blocks: int
    k: int
    bit_errors: int
    block_errors: int


def link_scenario(code: str, *, order: int, ebn0_db: float, whole: bool = False) -> Scenario:
    """The scenario of a link over white noise, every other key as it is by default.

    Args:
        code: Kind and parameters of a code, such as ``ieee80211n:648:1/2``.
        order: Points of the constellation.
        ebn0_db: Nominal Eb/N0 [dB].
        whole: With CRC, interleaver and scrambler too.

    Raises:
        ScenarioError: There is no such code or constellation, in one line.

    >>> link_scenario("nr:1024:2048", order=16, ebn0_db=3).phy.code.n
    2048
    """
    kind, *values = code.split(":")
    if kind not in _CODE_KEYS:
        raise ScenarioError(f"--code must begin with one of {', '.join(_CODE_KEYS)}, got {code}")
    keys = _CODE_KEYS[kind]
    if len(values) != len(keys):
        raise ScenarioError(f"--code must be {':'.join([kind, *map(str.upper, keys)])}, got {code}")
    parameters = [int(value) if value.isdecimal() else value for value in values]
    if order not in _MODULATIONS:
        orders = ", ".join(map(str, _MODULATIONS))
        raise ScenarioError(f"--order must be one of {orders}, got {order}")
    return parse(
        {
            "name": "bench-link",
            "seed": 1,
            "codecs": {"bits": {"kind": "bits"}},
            "phy": {
                "crc": "crc24a" if whole else "none",
                "interleaver": {"kind": "permutation" if whole else "none"},
                "scrambler": {"kind": "gold", "c_init": 1} if whole else {"kind": "none"},
                "code": {"kind": kind, **dict(zip(keys, parameters, strict=True))},
                "modulation": {"kind": _MODULATIONS[order], "order": order},
                "channel": {"kind": "awgn"},
            },
            "sweep": {"ebn0_db": [ebn0_db]},
            "stop": {"block_errors": 1, "max_blocks": 1},
        }
    )


def measure_link(link: Link, conditions: Conditions, *, blocks: int, seed: int) -> LinkSpeed:
    """Carry random blocks over a coded link over white noise, a frame of many blocks at a time.

    A first chunk, which finds all kernels compiled and all memory in place, is not counted.
    """
    assert link.coding is not None
    k, n = link.coding.code.k, link.coding.code.n
    chunk = min(max(_CHUNK_BITS // n // 64, 1) * 64, blocks)
    generator = torch.Generator().manual_seed(seed)
    _carry(link, link.coding, conditions, random_bits(chunk, k, generator), generator, Laps())
    laps, bit_errors, block_errors, done = Laps(), 0, 0, 0
    for start in range(0, blocks, chunk):
        count = min(chunk, blocks - start)
        payload = laps("random bits", random_bits(count, k, generator))
        wrong = _carry(link, link.coding, conditions, payload, generator, laps)
        bit_errors += int(wrong.count_nonzero())
        block_errors += laps("count errors", int(wrong.amax(1).count_nonzero()))
        done += len(wrong)
    return LinkSpeed(laps.seconds, done, k, bit_errors, block_errors)


def _carry(
    link: Link,
    coding: Coding,
    conditions: Conditions,
    random: Tensor,
    generator: torch.Generator,
    lap: Laps,
) -> Tensor:
    """A frame through the stages of `transceiver.link`; returns its wrong bits ``[blocks, k]``."""
    assert isinstance(link.channel, NoFading)
    m, n0 = link.modulation.bits_per_symbol, conditions.noise_variance
    payload = random.reshape(-1)
    if link.crc:
        payload = payload[: max(len(payload) - link.crc.width, 0)]
    bits = Ragged(payload, (len(payload),))
    bits = lap("CRC", link.crc.attach(bits)) if link.crc else bits
    blocks = lap("segment", segment(bits, k=coding.code.k))
    coded = lap("encode", coding.code.encode(blocks.bits))
    if coding.interleaver:
        coded = lap("interleave", coding.interleaver.interleave(coded))
    on_air = Ragged(coded.reshape(-1), (coded.numel(),))
    if link.scrambler_init is not None:
        sequence = lap("Gold sequence", gold_sequence(link.scrambler_init, coded.numel()))
        on_air = lap("scramble", Ragged(scramble(on_air.values, sequence), on_air.lengths))
    symbols = lap("map", link.modulation.map(on_air.pad_to_multiple(m).values))
    gains = lap("fading", link.channel.gains(len(symbols), generator=generator))
    noise = lap("noise", standard_complex_normal(len(symbols), generator=generator))
    received = transmit(symbols, gains=gains, noise_variance=n0, noise=noise)
    lap("channel", received)
    equalized = zero_forcing(received, gains, n0)
    unbiased = lap("equalize", equalized.unbiased)
    llrs = link.modulation.demap(unbiased, equalized.noise_variance, method=link.demapper)
    soft = lap("demap", llrs[: coded.numel()])
    if link.scrambler_init is not None:
        soft = lap("descramble", descramble_llrs(soft, sequence))
    soft = soft.reshape(coded.shape)
    if coding.interleaver:
        soft = lap("deinterleave", coding.interleaver.deinterleave(soft))
    info_hat = lap("decode", coding.decoder.decode(soft)).info
    found = lap("join", join(info_hat, bits.lengths))
    if link.crc:
        lap("CRC check", link.crc.check(found))
    return info_hat ^ blocks.bits


def random_bits(blocks: int, k: int, generator: torch.Generator) -> Tensor:
    """Bits ``[blocks, k]``, 64 from each random integer."""
    lanes = torch.empty(-(-blocks // 64), k, dtype=torch.int64)
    return from_lanes(lanes.random_(-(2**63), None, generator=generator), batch=[blocks])


def link_table(speed: LinkSpeed, title: str) -> Table:
    """A line for each stage, and the sum."""
    table = Table(title=Text(title), box=box.SIMPLE_HEAD, title_justify="left", pad_edge=False)
    table.add_column("stage")
    for column in (f"ms per {UNIT_BLOCKS} blocks", "share", "Mbit/s"):
        table.add_column(column, justify="right")
    total = sum(speed.seconds.values())
    for stage, seconds in [*speed.seconds.items(), ("total", total)]:
        if stage == "total":
            table.add_section()
        table.add_row(
            stage,
            f"{1e3 * seconds * UNIT_BLOCKS / speed.blocks:.2f}",
            f"{100 * seconds / total:.1f} %",
            f"{speed.blocks * speed.k / seconds / 1e6:.1f}",
        )
    return table


def error_rates(speed: LinkSpeed) -> str:
    """BER and BLER after decoding, with 95 % intervals that take the trials as independent."""
    rates = (
        ("BER", speed.bit_errors, speed.blocks * speed.k),
        ("BLER", speed.block_errors, speed.blocks),
    )
    shown = []
    for name, errors, trials in rates:
        rate = wilson(errors, trials)
        shown.append(f"{name} {rate.value:.3g} [{rate.low:.3g}, {rate.high:.3g}]")
    return "; ".join(shown)


def machine() -> str:
    """Processor, threads and the versions that decide the speed."""
    threads = torch.get_num_threads()
    parts = [
        _processor(Path("/proc/cpuinfo")),
        f"{threads} thread{'s' if threads > 1 else ''}",
        *(f"{name} {version(name)}" for name in ("torch", "numba")),
        f"Python {platform.python_version()}",
    ]
    return ", ".join(parts)


def _processor(cpuinfo: Path) -> str:
    lines: Sequence[str] = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or platform.machine()
