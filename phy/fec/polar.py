"""The polar code of 5G NR with its CRC and rate matching, 3GPP TS 38.212 clauses 5.3.1 and 5.4.1.

::

    info k -> + CRC 11 | 24 -> (interleave) -> frozen bits -> polar transform N -> sub-blocks,
    puncture, shorten or repeat -> (interleave) -> coded n

The CRC belongs to the code: a list decoder chooses by it among its candidates. It is in the rate
k / n as any redundancy is, and it is not the CRC of the frame. The parts are sionna's
(`phy.from_sionna`).
"""

import warnings
from dataclasses import KW_ONLY, dataclass
from functools import cache
from typing import Any, Literal

from torch import Tensor

from phy.arrays import Bits, Llrs
from phy.fec.block import DecodedBlocks, decode_with, encode_with
from phy.from_sionna import load

_CRC_BITS = {"uplink": 11, "downlink": 24}
_K = {"uplink": (20, 1013), "downlink": (12, 140)}
_MOST_N = {"uplink": 1088, "downlink": 576}


@dataclass(frozen=True)
class Polar:
    """One code block of a control channel, not segmented.

    Uplink control information (clause 6.3.1) has an 11-bit CRC and a triangular interleaver
    behind the code. For k below 20 the standard has other parity bits or another code; these are
    refused. Downlink control information (clause 7.3) has a 24-bit CRC, interleaved with the
    information; two details of it are left out, which change no error rate: the CRC register
    starts at 0 and not at 1, and its bits are not scrambled with the terminal's identity.

    Attributes:
        k: Information bits: 20 to 1013 (uplink), 12 to 140 (downlink).
        n: Coded bits: k and the CRC at least, 1088 (uplink) or 576 (downlink) at most.
        direction: ``uplink`` or ``downlink``.

    >>> import torch
    >>> code = Polar(32, 64)
    >>> coded = code.encode(torch.ones(2, 32, dtype=torch.uint8))
    >>> decoded = SuccessiveCancellationList(code).decode(4.0 - 8.0 * coded)
    >>> decoded.info.sum(-1).tolist(), decoded.converged.tolist()
    ([32, 32], [True, True])
    """

    k: int
    n: int
    _: KW_ONLY
    direction: Literal["uplink", "downlink"] = "uplink"

    def __post_init__(self) -> None:
        """Refuse what needs segmentation or another code."""
        if self.direction not in _K:
            raise ValueError(f"direction must be uplink or downlink, got {self.direction}")
        least, most = _K[self.direction]
        if not least <= self.k <= most:
            raise ValueError(f"k must be {least} to {most} for {self.direction}, got {self.k}")
        least, most = self.k + self.crc_bits, _MOST_N[self.direction]
        if not least <= self.n <= most:
            raise ValueError(
                f"n must be {least} (k and {self.crc_bits} CRC bits) to {most} "
                f"for {self.direction}, got {self.n}"
            )

    @property
    def crc_bits(self) -> int:
        """Check bits inside the code: 11 or 24."""
        return _CRC_BITS[self.direction]

    def encode(self, info: Bits) -> Bits:
        """Information bits, uint8 ``[..., k]``, to coded bits ``[..., n]``."""
        return encode_with(_encoder(self, str(info.device)), self, info)


@dataclass(frozen=True)
class SuccessiveCancellationList:
    """CRC-aided list decoding: of the list's paths that pass the CRC, the likeliest.

    I. Tal, A. Vardy, "List decoding of polar codes", IEEE Trans. IT 61(5), 2015. In subtrees
    without frozen bits a path forks once, at its least reliable bit, instead of at each.

    Attributes:
        code: The code.
        list_size: Paths kept: 1, 2, 4, 8, 16 or 32.
    """

    code: Polar
    list_size: int = 8

    def __post_init__(self) -> None:
        """Refuse other list sizes."""
        if self.list_size not in (1, 2, 4, 8, 16, 32):
            raise ValueError(f"list_size must be 1, 2, 4, 8, 16 or 32, got {self.list_size}")

    def decode(self, llrs: Llrs) -> DecodedBlocks:
        """Decode LLRs ``[..., n]``; converged: the code's CRC holds. LLRs count 30 at most."""
        decoder = _decoder(self.code, "SCL", self.list_size, str(llrs.device))
        elements = 20 * self.list_size * self.code.n
        return decode_with(decoder, self.code, llrs, iterations=0, elements=elements)


@dataclass(frozen=True)
class SuccessiveCancellation:
    """Bit after bit, each decided for good: E. Arikan, IEEE Trans. IT 55(7), 2009.

    The CRC does not help this decoder; it only tells whether the result is right.

    Attributes:
        code: The code.
    """

    code: Polar

    def decode(self, llrs: Llrs) -> DecodedBlocks:
        """Decode LLRs ``[..., n]``; converged: the code's CRC holds."""
        decoder = _decoder(self.code, "SC", 1, str(llrs.device))
        elements = 10 * self.code.n
        return decode_with(decoder, self.code, llrs, iterations=0, elements=elements)


@cache
def _encoder(code: Polar, device: str) -> Any:
    make = load("sionna.phy.fec.polar").Polar5GEncoder
    return make(code.k, code.n, code.direction, precision="single", device=device)


@cache
def _decoder(code: Polar, kind: Literal["SC", "SCL"], list_size: int, device: str) -> Any:
    make = load("sionna.phy.fec.polar").Polar5GDecoder
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that SC decoding makes no use of the CRC
        decoder = make(
            _encoder(code, device),
            kind,
            list_size=list_size,
            return_crc_status=True,
            precision="single",
            device=device,
        )

    def decode(logits: Tensor) -> tuple[Tensor, Tensor]:
        bits, crc_ok = decoder(logits)
        return bits, crc_ok.bool()

    return decode
