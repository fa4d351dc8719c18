"""Codes other than LDPC that a link can use: polar, convolutional and turbo, through sionna."""

from phy.fec.block import BlockCode, BlockDecoder, DecodedBlocks
from phy.fec.convolutional import Convolutional, Viterbi
from phy.fec.polar import Polar, SuccessiveCancellation, SuccessiveCancellationList
from phy.fec.turbo import Turbo, TurboDecoder

__all__ = [
    "BlockCode",
    "BlockDecoder",
    "Convolutional",
    "DecodedBlocks",
    "Polar",
    "SuccessiveCancellation",
    "SuccessiveCancellationList",
    "Turbo",
    "TurboDecoder",
    "Viterbi",
]
