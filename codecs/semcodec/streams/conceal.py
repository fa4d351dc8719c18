"""Guesses for lost indices: error concealment in the latent grid."""

import numpy as np
from numpy.typing import NDArray


def conceal(
    indices: NDArray[np.int64],
    *,
    lost: NDArray[np.bool_],
    columns: int,
    fallback: int,
) -> NDArray[np.int64]:
    """Put, for each lost index, the nearest one above it that arrived.

    Args:
        indices: ``[rows * columns]``; what stands at lost places does not matter.
        lost: ``[rows * columns]``.
        columns: Width of the grid.
        fallback: For columns with nothing above: the most probable codeword.

    >>> lost = np.array([False, True, True, True])
    >>> conceal(np.array([5, 6, 7, 8]), lost=lost, columns=2, fallback=0).tolist()
    [5, 0, 5, 0]
    """
    grid, gaps = indices.reshape(-1, columns), lost.reshape(-1, columns)
    row = np.where(gaps, -1, np.arange(len(grid))[:, None])
    source = np.maximum.accumulate(row, axis=0)  # the last row that arrived, -1 where none did
    above = np.take_along_axis(grid, source.clip(min=0), axis=0)
    guessed: NDArray[np.int64] = np.where(source < 0, fallback, above).reshape(-1)
    return guessed
