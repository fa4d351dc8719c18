"""One-tap equalisers for flat fading with the gain known exactly."""

from dataclasses import dataclass

import torch
from torch import Tensor

from phy.arrays import Symbols
from phy.channel import complex_product


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
    power, variance = _checked(received, gains, noise_variance)
    return Equalized(
        symbols=_matched(received, gains, torch.where(power > 0, 1 / power, 0)),
        bias=torch.ones_like(power),
        noise_variance=variance / power,
    )


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
    power, variance = _checked(received, gains, noise_variance)
    inverse = torch.where(power > 0, 1 / (power + variance), 0)
    return Equalized(
        symbols=_matched(received, gains, inverse),
        bias=power * inverse,
        noise_variance=variance / power,
    )


def _checked(
    received: Symbols, gains: Tensor, noise_variance: float | Tensor
) -> tuple[Tensor, Tensor]:
    """|h|^2 and N0, both real ``[..., n]``."""
    if gains.shape != received.shape:
        raise ValueError(
            f"gains must be shaped as received {list(received.shape)}, got {list(gains.shape)}"
        )
    variance = torch.as_tensor(
        noise_variance, dtype=received.real.dtype, device=received.device
    ).expand(received.shape)
    if not bool((variance > 0).all()):
        raise ValueError(f"noise_variance must be positive, got {noise_variance}")
    power = gains.real * gains.real + gains.imag * gains.imag
    return _normal_or_zero(power), variance


def _normal_or_zero(values: Tensor) -> Tensor:
    """Zero for what is too small (1e-38 in float32) to have a finite inverse."""
    return torch.where(values >= torch.finfo(values.dtype).tiny, values, 0)


def _matched(received: Symbols, gains: Tensor, scale: Tensor) -> Symbols:
    """conj(h) y, scaled."""
    matched = complex_product(gains.conj(), received)
    return torch.complex(matched.real * scale, matched.imag * scale)
