"""What happens to symbols and bits on the way; all randomness is drawn by the caller."""

from typing import Any

import torch
from torch import Tensor

from phy.arrays import Bits, Llrs, Symbols
from phy.host import array, on_host
from phy.jit import kernel

_LEAST_PROBABILITY = 1e-30


def transmit(
    symbols: Symbols, *, gains: Tensor, noise_variance: float | Tensor, noise: Tensor
) -> Symbols:
    """Flat fading and additive noise: y = h x + sqrt(N0) n.

    The channel measures and normalises nothing.

    Args:
        symbols: x, complex ``[..., n]``.
        gains: h, complex ``[..., n]``; ones without fading (`phy.fading`).
        noise_variance: N0 >= 0 per complex symbol: one value, or real ``[..., n]``.
        noise: n ~ CN(0, 1), complex ``[..., n]`` (`phy.noise`).

    Returns:
        y, complex ``[..., n]``.

    Raises:
        ValueError: Shapes that differ, or a negative noise variance.

    >>> x, h, n = (torch.tensor([value]) for value in (1 + 1j, 2j, 1 + 0j))
    >>> transmit(x, gains=h, noise_variance=0.25, noise=n)
    tensor([-1.5000+2.j])
    """
    for name, other in (("gains", gains), ("noise", noise)):
        if other.shape != symbols.shape:
            raise ValueError(
                f"{name} must be shaped as symbols {list(symbols.shape)}, got {list(other.shape)}"
            )
    variance = torch.as_tensor(noise_variance, dtype=noise.real.dtype, device=noise.device)
    if not bool((variance >= 0).all()):
        raise ValueError(f"noise_variance must be at least 0, got {noise_variance}")
    signals = (symbols, gains, noise)
    if variance.dim() or not on_host(*signals) or any(x.dtype != torch.complex64 for x in signals):
        return complex_product(gains, symbols) + noise * variance.sqrt()
    received = torch.empty(symbols.shape, dtype=torch.complex64)
    x, h, n, y = (array(signal).reshape(-1) for signal in (*signals, received))
    _transmit(x, h, n, array(variance.sqrt().reshape(1)), y)
    return received


@kernel
def _transmit(x: Any, h: Any, n: Any, deviation: Any, y: Any) -> None:
    """The same sums and products, in one pass over the memory; deviation is ``[1]``."""
    scale = deviation[0]
    for i in range(len(x)):
        a, b = h[i], x[i]
        real = a.real * b.real - a.imag * b.imag
        imag = a.real * b.imag + a.imag * b.real
        y[i] = complex(real + n[i].real * scale, imag + n[i].imag * scale)


def complex_product(a: Tensor, b: Tensor) -> Tensor:
    """The product a b, rounded alike at every place of a tensor.

    torch's own complex product may differ in the last bit between the body and the tail of a
    tensor (fused multiply-add in one of them only).

    >>> complex_product(torch.tensor([1 + 2j]), torch.tensor([3 + 4j]))
    tensor([-5.+10.j])
    """
    real = a.real * b.real - a.imag * b.imag
    imag = a.real * b.imag + a.imag * b.real
    return torch.complex(real, imag)


def bsc(bits: Bits, *, flip_probability: float | Tensor, uniforms: Tensor) -> Bits:
    """Binary symmetric channel: a bit flips where its uniform draw is below the probability.

    Args:
        bits: uint8 ``[...]``.
        flip_probability: In [0, 1]: one value, or ``[...]`` (one per bit).
        uniforms: Uniform on [0, 1), ``[...]``.

    Returns:
        uint8 ``[...]``.

    Raises:
        ValueError: Shapes that differ, or a probability outside [0, 1].

    >>> bits = torch.tensor([0, 0, 1], dtype=torch.uint8)
    >>> bsc(bits, flip_probability=0.25, uniforms=torch.tensor([0.2, 0.3, 0.1])).tolist()
    [1, 0, 0]
    """
    if uniforms.shape != bits.shape:
        raise ValueError(
            f"uniforms must be shaped as bits {list(bits.shape)}, got {list(uniforms.shape)}"
        )
    return bits ^ (uniforms < _probability(flip_probability, uniforms)).view(torch.uint8)


def bsc_llrs(bits: Bits, *, flip_probability: float | Tensor) -> Llrs:
    """LLRs of bits behind a binary symmetric channel: (1 - 2 b) ln((1 - p) / p).

    Args:
        bits: Received bits, uint8 ``[...]``.
        flip_probability: p in [0, 1]: one value, or ``[...]``. A certain bit (p = 0 or 1) gets
            the LLR of an error probability of 1e-30, that is +-69, not infinity.

    Returns:
        float32 ``[...]``, positive = 0.

    Raises:
        ValueError: A probability outside [0, 1].

    >>> bsc_llrs(torch.tensor([0, 1], dtype=torch.uint8), flip_probability=0.1)
    tensor([ 2.1972, -2.1972])
    """
    p = _probability(flip_probability, torch.empty(0, dtype=torch.float64, device=bits.device))
    flipped = p.clamp(min=_LEAST_PROBABILITY).log()
    kept = (1 - p).clamp(min=_LEAST_PROBABILITY).log()
    of_zero = (kept - flipped).to(torch.float32)
    if of_zero.dim() or bits.dtype != torch.uint8 or not on_host(bits):
        return of_zero * (1 - 2 * bits.to(torch.float32))
    llrs = torch.empty(bits.shape)
    _bsc_llrs(array(bits).reshape(-1), array(of_zero.reshape(1)), array(llrs).reshape(-1))
    return llrs


@kernel
def _bsc_llrs(bits: Any, of_zero: Any, llrs: Any) -> None:
    """The LLR of a zero, ``[1]``, with the sign of each bit."""
    value = of_zero[0]
    for i in range(len(bits)):
        llrs[i] = -value if bits[i] else value


def _probability(flip_probability: float | Tensor, like: Tensor) -> Tensor:
    """The probability as a checked tensor with the type and device of ``like``."""
    p = torch.as_tensor(flip_probability, dtype=like.dtype, device=like.device)
    if not bool(((p >= 0) & (p <= 1)).all()):
        raise ValueError(f"flip_probability must be in [0, 1], got {flip_probability}")
    return p
