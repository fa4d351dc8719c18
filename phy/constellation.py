"""A constellation: labelled points, and what maps bits to them and back."""

from dataclasses import dataclass
from functools import cached_property
from itertools import zip_longest
from typing import Any

import numpy as np
import torch
from torch import Tensor

from phy import demap_fold, demap_plane
from phy.arrays import Bits, Llrs, Symbols
from phy.demap import Method, axis_llrs, nearest_level, nearest_point, plane_llrs
from phy.host import array, on_host
from phy.jit import kernel


@dataclass(frozen=True, eq=False)
class Axis:
    """One real axis of a separable constellation: amplitude levels and the bits they carry.

    The labels of the levels from the lowest up are ``levels.argsort()``.

    Attributes:
        levels: float64 ``[2**len(bits)]``, amplitude of each axis label (MSB first).
        bits: Places of the axis label's bits within the symbol's label, 0 = MSB.
    """

    levels: Tensor
    bits: tuple[int, ...]

    def __post_init__(self) -> None:
        """Refuse a number of levels that the bits cannot label."""
        if self.levels.shape != (2 ** len(self.bits),):
            raise ValueError(
                f"levels must be [{2 ** len(self.bits)}] for {len(self.bits)} bits, "
                f"got {list(self.levels.shape)}"
            )


