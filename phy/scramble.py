"""Additive scrambling with the Gold sequence of 3GPP TS 38.211 clause 5.2.1."""

from typing import Any

import torch
from torch import Tensor

from phy.arrays import Bits, Llrs
from phy.host import array, on_host
from phy.jit import kernel

_SKIP = 1600  # N_C


def gold_sequence(c_init: int, length: int) -> Bits:
    """The pseudo-random sequence c(n), n = 0 .. length-1, of TS 38.211 clause 5.2.1.

    c(n) = x1(n + 1600) + x2(n + 1600) mod 2 with
    x1(n + 31) = x1(n + 3) + x1(n), started with 1, 0, 0, ..., and
    x2(n + 31) = x2(n + 3) + x2(n + 2) + x2(n + 1) + x2(n), started with the bits of ``c_init``,
    least significant first.

    Args:
        c_init: Start of the second register, in ``[0, 2**31)``.
        length: Bits wanted, at least 0.

    >>> gold_sequence(0, 8).tolist()
    [0, 0, 0, 0, 0, 0, 1, 0]
    """
    if not 0 <= c_init < 1 << 31:
        raise ValueError(f"c_init must be in [0, 2**31), got {c_init}")
    if length < 0:
        raise ValueError(f"length must be at least 0, got {length}")
    x1 = _run([1] + [0] * 30, taps=(0, 3), length=length + _SKIP)
    x2 = _run([c_init >> i & 1 for i in range(31)], taps=(0, 1, 2, 3), length=length + _SKIP)
    return (x1 ^ x2)[_SKIP:]


def scramble(bits: Bits, sequence: Bits) -> Bits:
    """Add a sequence ``[n]`` to bits ``[..., n]``; twice gives the bits again.

    >>> one = torch.ones(2, dtype=torch.uint8)
    >>> scramble(one, torch.tensor([0, 1], dtype=torch.uint8)).tolist()
    [1, 0]
    """
    _check_lengths(bits, sequence)
    return bits ^ sequence.to(bits.device)


def descramble_llrs(llrs: Llrs, sequence: Bits) -> Llrs:
    """Undo `scramble` on LLRs ``[..., n]``: the sign flips where the sequence ``[n]`` is 1.

    >>> descramble_llrs(torch.tensor([3.0, 3.0]), torch.tensor([0, 1], dtype=torch.uint8)).tolist()
    [3.0, -3.0]
    """
    _check_lengths(llrs, sequence)
    known = llrs.dtype in (torch.float32, torch.float64)
    if not known or not on_host(llrs, sequence) or not llrs.numel():
        return torch.where(sequence.to(llrs.device).bool(), -llrs, llrs)
    descrambled = torch.empty(llrs.shape, dtype=llrs.dtype)
    blocks, target = (array(x).reshape(-1, len(sequence)) for x in (llrs, descrambled))
    _flip_signs(blocks, target, array(sequence))
    return descrambled


@kernel
def _flip_signs(llrs: Any, flipped: Any, sequence: Any) -> None:
    for b in range(len(llrs)):
        block, target = llrs[b], flipped[b]
        for i in range(len(sequence)):
            target[i] = -block[i] if sequence[i] else block[i]


def _run(start: list[int], *, taps: tuple[int, ...], length: int) -> Bits:
    """Run x(n + 31) = sum of x(n + t) over the taps, t <= 3, for at least 31 bits.

    A polynomial over GF(2) squared has its exponents doubled, so the recurrence also holds with all
    distances multiplied by s = 2^j. With 31 s bits known it gives 28 s more at once.
    """
    x = torch.empty(max(length, 31), dtype=torch.uint8)
    x[:31] = torch.tensor(start, dtype=torch.uint8)
    known, s = 31, 1
    while known < len(x):
        while 62 * s <= known:
            s *= 2
        count = min(28 * s, len(x) - known)
        first = known - 31 * s
        new = x[first : first + count].clone()
        for tap in taps[1:]:
            new ^= x[first + tap * s : first + tap * s + count]
        x[known : known + count] = new
        known += count
    return x[:length]


def _check_lengths(x: Tensor, sequence: Bits) -> None:
    if x.shape[-1:] != sequence.shape:
        raise ValueError(
            f"sequence must have the shape [{x.shape[-1]}] of one block, got {list(sequence.shape)}"
        )
