"""A constellation: labelled points, and what maps bits to them and back."""

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from phy.arrays import Bits, Llrs, Symbols
from phy.demap import Method, axis_llrs, nearest_level, nearest_point, plane_llrs


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
        if bits.numel() and int(bits.max()) > 1:
            raise ValueError(f"bits must be 0 or 1, got {int(bits.max())}")
        count = bits.shape[-1] // self.bits_per_symbol
        groups = bits.reshape(*bits.shape[:-1], count, self.bits_per_symbol)
        label = torch.zeros(groups.shape[:-1], dtype=torch.int64, device=bits.device)
        for place in range(self.bits_per_symbol):
            label = 2 * label + groups[..., place]
        return self.points.to(device=bits.device, dtype=torch.complex64)[label]

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
        if not bool((variance > 0).all()):
            raise ValueError(f"noise_variance must be positive, got {noise_variance}")
        try:
            variance = variance.expand(received.shape).reshape(-1)
        except RuntimeError as error:
            raise ValueError(
                f"noise_variance must fit received {list(received.shape)}, "
                f"got {list(variance.shape)}"
            ) from error
        llrs = flat.real.new_empty(len(flat), self.bits_per_symbol)
        if self.axes is None:
            llrs[:] = plane_llrs(flat, self.points.to(flat), variance, method)
        else:
            for axis, amplitude in zip(self.axes, (flat.real, flat.imag), strict=True):
                levels = axis.levels.to(flat.real)
                found = axis_llrs(amplitude.contiguous(), levels, variance, method)
                for place, bit in enumerate(axis.bits):
                    llrs[:, bit] = found[:, place]
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
        if self.axes is None:
            label = nearest_point(flat, self.points.to(flat))
            bits[:] = self.label_bits.to(flat.device)[label]
        else:
            for axis, amplitude in zip(self.axes, (flat.real, flat.imag), strict=True):
                label = nearest_level(amplitude.contiguous(), axis.levels.to(flat.real))
                for place, bit in enumerate(reversed(axis.bits)):
                    bits[:, bit] = (label >> place) & 1
        return bits.reshape(*received.shape[:-1], received.shape[-1] * self.bits_per_symbol)


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
