"""Many sequences of different lengths, end to end in one tensor."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from phy.host import array, on_host
from phy.jit import kernel


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
        wanted = tuple(lengths)
        if any(n > have for n, have in zip(wanted, self.lengths, strict=True)):
            raise ValueError(f"lengths must be at most {self.lengths}, got {wanted}")
        return self._resized(wanted)

    def pad_to_multiple(self, multiple: int) -> "Ragged":
        """Append zeros to each sequence until its length is a multiple of ``multiple``.

        >>> Ragged(torch.ones(5), (2, 3)).pad_to_multiple(2).values.tolist()
        [1.0, 1.0, 1.0, 1.0, 1.0, 0.0]
        """
        if multiple < 1:
            raise ValueError(f"multiple must be at least 1, got {multiple}")
        return self._resized(tuple(n + -n % multiple for n in self.lengths))

    def _resized(self, lengths: tuple[int, ...]) -> "Ragged":
        """Each sequence cut or filled with zeros; the same values where no length changes."""
        if lengths == self.lengths:
            return self
        old, shape = self.values, (sum(lengths), *self.values.shape[1:])
        if not on_host(old):
            new = Ragged(old.new_zeros(shape), lengths)
            for source, target in zip(self.split(), new.split(), strict=True):
                count = min(len(source), len(target))
                target[:count] = source[:count]
            return new
        values = torch.empty(shape, dtype=old.dtype)
        size = old[:1].numel() * old.element_size()
        have, wanted = (np.array(n, dtype=np.int64) * size for n in (self.lengths, lengths))
        _resize(_bytes(old), _bytes(values), have, wanted)
        return Ragged(values, lengths)


def _bytes(values: Tensor) -> NDArray[np.uint8]:
    return array(values.resolve_conj().reshape(-1).view(torch.uint8))


@kernel
def _resize(old: Any, new: Any, have: Any, wanted: Any) -> None:
    """Copy or cut or zero-fill sequences, all in bytes; ``have`` and ``wanted`` are sizes."""
    start = place = 0
    for i in range(len(have)):
        source, target = old[start : start + have[i]], new[place : place + wanted[i]]
        common = min(have[i], wanted[i])
        for j in range(common):
            target[j] = source[j]
        target[common:] = 0
        start += have[i]
        place += wanted[i]
