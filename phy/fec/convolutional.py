"""Feed-forward convolutional codes and the Viterbi algorithm, through sionna (`phy.from_sionna`).

The polynomials are those that sionna takes from T. K. Moon, "Error Correction Coding", Wiley, 2005:
(133, 171) octal for rate 1/2 and constraint length 7. No code has a larger free distance, but for
rate 1/3 and constraint length 7: (171, 145, 133) has 14 and the best code 15.
"""

from dataclasses import KW_ONLY, dataclass
from functools import cache
from typing import Any, Literal

import torch
from torch import Tensor

from phy.arrays import Bits, Llrs
from phy.fec.block import DecodedBlocks, decode_with, encode_with
from phy.from_sionna import load

_OUTPUTS = {"1/2": 2, "1/3": 3}
_MOST_K = 16384


@dataclass(frozen=True)
class Convolutional:
    """A block of k bits through a shift register that starts at zero.

    For each information bit the outputs of all polynomials follow each other. A terminated
    block ends with constraint_length - 1 zeros, whose outputs are sent and counted; the end of
    an unterminated one is less protected.

    Attributes:
        k: Information bits, 1 to 16384.
        rate: ``1/2`` or ``1/3``; the true rate k / n of a terminated block is lower.
        constraint_length: 3 to 8; the code has 2**(constraint_length - 1) states.
        terminate: Whether the register is driven back to zero.

    >>> code = Convolutional(2, constraint_length=3)  # 1 + D^2, 1 + D + D^2
    >>> code.encode(torch.tensor([1, 0], dtype=torch.uint8)).tolist()
    [1, 1, 0, 1, 1, 1, 0, 0]
    """

    k: int
    _: KW_ONLY
    rate: Literal["1/2", "1/3"] = "1/2"
    constraint_length: int = 7
    terminate: bool = True

    def __post_init__(self) -> None:
        """Refuse codes that are not tabulated."""
        if not 1 <= self.k <= _MOST_K:
            raise ValueError(f"k must be 1 to {_MOST_K}, got {self.k}")
        if self.rate not in _OUTPUTS:
            raise ValueError(f"rate must be 1/2 or 1/3, got {self.rate!r}")
        if not 3 <= self.constraint_length <= 8:
            raise ValueError(f"constraint_length must be 3 to 8, got {self.constraint_length}")

    @property
    def n(self) -> int:
        """Coded bits of a block, those of the termination included."""
        tail = self.constraint_length - 1 if self.terminate else 0
        return (self.k + tail) * _OUTPUTS[self.rate]

    def encode(self, info: Bits) -> Bits:
        """Information bits, uint8 ``[..., k]``, to coded bits ``[..., n]``."""
        return encode_with(_encoder(self, str(info.device)), self, info)


@dataclass(frozen=True)
class Viterbi:
    """The most likely codeword, with soft decisions: A. J. Viterbi, IEEE Trans. IT 13(2), 1967.

    It always ends on a codeword and cannot tell whether that is the right one.

    Attributes:
        code: The code.
    """

    code: Convolutional

    def decode(self, llrs: Llrs) -> DecodedBlocks:
        """Decode LLRs ``[..., n]``; converged: always, unless all LLRs are 0."""
        code = self.code
        decoder = _decoder(code, str(llrs.device))
        elements = 6 * 2 ** (code.constraint_length - 1) * code.n // _OUTPUTS[code.rate]
        return decode_with(decoder, code, llrs, iterations=0, elements=elements)


@cache
def _encoder(code: Convolutional, device: str) -> Any:
    return load("sionna.phy.fec.conv").ConvEncoder(
        rate=1 / _OUTPUTS[code.rate],
        constraint_length=code.constraint_length,
        terminate=code.terminate,
        precision="double",
        device=device,
    )


@cache
def _decoder(code: Convolutional, device: str) -> Any:
    # Its path metrics are never brought back to zero: double precision for long blocks.
    make = load("sionna.phy.fec.conv").ViterbiDecoder
    decoder = make(encoder=_encoder(code, device), precision="double", device=device)

    def decode(logits: Tensor) -> tuple[Tensor, Tensor]:
        bits = decoder(logits.double())
        return bits, torch.ones(len(bits), dtype=torch.bool, device=bits.device)

    return decode