@dataclass(frozen=True, eq=False)
class Constellation:
    """M = 2**m labelled points of unit mean energy.

    A symbol takes m bits, MSB first: ``points[label]`` is its value. Where I and Q carry bits of
    their own (square QAM, BPSK), ``axes`` says which, and demapping works on each axis alone:
    2 sqrt(M) distances in place of M, with the same result.

    Attributes:
        name: As shown in results, such as ``16-qam``.
        points: complex128 ``[M]``, by label.
        axes: The I and the Q axis, or None where the points are not a product of two axes.

    Raises:
        ValueError: The points are no 2**m distinct values of unit mean energy, or the axes do
            not span them.

    >>> line = Constellation(name="ook", points=torch.tensor([0, 2**0.5], dtype=torch.complex128))
    >>> line.bits_per_symbol
    1
    >>> line.map(torch.tensor([1, 0], dtype=torch.uint8)).real.tolist()
    [1.4142135381698608, 0.0]
    """

    name: str
    points: Tensor
    axes: tuple[Axis, Axis] | None = None

    def __post_init__(self) -> None:
        """Refuse points that are no constellation."""
        order = len(self.points)
        if self.points.shape != (order,) or order < 2 or order & (order - 1):
            raise ValueError(
                f"points must be [M] with M = 2, 4, 8, ..., got {list(self.points.shape)}"
            )
        if self.points.dtype != torch.complex128:
            raise ValueError(f"points must be complex128, got {self.points.dtype}")
        energy = float(self.points.abs().square().mean())
        if abs(energy - 1) > 1e-9:
            raise ValueError(f"points must have unit mean energy, got {energy}")
        if len(set(self.points.tolist())) != order:
            raise ValueError(f"points must be distinct, got {self.points.tolist()}")
        if self.axes is not None and not _spans(self.axes, self.label_bits, self.points):
            raise ValueError("axes must span the points, got other values")

    @property
    def bits_per_symbol(self) -> int:
        """The number m = log2(M) of bits that a symbol takes."""
        return len(self.points).bit_length() - 1

    @cached_property
    def label_bits(self) -> Bits:
        """The label of each point, bit by bit, MSB first: ``[M, bits_per_symbol]``."""
        shifts = torch.arange(self.bits_per_symbol - 1, -1, -1)
        return ((torch.arange(len(self.points))[:, None] >> shifts) & 1).to(torch.uint8)

    def map(self, bits: Bits) -> Symbols:
        """Symbols of bits.

        Args:
            bits: uint8 ``[..., n * bits_per_symbol]``.

        Returns:
            complex64 ``[..., n]``.

        Raises:
            ValueError: Another dtype, a value above 1, or bits that fill no whole symbol.
        """
        if bits.dtype != torch.uint8:
            raise ValueError(f"bits must be uint8, got {bits.dtype}")
        if bits.dim() == 0 or bits.shape[-1] % self.bits_per_symbol:
            raise ValueError(
                f"bits must be a multiple of {self.bits_per_symbol} per row, "
                f"got shape {list(bits.shape)}"
            )
        count = bits.shape[-1] // self.bits_per_symbol
        groups = bits.reshape(*bits.shape[:-1], count, self.bits_per_symbol)
        points = self.points.to(device=bits.device, dtype=torch.complex64)
        if on_host(bits):
            symbols = torch.empty(groups.shape[:-1], dtype=torch.complex64)
            places = (0,) * self.bits_per_symbol
            good = _map(
                array(groups).reshape(-1), places, array(points), array(symbols).reshape(-1)
            )
        else:
            good = not bits.numel() or int(bits.max()) <= 1
            label = torch.zeros(groups.shape[:-1], dtype=torch.int64, device=bits.device)
            for place in range(self.bits_per_symbol):
                label = 2 * label + (groups[..., place] & 1)
            symbols = points[label]
        if not good:
            raise ValueError(f"bits must be 0 or 1, got {int(bits.max())}")
        return symbols

    def demap(
        self, received: Symbols, noise_variance: float | Tensor, *, method: Method = "exact"
    ) -> Llrs:
        """LLRs ln P(b = 0 | y) / P(b = 1 | y) of equally likely bits; positive means 0.

        Args:
            received: complex ``[..., n]``, scaled so that a noiseless symbol is its point.
            noise_variance: N0 = E|n|^2 > 0 per complex symbol: one value, or ``[..., n]``
                (after a one-tap equaliser N0 / |h|^2). Infinity gives LLR 0.
            method: ``exact`` sums over all points; ``max_log`` takes the nearest of each kind.

        Returns:
            ``[..., n * bits_per_symbol]`` float32 (float64 for complex128). Each symbol's values
            are bit-identical whatever else is in the batch.

        Raises:
            ValueError: A noise variance that is not positive or does not fit ``received``, or an
                unknown method.
        """
        if method not in ("exact", "max_log"):
            raise ValueError(f"method must be exact or max_log, got {method}")
        if not received.is_complex():
            raise ValueError(f"received must be complex, got {received.dtype}")
        flat = received.reshape(-1)
        real = flat.real.dtype
        variance = torch.as_tensor(noise_variance, dtype=real, device=flat.device)
        try:
            variance = variance.expand(received.shape).reshape(-1)
        except RuntimeError as error:
            raise ValueError(
                f"noise_variance must fit received {list(received.shape)}, "
                f"got {list(variance.shape)}"
            ) from error
        llrs = flat.real.new_empty(len(flat), self.bits_per_symbol)
        if not self._demap(flat, variance, method, llrs):
            worst = float(variance[~(variance > 0)][0])
            raise ValueError(f"noise_variance must be positive, got {worst}")
        return llrs.reshape(*received.shape[:-1], received.shape[-1] * self.bits_per_symbol)

    def decide(self, received: Symbols) -> Bits:
        """Hard decision: the label of the nearest point.

        Args:
            received: complex ``[..., n]``.

        Returns:
            uint8 ``[..., n * bits_per_symbol]``.
        """
        if not received.is_complex():
            raise ValueError(f"received must be complex, got {received.dtype}")
        flat = received.reshape(-1)
        bits = torch.empty(len(flat), self.bits_per_symbol, dtype=torch.uint8, device=flat.device)
        if self._folding and on_host(flat) and flat.dtype == torch.complex64:
            llrs = flat.real.new_empty(bits.shape)
            self._demap(flat, flat.real.new_ones(len(flat)), "max_log", llrs)
            bits = (llrs < 0).view(torch.uint8)  # no noise variance changes the signs
        elif self.axes is None:
            label = nearest_point(flat, self.points.to(flat))
            bits[:] = self.label_bits.to(flat.device)[label]
        else:
            for axis, amplitude in zip(self.axes, (flat.real, flat.imag), strict=True):
                label = nearest_level(amplitude.contiguous(), axis.levels.to(flat.real))
                for place, bit in enumerate(reversed(axis.bits)):
                    bits[:, bit] = (label >> place) & 1
        return bits.reshape(*received.shape[:-1], received.shape[-1] * self.bits_per_symbol)

    def _demap(self, flat: Symbols, variance: Tensor, method: Method, llrs: Llrs) -> bool:
        """Write LLRs ``[n, bits_per_symbol]``; returns whether all noise variances are above 0."""
        if flat.dtype == torch.complex64 and on_host(flat, variance):
            y, n0, found = array(flat), array(variance), array(llrs).reshape(-1)
            exact = (0,) if method == "exact" else ()
            if self._folding:
                d, labels, split = self._folding
                return demap_fold.demap(y, n0, d, labels, split, exact, found)
            if len(self.points) <= demap_plane.MOST_POINTS:
                points = array(torch.view_as_real(self.points).flatten().to(torch.float32))
                return demap_plane.demap(y, n0, tuple(points), exact, found)
        if not bool((variance > 0).all()):
            return False
        if self.axes is None:
            llrs[:] = plane_llrs(flat, self.points.to(flat), variance, method)
        else:
            for axis, amplitude in zip(self.axes, (flat.real, flat.imag), strict=True):
                levels = axis.levels.to(flat.real)
                marginals = axis_llrs(amplitude.contiguous(), levels, variance, method)
                for place, bit in enumerate(axis.bits):
                    llrs[:, bit] = marginals[:, place]
        return True

    @cached_property
    def _folding(self) -> tuple[Any, ...] | None:
        """What `demap_fold.demap` has to know of a constellation that it can demap."""
        if self.axes is None:
            return None
        on_i, on_q = (axis.bits for axis in self.axes)
        steps = {demap_fold.level_step(axis.levels) for axis in self.axes if axis.bits}
        in_turn = [bit for pair in zip_longest(on_i, on_q) for bit in pair if bit is not None]
        orders = [in_turn, [*on_i, *on_q]]
        places = list(range(self.bits_per_symbol))
        if None in steps or len(steps) > 1 or places not in orders:
            return None
        labels = ((0,) * len(on_i), (0,) * len(on_q))
        return np.float32(steps.pop()), labels, (0,) * orders.index(places)


@kernel
def _map(bits: Any, places: tuple[int, ...], points: Any, symbols: Any) -> bool:
    """Write the symbols ``[n]`` of bits ``[n * len(places)]``; returns whether all are 0 or 1."""
    seen = np.uint8(0)
    for s in range(len(symbols)):
        label = 0
        for place in range(len(places)):
            bit = bits[len(places) * s + place]
            seen |= bit
            label = 2 * label + bit
        symbols[s] = points[label & (len(points) - 1)]
    return bool(seen < 2)


def _spans(axes: tuple[Axis, Axis], label_bits: Tensor, points: Tensor) -> bool:
    """Whether every point is the pair of levels that its label selects, each bit used once."""
    if sorted(axes[0].bits + axes[1].bits) != list(range(label_bits.shape[1])):
        return False
    parts = []
    for axis in axes:
        label = torch.zeros(len(points), dtype=torch.int64)
        for bit in axis.bits:
            label = 2 * label + label_bits[:, bit]
        parts.append(axis.levels[label])
    return torch.allclose(torch.complex(parts[0], parts[1]), points, rtol=0, atol=1e-12)
