"""The layered decoder: many code blocks side by side in the lanes of vector registers.

Memory, for (648, 324) in int8; a row is a register of 64 lanes, a column is a code block::

       lane   0   1   2  ...  63             lane   0   1   2  ...  63
    P[0]    -12   5  88       31      R[0]          3  -1  31        ?
    P[1]      7  -9  64        2      R[1]         -1   4  12        ?
     ...                               ...
    P[647]  127  33  -5       18      R[2375]       2   2  -7        ?
                                                                     lane 63 is new: not seen

Each lane goes its own way. When its block is a codeword, or out of iterations, it is written out
and the lane waits; once enough lanes wait, the next blocks from the stage ``T`` step into them,
while the other lanes notice nothing::

    llrs [blocks, variables] --64 blocks, transposed--> T --permuted--> P <-> checks --bits--> out

So all lanes have work at all times, and what becomes of a block depends on the block alone. The
legend of the letters is in `phy.ldpc.layered.steps`.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from phy.jit import kernel
from phy.ldpc.layered.check_node import Rule
from phy.ldpc.layered.steps import (
    count_ones,
    decide,
    lowest_one,
    odd_checks,
    quantize,
    take_lanes,
    take_next,
    transpose_tile,
    update_checks,
    write_bits,
)

_NONE = np.uint64(0)
_ONE = np.uint64(1)


class WorkSpace(NamedTuple):
    """Memory of one thread, aligned to registers; its contents do not matter but where said.

    Attributes:
        P: ``[variables, lanes]``; its type is the arithmetic.
        R: ``[edges, lanes]``.
        T: ``[variables, lanes]``.
        H: uint64 ``[variables]``, with at least 8 words before and behind it, which are read.
        rows: ``[lanes, variables]``: T before it is transposed.
        order: ``[lanes]``, integers of the size of P's: the lane of T that each lane takes.
    """

    P: NDArray[Any]
    R: NDArray[Any]
    T: NDArray[Any]
    H: NDArray[np.uint64]
    rows: NDArray[Any]
    order: NDArray[Any]


class Results(NamedTuple):
    """What is found: ``bits [blocks, variables]``, ``iterations``, ``converged [blocks]``."""

    bits: NDArray[np.uint8]
    iterations: NDArray[np.int32]
    converged: NDArray[np.bool_]


@kernel
def decode(
    rule: Rule,
    degrees: tuple[tuple[int, ...], ...],
    runs: Any,
    variable: Any,
    parity: Any,
    llrs: Any,
    scale: float,
    limit: float,
    most_iterations: int,
    counter: Any,
    work: WorkSpace,
    results: Results,
) -> bool:
    """Decode blocks; returns whether all their LLRs were numbers.

    Several threads may call this with the same LLRs, counter and results: each block is decoded by
    the one that comes for it first.

    Args:
        rule: The check-node rule with its parameters.
        degrees: A tuple of that length for each degree that occurs; only the lengths matter.
        runs: int64 ``[runs, 2]``: the degree of successive checks, and how many they are.
        variable: int32 ``[edges]``: where each edge leads, in the order of the checks.
        parity: How the checks are verified; see `phy.ldpc.layered.schedule.ParityPieces`.
        llrs: float32 ``[blocks, variables]``.
        scale: What an LLR is multiplied with.
        limit: The largest magnitude of the product.
        most_iterations: At least 1.
        counter: int64 ``[1]``: how many blocks were ever on a stage; 0 at first.
        work: Memory for one thread.
        results: Written.
    """
    P, R, T, H = work.P, work.R, work.T, work.H
    blocks, lanes = len(llrs), P.shape[1]
    everyone = ~_NONE >> np.uint64(64 - lanes)
    block = np.zeros(lanes, np.int64)  # in each lane
    age = np.zeros(lanes, np.int32)  # iterations of that block
    waiting = np.zeros(lanes, np.int64)  # the blocks on the stage that are not yet in a lane,
    seat = np.zeros(lanes, np.int64)  # and the lanes of T that they are in
    ready, more = 0, True  # how many wait; whether there may be others to come
    busy = seen = _NONE
    all_numbers = True
    P[:] = 0
    while True:
        free = everyone & ~busy
        if count_ones(free) * 8 >= lanes or busy == _NONE:
            while free != _NONE and (ready or more):
                if not ready:
                    arrived = take_next(counter, lanes)
                    staged = min(lanes, blocks - arrived)
                    if staged <= 0:
                        more = False
                        break
                    all_numbers &= _stage(llrs, arrived, staged, scale, limit, work)
                    ready = _dismiss_codewords(
                        parity, work, arrived, staged, waiting, seat, results
                    )
                entering = _NONE
                while free != _NONE and ready:
                    ready -= 1
                    lane = lowest_one(free)
                    free &= free - _ONE
                    entering |= _ONE << np.uint64(lane)
                    block[lane], age[lane] = waiting[ready], 0
                    work.order[lane] = seat[ready]
                take_lanes(T, work.order, P, entering)
                busy |= entering
                seen &= ~entering
            if busy == _NONE:
                return all_numbers

        edge = 0
        for run in range(len(runs)):
            degree, count = runs[run, 0], runs[run, 1]
            update_checks(rule, degrees, P, R, variable, edge, count, degree, seen)
            edge += degree * count
        seen = everyone

        failed = _failed(parity, P, H, busy)
        unfinished = busy
        while unfinished != _NONE:
            lane = lowest_one(unfinished)
            unfinished &= unfinished - _ONE
            age[lane] += 1
            good = (failed >> np.uint64(lane)) & _ONE == _NONE
            if good or age[lane] == most_iterations:
                write_bits(H, lane, results.bits, block[lane])
                results.iterations[block[lane]] = age[lane]
                results.converged[block[lane]] = good
                busy &= ~(_ONE << np.uint64(lane))


@kernel
def _stage(llrs: Any, first: int, staged: int, scale: float, limit: float, work: Any) -> bool:
    """Bring blocks onto the stage; returns whether their LLRs are all numbers."""
    lanes, variables = work.T.shape[1], work.T.shape[0]
    all_numbers = True
    for lane in range(staged):
        all_numbers &= quantize(llrs, first + lane, scale, limit, work.rows[lane])
    for start in range(0, variables, lanes):
        transpose_tile(work.rows, min(start, variables - lanes), work.T)
    return all_numbers


@kernel
def _dismiss_codewords(
    parity: Any, work: Any, first: int, staged: int, waiting: Any, seat: Any, results: Any
) -> int:
    """Write out the blocks on the stage that are codewords already; returns how many are left."""
    failed = _failed(parity, work.T, work.H, ~_NONE >> np.uint64(64 - staged))
    left = 0
    for lane in range(staged - 1, -1, -1):
        if (failed >> np.uint64(lane)) & _ONE:
            waiting[left] = first + lane
            seat[left] = lane
            left += 1
        else:
            write_bits(work.H, lane, results.bits, first + lane)
            results.iterations[first + lane] = 0
            results.converged[first + lane] = True
    return left


@kernel
def _failed(parity: Any, P: Any, H: Any, asked: Any) -> Any:
    """Hard decisions H of P; the word of lanes that are no codeword or have an undecided bit.

    Ends as soon as all lanes asked about have failed.
    """
    failed = decide(P, H)
    first = 0
    for run in range(len(parity.runs)):
        size, groups = parity.runs[run, 0], parity.runs[run, 1]
        if asked & ~failed == _NONE:
            break
        failed |= odd_checks(H, parity.offset, parity.member, first, groups, size)
        first += size * groups
    return failed
