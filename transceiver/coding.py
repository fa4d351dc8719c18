"""A channel code, its decoder and its interleaver: information blocks to coded blocks and back."""

from dataclasses import dataclass

from torch import Tensor

from phy.interleave import Permutation, RowColumn
from phy.ldpc.belief_propagation import BeliefPropagation
from phy.ldpc.code import LdpcCode


@dataclass(frozen=True)
class DecodedBlocks:
    """What the decoder says of each code block.

    Attributes:
        info: Information bits ``[blocks, k]``.
        iterations: Used by the decoder, ``[blocks]``.
        converged: Whether a codeword was found, ``[blocks]``.
    """

    info: Tensor
    iterations: Tensor
    converged: Tensor


@dataclass(frozen=True)
class Coding:
    """Channel encoding with rate matching and interleaving, and the inverse."""

    code: LdpcCode
    decoder: BeliefPropagation
    interleaver: RowColumn | Permutation | None

    def encode(self, info: Tensor) -> Tensor:
        """Coded bits ``[blocks, n]``, interleaved, of information bits ``[blocks, k]``."""
        coded = self.code.encode(info)
        return self.interleaver.interleave(coded) if self.interleaver else coded

    def decode(self, llrs: Tensor) -> DecodedBlocks:
        """Information bits of LLRs ``[blocks, n]`` in the order of the interleaver."""
        soft = self.interleaver.deinterleave(llrs) if self.interleaver else llrs
        decoded = self.decoder.decode(self.code.rate_recover(soft))
        return DecodedBlocks(self.code.info(decoded.bits), decoded.iterations, decoded.converged)
