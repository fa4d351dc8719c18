"""Two decoders in a row: a fast one for all blocks, an accurate one for those it leaves over."""

from dataclasses import dataclass

from phy.arrays import Llrs
from phy.ldpc.decoding import Decoded, LdpcDecoder
from phy.ldpc.graph import TannerGraph
from phy.ldpc.layered.arithmetic import Arithmetic
from phy.ldpc.layered.decoder import Layered

_FAST_ITERATIONS = 20


@dataclass(frozen=True)
class TwoTier:
    """Decode all blocks with ``fast``, and those that it does not converge on with ``accurate``.

    The accurate decoder starts again from the channel LLRs. The iterations of both are added up.

    Attributes:
        fast: The first decoder.
        accurate: The second one.
    """

    fast: LdpcDecoder
    accurate: LdpcDecoder

    def decode(self, llrs: Llrs) -> Decoded:
        """Decode LLRs ``[..., variables]``, as `phy.ldpc.decoding.LdpcDecoder` says."""
        first = self.fast.decode(llrs)
        left = (~first.converged).flatten().nonzero().flatten()
        if not len(left):
            return first
        second = self.accurate.decode(llrs.reshape(-1, llrs.shape[-1]).index_select(0, left))
        first.bits.view(-1, llrs.shape[-1]).index_copy_(0, left, second.bits)
        first.iterations.view(-1).index_add_(0, left, second.iterations)
        first.converged.view(-1).index_copy_(0, left, second.converged)
        return first


def two_tier(
    graph: TannerGraph,
    *,
    iterations: int = 50,
    arithmetic: Arithmetic = "int8",
    threads: int | None = None,
) -> TwoTier:
    """The decoder to use unless there is a reason for another one.

    First offset min-sum, at most 20 iterations; then, for the few blocks that are left, A-min* in
    int16: about as fast as the one, about as accurate as the sum-product algorithm.

    Args:
        graph: The parity checks.
        iterations: Of the second decoder, at most; the first makes no more either.
        arithmetic: Of the first decoder.
        threads: At most so many on a CPU; None takes as many as torch does, by default all cores.
    """
    first = min(iterations, _FAST_ITERATIONS)
    return TwoTier(
        Layered(graph, "offset_min_sum", arithmetic, first, threads),
        Layered(graph, "a_min_star", "int16", iterations, threads),
    )
