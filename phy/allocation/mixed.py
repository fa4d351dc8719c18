"""Symbols of different modulation orders and powers, in one sequence."""

import torch
from torch import Tensor

from phy.arrays import Bits, Llrs, Symbols
from phy.demap import Method
from phy.qam import SQUARE_ORDERS, qam

_ORDERS = tuple(order.bit_length() - 1 for order in SQUARE_ORDERS)


def map_mixed(bits: Bits, bits_per_symbol: Tensor, power: Tensor) -> Symbols:
    """Symbols sqrt(p_t) s_t, s_t a point of the unit energy square QAM of m_t bits.

    One after the other; sequences of many images may be laid end to end.

    Args:
        bits: uint8 ``[sum m_t]``, in the order of transmission.
        bits_per_symbol: m_t, int64 ``[T]``, even.
        power: p_t = E|x_t|^2 >= 0, real ``[T]``.

    Returns:
        complex64 ``[T]``.

    Raises:
        ValueError: Lengths that do not match, an odd order or a negative power.

    >>> bits = torch.tensor([0, 0, 1, 0, 1, 1], dtype=torch.uint8)
    >>> map_mixed(bits, torch.tensor([2, 4]), torch.tensor([2.0, 10.0])).real
    tensor([ 1.0000, -3.0000])
    """
    _check(bits_per_symbol, power)
    if bits.dim() != 1 or len(bits) != int(bits_per_symbol.sum()):
        raise ValueError(
            f"bits must be [{int(bits_per_symbol.sum())}], the sum of bits_per_symbol, "
            f"got {list(bits.shape)}"
        )
    symbols = torch.empty(len(power), dtype=torch.complex64, device=bits.device)
    for m, members, places in _by_order(bits_per_symbol):
        symbols[members] = qam(2**m).map(bits[places].reshape(-1))
    return symbols * power.to(symbols.device).sqrt().to(torch.float32)


def demap_mixed(
    equalized: Symbols,
    noise_variance: float | Tensor,
    bits_per_symbol: Tensor,
    power: Tensor,
    *,
    method: Method = "exact",
) -> Llrs:
    """LLRs of the bits, in the order of transmission; 0 for a symbol without power.

    Args:
        equalized: y / h, complex ``[T]``: the symbols of `map_mixed` and noise.
        noise_variance: N0 / |h|^2 > 0 of the noise in them: one value, or ``[T]``. It is compared
            with the power here: do not divide it before.
        bits_per_symbol: m_t, int64 ``[T]``, even.
        power: p_t >= 0, real ``[T]``.
        method: As of `Constellation.demap`.

    Returns:
        ``[sum m_t]`` float32 (float64 for complex128).

    Raises:
        ValueError: As `map_mixed`, or a noise variance that is not positive.

    >>> y, power = torch.tensor([2.0 + 2j, 5j]), torch.tensor([2.0, 0.0])
    >>> demap_mixed(y, 0.5, torch.tensor([2, 2]), power).round()  # 4 y sqrt(p / 2) / N0
    tensor([16., 16.,  0.,  0.])
    """
    _check(bits_per_symbol, power)
    if not equalized.is_complex() or equalized.shape != power.shape:
        raise ValueError(
            f"equalized must be complex {list(power.shape)}, "
            f"got {equalized.dtype} {list(equalized.shape)}"
        )
    real = equalized.real.dtype
    variance = torch.as_tensor(noise_variance, dtype=torch.float64, device=equalized.device)
    if variance.dim() > 1 or (variance.dim() and variance.shape != power.shape):
        raise ValueError(
            f"noise_variance must be one value or {list(power.shape)}, got {list(variance.shape)}"
        )
    if not bool((variance > 0).all()):
        raise ValueError(f"noise_variance must be positive, got {float(variance.min())}")
    strength = power.to(equalized.device, torch.float64)
    relative = (variance / strength).to(real)  # infinite without power
    heard = relative.isfinite()
    scale = torch.where(heard, strength, 1).rsqrt().to(real) * heard
    unit = equalized * scale
    llrs = torch.empty(int(bits_per_symbol.sum()), dtype=real, device=equalized.device)
    for m, members, places in _by_order(bits_per_symbol):
        found = qam(2**m).demap(unit[members], relative[members], method=method)
        llrs[places] = found.reshape(-1, m)
    return llrs


def _check(bits_per_symbol: Tensor, power: Tensor) -> None:
    if bits_per_symbol.dim() != 1 or bits_per_symbol.dtype != torch.int64:
        raise ValueError(
            f"bits_per_symbol must be int64 [T], "
            f"got {bits_per_symbol.dtype} {list(bits_per_symbol.shape)}"
        )
    known = torch.isin(bits_per_symbol, torch.tensor(_ORDERS, device=bits_per_symbol.device))
    if not bool(known.all()):
        raise ValueError(
            f"bits_per_symbol must be of {_ORDERS}, got {int(bits_per_symbol[~known][0])}"
        )
    if power.shape != bits_per_symbol.shape:
        raise ValueError(
            f"power must be [{len(bits_per_symbol)}] as bits_per_symbol, got {list(power.shape)}"
        )
    if not bool((power >= 0).all()):
        raise ValueError(f"power must be >= 0, got {float(power.min())}")


def _by_order(bits_per_symbol: Tensor) -> list[tuple[int, Tensor, Tensor]]:
    """Of each order m: m, its symbols ``[n]``, and the places of their bits ``[n, m]``."""
    first = bits_per_symbol.cumsum(0) - bits_per_symbol
    found = []
    for m in _ORDERS:
        members = (bits_per_symbol == m).nonzero()[:, 0]
        bit = torch.arange(m, device=first.device)
        found.append((m, members, first[members][:, None] + bit))
    return found
