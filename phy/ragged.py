"""Many sequences of different lengths, end to end in one tensor."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Ragged:
    """Sequences laid end to end: what a batch of payloads is between two stages.

    Attributes:
        values: ``[sum(lengths), ...]``, any dtype and device.
        lengths: Elements of each sequence, in order; zero is allowed.

    >>> Ragged(torch.arange(5), (2, 0, 3)).split()[2].tolist()
    [2, 3, 4]
    """

    values: Tensor
    lengths: tuple[int, ...]

    def __post_init__(self) -> None:
        """Refuse lengths that do not describe the values."""
        if min(self.lengths, default=0) < 0 or sum(self.lengths) != len(self.values):
            raise ValueError(
                f"lengths must be >= 0 and sum to {len(self.values)} values, got {self.lengths}"
            )

    @staticmethod
    def of(parts: Sequence[Tensor]) -> "Ragged":
        """Lay one or more tensors ``[length, ...]`` end to end."""
        return Ragged(torch.cat(list(parts)), tuple(len(part) for part in parts))

    def split(self) -> tuple[Tensor, ...]:
        """The sequences, each ``[length, ...]``: views, not copies."""
        return tuple(torch.split(self.values, list(self.lengths)))

    def take(self, lengths: Sequence[int]) -> "Ragged":
        """The first ``lengths[i]`` elements of each sequence i.

        >>> Ragged(torch.arange(5), (2, 3)).take([1, 2]).values.tolist()
        [0, 2, 3]
        """
        pairs = zip(self.split(), self.lengths, lengths, strict=True)
        if any(wanted > have for _, have, wanted in pairs):
            raise ValueError(f"lengths must be at most {self.lengths}, got {tuple(lengths)}")
        return Ragged.of([p[:n] for p, n in zip(self.split(), lengths, strict=True)])

    def pad_to_multiple(self, multiple: int) -> "Ragged":
        """Append zeros to each sequence until its length is a multiple of ``multiple``.

        >>> Ragged(torch.ones(5), (2, 3)).pad_to_multiple(2).values.tolist()
        [1.0, 1.0, 1.0, 1.0, 1.0, 0.0]
        """
        if multiple < 1:
            raise ValueError(f"multiple must be at least 1, got {multiple}")
        if all(n % multiple == 0 for n in self.lengths):
            return self
        parts = [
            torch.cat([p, p.new_zeros(-len(p) % multiple, *p.shape[1:])]) for p in self.split()
        ]
        return Ragged.of(parts)
