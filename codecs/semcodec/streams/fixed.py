"""Fixed-length indices: natural binary numerals, or Gray labels.

Most significant bit first. Under natural labelling index p is sent as the binary numeral of p,
under Gray labelling as that of p ^ (p >> 1), the reflected Gray code (F. Gray, US patent 2632058,
1953), so that the indices p and p + 1 differ in one bit.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import torch
from torch import Tensor

from semcodec.codec import Indices
from semcodec.streams.contract import (
    MOST_BITS_PER_INDEX,
    Unstreamed,
    host_bits,
    host_indices,
)

Labelling: TypeAlias = Literal["natural", "gray"]


def bits_per_index(codebook_size: int) -> int:
    """log2 of a codebook size.

    >>> bits_per_index(512)
    9
    """
    width = codebook_size.bit_length() - 1
    if not 1 <= width <= MOST_BITS_PER_INDEX or codebook_size != 1 << width:
        raise ValueError(
            f"codebook_size must be a power of two from 2 to {1 << MOST_BITS_PER_INDEX}, "
            f"got {codebook_size}"
        )
    return width


def index_labels(codebook_size: int, *, labelling: Labelling) -> Tensor:
    """The bit label of each index as a number, int64 ``[codebook_size]``.

    >>> index_labels(4, labelling="gray").tolist()
    [0, 1, 3, 2]
    """
    bits_per_index(codebook_size)
    _check_labelling(labelling)
    positions = torch.arange(codebook_size)
    return positions ^ (positions >> 1) if labelling == "gray" else positions


def binarize(indices: Indices, *, bits_per_index: int, labelling: Labelling) -> Tensor:
    """Write each index as ``bits_per_index`` bits.

    Args:
        indices: ``[..., n]``, any integer type, each in ``[0, 2**bits_per_index)``.
        bits_per_index: 1 to 16.
        labelling: ``natural`` or ``gray``.

    Returns:
        Bits, uint8 ``[..., n * bits_per_index]``.

    >>> binarize(torch.tensor([2, 3]), bits_per_index=3, labelling="gray").tolist()
    [0, 1, 1, 0, 1, 0]
    """
    _check(bits_per_index, labelling)
    if indices.is_floating_point() or indices.is_complex() or indices.dtype == torch.bool:
        raise ValueError(f"indices must be integers, got {indices.dtype}")
    labels = indices.to(torch.int64)
    if bool(((labels < 0) | (labels >= 1 << bits_per_index)).any()):
        raise ValueError(
            f"indices must be in [0, {1 << bits_per_index}), "
            f"got {int(labels.min())} to {int(labels.max())}"
        )
    if labelling == "gray":
        labels = labels ^ (labels >> 1)
    shifts = torch.arange(bits_per_index - 1, -1, -1, device=labels.device)
    return ((labels[..., None] >> shifts) & 1).to(torch.uint8).flatten(-2)


def debinarize(bits: Tensor, *, bits_per_index: int, labelling: Labelling) -> Indices:
    """Read indices from bits: the inverse of `binarize`. Any bits are indices.

    Args:
        bits: uint8 ``[..., n * bits_per_index]``.
        bits_per_index: 1 to 16.
        labelling: ``natural`` or ``gray``.

    Returns:
        int64 ``[..., n]``.

    >>> bits = torch.tensor([0, 1, 1, 0, 1, 0], dtype=torch.uint8)
    >>> debinarize(bits, bits_per_index=3, labelling="gray").tolist()
    [2, 3]
    """
    _check(bits_per_index, labelling)
    if bits.shape[-1] % bits_per_index:
        raise ValueError(
            f"bits must be a multiple of bits_per_index {bits_per_index}, got {bits.shape[-1]} bits"
        )
    count = bits.shape[-1] // bits_per_index
    groups = bits.to(torch.int64).reshape(*bits.shape[:-1], count, bits_per_index)
    if labelling == "gray":  # bit j of p is the parity of the bits of its label down to j
        groups = groups.cumsum(-1) & 1
    weights = 1 << torch.arange(bits_per_index - 1, -1, -1, device=bits.device)
    return (groups * weights).sum(-1)


@dataclass(frozen=True)
class FixedStream:
    """Every index in the same number of bits: an error stays where it is.

    >>> stream = FixedStream(bits_per_index=3, labelling="natural")
    >>> bits = stream.encode(torch.tensor([5, 2]), columns=1)
    >>> stream.decode(bits, rows=2, columns=1).indices.tolist()
    [5, 2]
    """

    bits_per_index: int
    labelling: Labelling

    def __post_init__(self) -> None:
        """Refuse widths and labellings that there are not."""
        _check(self.bits_per_index, self.labelling)

    @property
    def mean_bits(self) -> float:
        """``bits_per_index``."""
        return float(self.bits_per_index)

    def encode(self, indices: Indices, *, columns: int) -> Tensor:
        """Bits, uint8 ``[n * bits_per_index]``, of indices ``[n]``."""
        host_indices(indices, codebook_size=1 << self.bits_per_index, columns=columns)
        return binarize(indices, bits_per_index=self.bits_per_index, labelling=self.labelling)

    def decode(self, bits: Tensor, *, rows: int, columns: int) -> Unstreamed:
        """Indices ``[rows * columns]``: as many bits as were sent are needed, and all are used.

        Raises:
            ValueError: There are fewer or more bits.
        """
        host_bits(bits, rows=rows, columns=columns)
        expected = rows * columns * self.bits_per_index
        if len(bits) != expected:
            raise ValueError(
                f"bits must be [{expected}] for {rows} x {columns} indices, got [{len(bits)}]"
            )
        indices = debinarize(bits, bits_per_index=self.bits_per_index, labelling=self.labelling)
        return Unstreamed(indices, torch.zeros_like(indices, dtype=torch.bool))


def _check(width: int, labelling: str) -> None:
    if not 1 <= width <= MOST_BITS_PER_INDEX:
        raise ValueError(f"bits_per_index must be 1 to {MOST_BITS_PER_INDEX}, got {width}")
    _check_labelling(labelling)


def _check_labelling(labelling: str) -> None:
    if labelling not in get_args(Labelling):
        raise ValueError(f"labelling must be one of {get_args(Labelling)}, got {labelling!r}")
