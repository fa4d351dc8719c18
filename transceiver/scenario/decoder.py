"""Decoders: the ``decoder`` part of the ``phy`` section."""

from typing import Annotated, Literal, TypeAlias

from pydantic import Discriminator, Field, Tag

from transceiver.scenario.fec import (
    SuccessiveCancellationDecoder,
    SuccessiveCancellationListDecoder,
    TurboDecoder,
    ViterbiDecoder,
)
from transceiver.scenario.section import Section


class _LdpcDecoder(Section):
    iterations: Annotated[int, Field(ge=1)] = 50
    """At most so many; a block stops at its first codeword."""


class _LayeredDecoder(_LdpcDecoder):
    threads: Annotated[int, Field(ge=1)] | None = None
    """At most so many, as torch without it (``--threads``, all cores); changes no result."""


class TwoTierDecoder(_LayeredDecoder):
    """Default for LDPC codes: offset min-sum, and A-min* for the blocks that it leaves over.

    The first tier has at most 20 iterations.
    """

    kind: Literal["two_tier"]
    arithmetic: Literal["int8", "int16", "float32"] = "int8"
    """Of the first tier; the second has int16."""


class OffsetMinSumDecoder(_LayeredDecoder):
    """Layered min-sum with a constant offset, early stop per block."""

    kind: Literal["offset_min_sum"]
    arithmetic: Literal["int8", "int16", "float32"] = "int8"
    """Of the messages."""


class AMinStarDecoder(_LayeredDecoder):
    """Layered, nearly exact sum-product rule, early stop per block."""

    kind: Literal["a_min_star"]
    arithmetic: Literal["int16", "float32"] = "int16"
    """Of the messages."""


class SumProductDecoder(_LdpcDecoder):
    """The reference: flooding belief propagation, exact sum-product rule, early stop per block.

    100 to 400 times slower than the others.
    """

    kind: Literal["sum_product"]
    arithmetic: Literal["float32"] = "float32"
    """Of the messages."""


_LDPC_DECODERS = ("two_tier", "offset_min_sum", "a_min_star", "sum_product")
_OTHER_DECODERS = {
    "polar": ("successive_cancellation_list", "successive_cancellation"),
    "convolutional": ("viterbi",),
    "turbo": ("turbo",),
}
_DECODER_KINDS = [*_LDPC_DECODERS, *(kind for kinds in _OTHER_DECODERS.values() for kind in kinds)]


def decoders_of(code: str) -> tuple[str, ...]:
    """The kinds of decoder that fit a kind of code; the first is the default."""
    return _OTHER_DECODERS.get(code, _LDPC_DECODERS)


def _decoder_tag(data: object) -> str:
    kind = data.get("kind") if isinstance(data, dict) else getattr(data, "kind", None)
    return f"~{kind}"  # "~": a choice that no key of the file makes (`scenario.section`)


DecoderSection: TypeAlias = Annotated[
    Annotated[TwoTierDecoder, Tag("~two_tier")]
    | Annotated[OffsetMinSumDecoder, Tag("~offset_min_sum")]
    | Annotated[AMinStarDecoder, Tag("~a_min_star")]
    | Annotated[SumProductDecoder, Tag("~sum_product")]
    | Annotated[SuccessiveCancellationListDecoder, Tag("~successive_cancellation_list")]
    | Annotated[SuccessiveCancellationDecoder, Tag("~successive_cancellation")]
    | Annotated[ViterbiDecoder, Tag("~viterbi")]
    | Annotated[TurboDecoder, Tag("~turbo")],
    Discriminator(
        _decoder_tag,
        custom_error_type="decoder_kind",
        custom_error_message=f"It should have one of the kinds {', '.join(_DECODER_KINDS)}",
    ),
]
