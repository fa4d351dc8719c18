"""One-tap equalisers for flat fading with the gain known exactly."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from phy.arrays import Symbols
from phy.channel import complex_product
from phy.host import array, on_host
from phy.jit import kernel

_ZERO, _ONE = np.float32(0), np.float32(1)
_TINY = np.finfo(np.float32).tiny


@dataclass(frozen=True, eq=False)
class Equalized:
    """Equalised symbols: bias * x + noise.

    Attributes:
        symbols: complex ``[..., n]``; 0 where the gain is 0.
        bias: Real ``[..., n]``, the factor on the sent symbol.
        noise_variance: Real ``[..., n]``, E|noise|^2 after division by the bias: N0 / |h|^2,
            infinite where the gain is 0.
    """

    symbols: Symbols
    bias: Tensor
    noise_variance: Tensor

    @property
    def unbiased(self) -> Symbols:
        """What to demap with ``noise_variance``: symbols / bias, 0 where the bias is 0."""
        if on_host(self.symbols, self.bias) and self.symbols.dtype == torch.complex64:
            unbiased = torch.empty(self.symbols.shape, dtype=torch.complex64)
            _divide(*(array(x).reshape(-1) for x in (self.symbols, self.bias, unbiased)))
            return unbiased
        bias = _normal_or_zero(self.bias)
        inverse = torch.where(bias > 0, 1 / bias, 0)
        return torch.complex(self.symbols.real * inverse, self.symbols.imag * inverse)


def zero_forcing(received: Symbols, gains: Tensor, noise_variance: float | Tensor) -> Equalized:
    """Divide by the gain: conj(h) y / |h|^2. The bias is 1.

    The symbols' noise variance differs from symbol to symbol, N0 / |h|^2: a demapper that takes
    N0 instead loses about 4 dB under Rayleigh fading.

    Args:
        received: y = h x + noise, complex ``[..., n]``.
        gains: h, complex ``[..., n]``.
        noise_variance: N0 > 0 per complex symbol: one value, or real ``[..., n]``.

    Raises:
        ValueError: Shapes that differ, or a noise variance that is not positive.

    >>> out = zero_forcing(torch.tensor([2j, 1 + 0j]), torch.tensor([2j, 0j]), 0.1)
    >>> out.symbols.tolist(), out.noise_variance
    ([(1+0j), 0j], tensor([0.0250,    inf]))
    """
    return _one_tap(received, gains, noise_variance, least_error=False)


def mmse(received: Symbols, gains: Tensor, noise_variance: float | Tensor) -> Equalized:
    """Least mean squared error for unit mean energy: conj(h) y / (|h|^2 + N0).

    The result is biased towards 0, by |h|^2 / (|h|^2 + N0). With one tap, removing the bias
    gives zero forcing again, symbols and noise variance: LLRs and decisions of the two are the
    same, and only the symbols seen before the removal differ.

    Args:
        received: y = h x + noise, complex ``[..., n]``.
        gains: h, complex ``[..., n]``.
        noise_variance: N0 > 0 per complex symbol: one value, or real ``[..., n]``.

    Raises:
        ValueError: Shapes that differ, or a noise variance that is not positive.

    >>> out = mmse(torch.tensor([2j]), torch.tensor([2j]), 1.0)
    >>> out.symbols, out.bias, out.noise_variance, out.unbiased
    (tensor([0.8000+0.j]), tensor([0.8000]), tensor([0.2500]), tensor([1.+0.j]))
    """
    return _one_tap(received, gains, noise_variance, least_error=True)


def _one_tap(
    received: Symbols, gains: Tensor, noise_variance: float | Tensor, *, least_error: bool
) -> Equalized:
    """conj(h) y / (|h|^2 + N0), or without the N0."""
    if gains.shape != received.shape:
        raise ValueError(
            f"gains must be shaped as received {list(received.shape)}, got {list(gains.shape)}"
        )
    variance = torch.as_tensor(noise_variance, dtype=received.real.dtype, device=received.device)
    if not bool((variance > 0).all()):
        raise ValueError(f"noise_variance must be positive, got {noise_variance}")
    single = received.dtype == gains.dtype == torch.complex64 and not variance.dim()
    if single and on_host(received, gains):
        return _one_tap_kernel(received, gains, variance, least_error=least_error)
    power = _normal_or_zero(gains.real * gains.real + gains.imag * gains.imag)
    inverse = torch.where(power > 0, 1 / (power + variance if least_error else power), 0)
    matched = complex_product(gains.conj(), received)
    return Equalized(
        symbols=torch.complex(matched.real * inverse, matched.imag * inverse),
        bias=power * inverse if least_error else torch.ones_like(power),
        noise_variance=variance / power,
    )


def _one_tap_kernel(
    received: Symbols, gains: Tensor, variance: Tensor, *, least_error: bool
) -> Equalized:
    symbols = torch.empty(received.shape, dtype=torch.complex64)
    bias, noise_variance = torch.empty(received.shape), torch.empty(received.shape)
    y, h, x, b, v = (array(t).reshape(-1) for t in (received, gains, symbols, bias, noise_variance))
    _equalize(y, h, x, b, v, array(variance.reshape(1)), least_error)
    return Equalized(symbols, bias, noise_variance)


@kernel
def _equalize(
    y: Any, h: Any, symbols: Any, bias: Any, noise_variance: Any, N0: Any, least_error: bool
) -> None:
    """The same arithmetic, in one pass over the memory; N0 is ``[1]``, the others ``[n]``."""
    variance = N0[0]
    added = variance if least_error else _ZERO
    for i in range(len(y)):
        a, b = h[i], y[i]
        power = a.real * a.real + a.imag * a.imag
        power = power if power >= _TINY else _ZERO
        inverse = _ONE / (power + added) if power > _ZERO else _ZERO
        real = (a.real * b.real + a.imag * b.imag) * inverse
        symbols[i] = complex(real, (a.real * b.imag - a.imag * b.real) * inverse)
        bias[i] = power * inverse if least_error else _ONE
        noise_variance[i] = variance / power


@kernel
def _divide(symbols: Any, bias: Any, quotients: Any) -> None:
    """Symbols / bias, 0 where the bias is (nearly) 0, in one pass over the memory."""
    for i in range(len(symbols)):
        inverse = _ONE / bias[i] if bias[i] >= _TINY else _ZERO
        quotients[i] = complex(symbols[i].real * inverse, symbols[i].imag * inverse)


def _normal_or_zero(values: Tensor) -> Tensor:
    """Zero for what is too small (1e-38 in float32) to have a finite inverse."""
    return torch.where(values >= torch.finfo(values.dtype).tiny, values, 0)
