"""What a link needs of a block code and of its decoder, whatever their kind."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from phy.arrays import Bits, Llrs
from phy.from_sionna import to_logits

_GROUP_ELEMENTS = 1 << 24


@dataclass(frozen=True)
class DecodedBlocks:
    """What a decoder says of each code block.

    Attributes:
        info: Information bits, uint8 ``[..., k]``.
        iterations: Used by the decoder, int32 ``[...]``; 0 where it does not iterate.
        converged: bool ``[...]``: the decoder takes its result for the codeword that was sent.
    """

    info: Bits
    iterations: Tensor
    converged: Tensor


class BlockCode(Protocol):
    """k information bits become n coded bits."""

    @property
    def k(self) -> int:
        """Information bits of a block: what is handed over, inner check bits not among them."""
        ...

    @property
    def n(self) -> int:
        """Coded bits of a block: what is sent."""
        ...

    def encode(self, info: Bits) -> Bits:
        """Information bits ``[..., k]`` to coded bits ``[..., n]``."""
        ...


class BlockDecoder(Protocol):
    """LLRs of coded bits become information bits."""

    def decode(self, llrs: Llrs) -> DecodedBlocks:
        """Decode LLRs ``[..., n]`` of the bits sent."""
        ...


def encode_with(encoder: Callable[[Tensor], Tensor], code: BlockCode, info: Bits) -> Bits:
    """Run sionna's encoder on information bits uint8 ``[..., k]``; uint8 ``[..., n]``."""
    if info.dtype != torch.uint8 or info.shape[-1:] != (code.k,):
        raise ValueError(
            f"info must be uint8 bits [..., {code.k}], got {info.dtype} {list(info.shape)}"
        )
    blocks = info.reshape(-1, code.k)
    if not len(blocks):
        return info.new_empty((*info.shape[:-1], code.n))
    return encoder(blocks.float()).to(torch.uint8).reshape(*info.shape[:-1], code.n)


def decode_with(
    decoder: Callable[[Tensor], tuple[Tensor, Tensor]],
    code: BlockCode,
    llrs: Llrs,
    *,
    iterations: int,
    elements: int,
) -> DecodedBlocks:
    """Run sionna's decoder on LLRs ``[..., n]``, in groups of blocks that bound its memory.

    A block of which every LLR is 0 was erased: whatever the decoder makes of it, it has not
    converged.

    Args:
        decoder: Logits ``[blocks, n]`` to hard decisions ``[blocks, k]`` of any type and its
            verdict, bool ``[blocks]``.
        code: The code.
        llrs: float32 or float64 ``[..., n]``; see `phy.from_sionna.to_logits`.
        iterations: What the decoder uses for every block.
        elements: Numbers that the decoder keeps for a block, about.
    """
    if llrs.shape[-1:] != (code.n,):
        raise ValueError(f"llrs must be [..., {code.n}], got {list(llrs.shape)}")
    batch = llrs.shape[:-1]
    logits = to_logits(llrs.detach()).reshape(-1, code.n)
    info = torch.empty(len(logits), code.k, dtype=torch.uint8, device=llrs.device)
    converged = (logits != 0).any(-1)
    group = max(_GROUP_ELEMENTS // elements, 1)
    for start in range(0, len(logits), group):
        part = slice(start, start + group)
        bits, verdict = decoder(logits[part])
        info[part] = bits.to(torch.uint8)
        converged[part] &= verdict
    return DecodedBlocks(
        info.reshape(*batch, code.k),
        torch.full(batch, iterations, dtype=torch.int32, device=llrs.device),
        converged.reshape(batch),
    )
