"""The greedy search of Algorithms 2 and 3, once for all channel states.

The power that a BER needs is p = x / gamma, with x from eq. 33 alone. So gamma is a common factor
of all temporary powers: it changes neither eq. 41 nor a swap of (P2), and the search passes through
the same states for every gamma and P_tot. Only where it ends differs: before the first state whose
sum of x exceeds P_tot gamma. The path is walked once and kept, as the changes from state to state;
an allocation is then a look-up on it.
"""

from dataclasses import dataclass
from math import inf
from typing import Any

import numpy as np
from numpy.typing import NDArray

from phy.allocation.orders import PRICED, SWAPPED, Orders, refresh, settle, swap
from phy.allocation.tournament import enter
from phy.jit import kernel
from phy.theory.q_function import Floats


@dataclass(frozen=True, eq=False)
class Path:
    """The states that a search passes through, S of them.

    Attributes:
        need: Sum of the temporary powers times gamma; of a state the largest up to it, ``[S]``.
        changes: ``[changes, 2]``: a place and its new value. Places from 0 are codebooks (from 0),
            those from N orders (as bits per symbol) of bits i * B + j.
        ends: How many changes lead to each state, ``[S]``.
        sub_vectors: N.
    """

    need: Floats
    changes: NDArray[np.int32]
    ends: NDArray[np.int64]
    sub_vectors: int

    def state(self, budget: Floats) -> NDArray[np.int64]:
        """The last state before any that needs more than P_tot gamma; -1 where none fits."""
        return np.searchsorted(self.need, budget, side="right") - 1


@kernel
def walk(
    cost: Any, distortion: Any, rule: int, state: Orders, ranks: Any, tree: Any
) -> tuple[Any, Any, Any]:
    """Walk the path to its end; returns `Path.need`, `Path.changes` and `Path.ends`.

    Args:
        cost: What a bit adds to the temporary power times gamma, ``[V, bits, orders]``.
        distortion: ``[V, N]``.
        rule: `FIXED`, `SWAPPED` or `PRICED`.
        state: The orders at the start.
        ranks: Keys of a tournament of the sub-vectors.
        tree: The tournament.
    """
    codebooks, bits, _ = cost.shape
    sub_vectors = distortion.shape[1]
    per_index = bits // sub_vectors
    codebook = np.full(sub_vectors, codebooks - 1, dtype=np.int64)
    for bit in range(bits):
        refresh(state, rule, bit, cost[codebooks - 1, bit])
    if rule == PRICED:
        settle(state)

    most_states = sub_vectors * (codebooks - 1) + 1
    need, ends = np.empty(most_states), np.empty(most_states, dtype=np.int64)
    changes = np.empty((4 * (sub_vectors + bits), 2), dtype=np.int32)
    power, total = np.empty(sub_vectors), 0.0
    count = 0
    for i in range(sub_vectors):  # the starting state, in full
        count = _note(changes, count, i, codebooks - 1)
    for bit in range(bits):
        count = _note(changes, count, sub_vectors + bit, 2 * (state.order[bit] + 1))
        state.is_touched[bit] = False
    state.touches[0] = 0
    for i in range(sub_vectors):
        power[i], rank = _judge(i, codebook[i], cost, distortion, state.order)
        enter(ranks, tree, i, rank)
        total += power[i]
    need[0], ends[0] = total, count

    states = 1
    while ranks[tree[1]] > -inf:
        chosen = tree[1]
        codebook[chosen] = _better(chosen, codebook[chosen], distortion)
        for bit in range(chosen * per_index, (chosen + 1) * per_index):
            refresh(state, rule, bit, cost[codebook[chosen], bit])
        if rule == SWAPPED:
            swap(state, cost, codebook)
        elif rule == PRICED:
            settle(state)

        if count + 1 + state.touches[0] > len(changes):
            longer = np.empty((2 * len(changes), 2), dtype=np.int32)
            for n in range(count):
                _note(longer, n, changes[n, 0], changes[n, 1])
            changes = longer
        count = _note(changes, count, chosen, codebook[chosen])
        power[chosen], rank = _judge(chosen, codebook[chosen], cost, distortion, state.order)
        enter(ranks, tree, chosen, rank)
        judged = chosen
        for n in range(state.touches[0]):
            bit = state.touched[n]
            state.is_touched[bit] = False
            count = _note(changes, count, sub_vectors + bit, 2 * (state.order[bit] + 1))
            i = bit // per_index
            if i != judged:
                power[i], rank = _judge(i, codebook[i], cost, distortion, state.order)
                enter(ranks, tree, i, rank)
                judged = i
        state.touches[0] = 0

        total = 0.0
        for i in range(sub_vectors):
            total += power[i]
        need[states] = total if total > need[states - 1] else need[states - 1]
        ends[states] = count
        states += 1
    return need[:states], changes[:count], ends[:states]


@kernel
def _note(changes: Any, count: int, place: int, value: int) -> int:
    """Write down a change; returns how many there are with it."""
    changes[count, 0] = place
    changes[count, 1] = value
    return count + 1


@kernel
def replay(path_changes: Any, path_ends: Any, states: Any, codebooks: Any, orders: Any) -> None:
    """Write the codebooks ``[n, N]`` and orders ``[n, bits]`` of n rising states."""
    sub_vectors = codebooks.shape[1]
    now = np.empty(sub_vectors + orders.shape[1], dtype=np.int64)
    done = 0
    for n in range(len(states)):
        for c in range(done, path_ends[states[n]]):
            now[path_changes[c, 0]] = path_changes[c, 1]
        done = path_ends[states[n]]
        for i in range(sub_vectors):
            codebooks[n, i] = now[i]
        for bit in range(orders.shape[1]):
            orders[n, bit] = now[sub_vectors + bit]


@kernel
def _better(i: int, now: int, distortion: Any) -> int:
    """The next codebook below ``now`` whose distortion is less; -1 if there is none."""
    for v in range(now - 1, -1, -1):
        if distortion[v, i] < distortion[now, i]:
            return v
    return -1


@kernel
def _judge(i: int, now: int, cost: Any, distortion: Any, order: Any) -> tuple[float, float]:
    """The power that sub-vector i takes, and the ratio of eq. 41 for its next codebook.

    Infinite where that takes no more power: such a move comes first. Minus infinity where there is
    no better codebook.
    """
    per_index = cost.shape[1] // distortion.shape[1]
    better = _better(i, now, distortion)
    power = then = 0.0
    for bit in range(i * per_index, (i + 1) * per_index):
        power += cost[now, bit, order[bit]]
        then += cost[better, bit, order[bit]] if better >= 0 else 0.0
    if better < 0:
        return power, -inf
    gain = distortion[now, i] - distortion[better, i]
    return power, gain / (then - power) if then > power else inf
