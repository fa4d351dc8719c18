"""What every LDPC decoder takes and gives."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from phy.arrays import Bits, Llrs
from phy.ldpc.graph import TannerGraph


@dataclass(frozen=True)
class Decoded:
    """What the decoder found for each code block.

    Attributes:
        bits: Hard decisions, uint8 ``[..., variables]``.
        iterations: Iterations used, int32 ``[...]``; 0: the channel's decisions were a codeword.
        converged: bool ``[...]``: the decisions are a codeword and none of them is a mere tie.
    """

    bits: Bits
    iterations: Tensor
    converged: Tensor

    @staticmethod
    def empty(blocks: int, variables: int, device: torch.device | None = None) -> "Decoded":
        """Room for the results of some blocks."""
        return Decoded(
            torch.empty((blocks, variables), dtype=torch.uint8, device=device),
            torch.empty(blocks, dtype=torch.int32, device=device),
            torch.empty(blocks, dtype=torch.bool, device=device),
        )

    def reshape(self, batch: Sequence[int]) -> "Decoded":
        """The same blocks with other batch dimensions."""
        return Decoded(
            self.bits.reshape((*batch, self.bits.shape[-1])),
            self.iterations.reshape(tuple(batch)),
            self.converged.reshape(tuple(batch)),
        )


class LdpcDecoder(Protocol):
    """A decoder of one code."""

    def decode(self, llrs: Llrs) -> Decoded:
        """Decode LLRs ``[..., variables]`` of the mother code, float32 or float64.

        LLRs of 1e4 and more in magnitude, infinity among them, count as certain. A variable whose
        total LLR is exactly 0 is undecided (its bit reads 0), and a block with one has not
        converged. What is found for a block does not depend on the others in the batch.

        Raises:
            ValueError: Another shape or type, or an LLR that is no number.
        """
        ...


def check_iterations(iterations: int) -> None:
    """Refuse a decoder that never decodes."""
    if iterations < 1:
        raise ValueError(f"iterations must be at least 1, got {iterations}")


def check_llrs_of(graph: TannerGraph, llrs: Llrs) -> None:
    """Refuse LLRs that are not of the graph's variables, or no floating-point numbers."""
    if llrs.dtype not in (torch.float32, torch.float64):
        raise ValueError(f"llrs must be float32 or float64, got {llrs.dtype}")
    if llrs.shape[-1:] != (graph.variables,):
        raise ValueError(f"llrs must be [..., {graph.variables}], got {list(llrs.shape)}")


NOT_NUMBERS = "llrs must be numbers, got NaN"
