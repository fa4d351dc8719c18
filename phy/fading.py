"""Flat fading: the complex gain h that multiplies each symbol, E|h|^2 = 1.

``span`` is the number of consecutive symbols that share a gain: 1 fades every symbol on its own,
None gives all symbols of a draw (one image) the same gain. A part of a span at the end is cut.
As in `phy.noise`, the first n gains of a longer draw are the draw of n.
"""

from dataclasses import dataclass
from math import sqrt
from typing import TypeAlias

import torch
from torch import Tensor

from phy.noise import standard_complex_normal


@dataclass(frozen=True)
class NoFading:
    """h = 1: the additive white Gaussian noise channel."""

    def gains(self, count: int, *, generator: torch.Generator) -> Tensor:
        """Ones, complex64 ``[count]``; the generator is left as it is.

        >>> NoFading().gains(2, generator=torch.Generator())
        tensor([1.+0.j, 1.+0.j])
        """
        _check_count(count)
        return torch.ones(count, dtype=torch.complex64, device=generator.device)


@dataclass(frozen=True)
class Rayleigh:
    """h ~ CN(0, 1): many paths, none of them dominant.

    Attributes:
        span: Symbols per gain, >= 1; None = all.
    """

    span: int | None

    def __post_init__(self) -> None:
        """Refuse a span without symbols."""
        _check_span(self.span)

    def gains(self, count: int, *, generator: torch.Generator) -> Tensor:
        """Gains, complex64 ``[count]``, on the CPU.

        >>> h = Rayleigh(span=2).gains(5, generator=torch.Generator().manual_seed(0))
        >>> [bool(h[0] == h[1]), bool(h[1] == h[2]), len(h)]
        [True, False, 5]
        """
        return _spread(count, self.span, generator)


@dataclass(frozen=True)
class Rician:
    """h ~ CN(sqrt(r / (r + 1)), 1 / (r + 1)): a line of sight of phase 0, and scatter.

    Source: VQ-DeepSC, channel model (r = 1 there); r = 0 is Rayleigh fading.

    Attributes:
        k_factor: r >= 0, power of the line of sight over that of the scatter; linear.
        span: Symbols per gain, >= 1; None = all.
    """

    k_factor: float
    span: int | None

    def __post_init__(self) -> None:
        """Refuse a negative or infinite factor and a span without symbols."""
        if not 0 <= self.k_factor < float("inf"):
            raise ValueError(f"k_factor must be finite and at least 0, got {self.k_factor}")
        _check_span(self.span)

    def gains(self, count: int, *, generator: torch.Generator) -> Tensor:
        """Gains, complex64 ``[count]``, on the CPU.

        >>> h = Rician(k_factor=1e6, span=1).gains(2, generator=torch.Generator().manual_seed(0))
        >>> h.abs().sub(1).abs().max().item() < 0.01
        True
        """
        scatter = _spread(count, self.span, generator) * sqrt(1 / (self.k_factor + 1))
        return scatter + sqrt(self.k_factor / (self.k_factor + 1))


Fading: TypeAlias = NoFading | Rayleigh | Rician


def _check_span(span: int | None) -> None:
    if span is not None and span < 1:
        raise ValueError(f"span must be at least 1 or None, got {span}")


def _check_count(count: int) -> None:
    if count < 0:
        raise ValueError(f"count must be at least 0, got {count}")


def _spread(count: int, span: int | None, generator: torch.Generator) -> Tensor:
    """CN(0, 1) values, each repeated ``span`` times: ``[count]``."""
    _check_count(count)
    if span is None:
        return standard_complex_normal(1, generator=generator).repeat(count)
    blocks = standard_complex_normal(-(-count // span), generator=generator)
    return blocks.repeat_interleave(span)[:count]
