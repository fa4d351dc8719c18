"""The largest of many numbers that change one at a time: a tournament tree, for kernels.

``keys [2**d]`` are the players, those beyond the wanted number at minus infinity. At node n of
``tree [2**(d+1)]`` stands the winner of the matches below it, at ``tree[1]`` that of all. Of equal
keys the one in the lower place wins: a winner depends on the keys alone, not on their history.
"""

from math import inf
from typing import Any

import numpy as np
from numpy.typing import NDArray

from phy.jit import kernel
from phy.theory.q_function import Floats


def tournament(players: int) -> tuple[Floats, NDArray[np.int64]]:
    """The keys and the tree of at least one player, all keys minus infinity.

    >>> keys, tree = tournament(3)
    >>> enter(keys, tree, 2, 7.0)
    >>> keys.tolist(), tree[1:].tolist()
    ([-inf, -inf, 7.0, -inf], [2, 0, 2, 0, 1, 2, 3])
    """
    depth = (players - 1).bit_length()
    rounds = [np.arange(2**d) << (depth - d) for d in range(depth + 1)]
    return np.full(2**depth, -inf), np.concatenate([[0], *rounds])


@kernel
def enter(keys: Any, tree: Any, player: int, key: float) -> None:
    """Give a player another key and play its matches again, as far up as they change."""
    keys[player] = key
    node = (len(keys) + player) >> 1
    while node:
        left, right = tree[2 * node], tree[2 * node + 1]
        before = tree[node]
        tree[node] = left if keys[left] >= keys[right] else right
        if tree[node] == before and before != player:
            break  # the player has lost here, as it had before
        node >>= 1
