"""A channel code, its decoder and its interleaver: information blocks to coded blocks and back."""

from dataclasses import dataclass

from torch import Tensor

from phy.fec.block import BlockCode, BlockDecoder, DecodedBlocks
from phy.interleave import Permutation, RowColumn
from phy.ldpc.code import LdpcCode
from phy.ldpc.decoding import LdpcDecoder


@dataclass(frozen=True)
class LdpcBlockDecoder:
    """An LDPC decoder, which works on the mother code, for the bits that are sent."""

    code: LdpcCode
    decoder: LdpcDecoder

    def decode(self, llrs: Tensor) -> DecodedBlocks:
        """Information bits of LLRs ``[..., n]``."""
        decoded = self.decoder.decode(self.code.rate_recover(llrs))
        return DecodedBlocks(self.code.info(decoded.bits), decoded.iterations, decoded.converged)


@dataclass(frozen=True)
class Coding:
    """Channel encoding with rate matching and interleaving, and the inverse."""

    code: BlockCode
    decoder: BlockDecoder
    interleaver: RowColumn | Permutation | None

    def encode(self, info: Tensor) -> Tensor:
        """Coded bits ``[blocks, n]``, interleaved, of information bits ``[blocks, k]``."""
        coded = self.code.encode(info)
        return self.interleaver.interleave(coded) if self.interleaver else coded

    def decode(self, llrs: Tensor) -> DecodedBlocks:
        """Information bits of LLRs ``[blocks, n]`` in the order of the interleaver."""
        return self.decoder.decode(
            self.interleaver.deinterleave(llrs) if self.interleaver else llrs
        )
