"""How often codewords are sent: probabilities as whole numbers, the same on every machine.

Both ends must build the very same code. Probabilities are floating-point numbers, and sums of
them depend on their order; so the code is made from integers n_k = max(1, round(2**20 p_k)),
and its probabilities are n_k / sum n_k. A product with a power of two is exact and halves are
rounded up, so the integers depend on the float values alone.

The floor of 1, a probability of about 2**-20, keeps codewords encodable that the training set
never used: an image outside it may need them. It costs a codebook of K words at most
K 2**-20 log2(e) bits per index, 0.0014 bits for K = 1024.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from semcodec.streams.contract import MOST_BITS_PER_INDEX

UNITS = 1 << 20
"""Integer count that a probability of 1 becomes."""

SUM_TOLERANCE = 1e-3
"""How far the probabilities given may add up to something else than 1."""


@dataclass(frozen=True)
class Frequencies:
    """Counts of the codewords 0 .. K-1.

    >>> import torch
    >>> table = Frequencies.of(torch.tensor([0.5, 0.25, 0.25, 0.0]))
    >>> table.counts
    (524288, 262144, 262144, 1)
    >>> round(table.entropy, 3), table.most_probable
    (1.5, 0)

    Attributes:
        counts: Positive integers, one for each codeword.
    """

    counts: tuple[int, ...]

    def __post_init__(self) -> None:
        """Refuse tables that no code can be built from."""
        if not 2 <= len(self.counts) <= 1 << MOST_BITS_PER_INDEX:
            raise ValueError(
                f"counts must be of 2 to {1 << MOST_BITS_PER_INDEX} codewords, "
                f"got {len(self.counts)}"
            )
        if min(self.counts) < 1:
            raise ValueError(f"counts must be at least 1, got {min(self.counts)}")

    @staticmethod
    def of(probabilities: Tensor) -> "Frequencies":
        """From probabilities ``[K]``, floating point, that add up to 1 within 0.001.

        Raises:
            ValueError: They are none.
        """
        if probabilities.dim() != 1 or not probabilities.is_floating_point():
            raise ValueError(
                f"probabilities must be floating point [K], "
                f"got {probabilities.dtype} {list(probabilities.shape)}"
            )
        values: NDArray[np.float64] = probabilities.detach().cpu().double().numpy()
        if not np.isfinite(values).all() or (values < 0).any():
            raise ValueError(f"probabilities must be finite and not negative, got {values}")
        if abs(values.sum() - 1) > SUM_TOLERANCE:
            raise ValueError(
                f"probabilities must add up to 1 within {SUM_TOLERANCE}, got {values.sum()}"
            )
        counts = np.maximum(1, np.floor(values * UNITS + 0.5)).astype(np.int64)
        return Frequencies(tuple(counts.tolist()))

    @property
    def size(self) -> int:
        """Codewords, K."""
        return len(self.counts)

    @cached_property
    def probabilities(self) -> NDArray[np.float64]:
        """n_k / sum n, ``[K]``."""
        counts = np.array(self.counts, dtype=np.float64)
        return counts / sum(self.counts)

    @property
    def entropy(self) -> float:
        """-sum p_k log2 p_k in bits per index: no code can have a lower mean."""
        return float(-(self.probabilities * np.log2(self.probabilities)).sum())

    @property
    def most_probable(self) -> int:
        """The codeword that is guessed where nothing is known; the first of several."""
        return int(np.argmax(self.counts))
