"""Turbo codes with the interleaver of LTE, and their decoding, through sionna (`phy.from_sionna`).

::

    info ----------------------------------------> systematic
      |--> recursive encoder 1 ------------------> parity 1      3 k bits and the tails,
      '--> interleave --> recursive encoder 2 ---> parity 2      some punctured for rate 1/2

With constraint length 4: polynomials (13, 15) octal and the interleaver of 3GPP TS 36.212 clause
5.1.3.2. Bits are sent in the order systematic, parity 1, parity 2 of each information bit: the
rate matching of that standard (clause 5.1.4) is not applied.
"""

from dataclasses import KW_ONLY, dataclass
from functools import cache
from typing import Any, Literal

import torch
from torch import Tensor

from phy.arrays import Bits, Llrs
from phy.fec.block import DecodedBlocks, decode_with, encode_with
from phy.from_sionna import load

_RATES = {"1/2": 1 / 2, "1/3": 1 / 3}
_K = (40, 6144)


@dataclass(frozen=True)
class Turbo:
    """Two recursive systematic encoders, the second behind an interleaver.

    A block length that TS 36.212 does not list takes the interleaver of the next longer one,
    without the places beyond its end. Rate 1/2 sends the parities of the two encoders in turn,
    in the tails too.

    Attributes:
        k: Information bits, 40 to 6144.
        rate: ``1/3`` or ``1/2``; the true rate k / n of a terminated block is lower.
        constraint_length: 3 to 6; 4 is LTE's.
        terminate: Whether both registers are driven back to zero.

    >>> code = Turbo(40)
    >>> code.n  # 3 k and the 12 tail bits of LTE
    132
    >>> coded = code.encode(torch.ones(40, dtype=torch.uint8))
    >>> coded[:120:3].tolist() == [1] * 40
    True
    """

    k: int
    _: KW_ONLY
    rate: Literal["1/3", "1/2"] = "1/3"
    constraint_length: int = 4
    terminate: bool = True

    def __post_init__(self) -> None:
        """Refuse what the interleaver or the tabulated polynomials do not cover."""
        if not _K[0] <= self.k <= _K[1]:
            raise ValueError(f"k must be {_K[0]} to {_K[1]}, got {self.k}")
        if self.rate not in _RATES:
            raise ValueError(f"rate must be 1/3 or 1/2, got {self.rate!r}")
        if not 3 <= self.constraint_length <= 6:
            raise ValueError(f"constraint_length must be 3 to 6, got {self.constraint_length}")

    @property
    def n(self) -> int:
        """Coded bits of a block, those of the termination included.

        The two tails together have 4 (constraint_length - 1) bits, filled up with zeros to a
        multiple of 3.
        """
        tail = -(-4 * (self.constraint_length - 1) // 3) if self.terminate else 0
        return (self.k + tail) * (3 if self.rate == "1/3" else 2)

    def encode(self, info: Bits) -> Bits:
        """Information bits, uint8 ``[..., k]``, to coded bits ``[..., n]``."""
        return encode_with(_encoder(self, str(info.device)), self, info)


@dataclass(frozen=True)
class TurboDecoder:
    """Two component decoders that exchange extrinsic LLRs.

    C. Berrou, A. Glavieux, P. Thitimajshima, ICC 1993; the components after L. Bahl, J. Cocke,
    F. Jelinek, J. Raviv, IEEE Trans. IT 20(2), 1974, in the log domain. Every block takes all
    iterations. Extrinsic LLRs are limited to 20. The decoder does not tell whether its result
    is right.

    Attributes:
        code: The code.
        iterations: Passes through both component decoders, at least 1.
        algorithm: ``map`` (exact) or ``max_log``.
    """

    code: Turbo
    iterations: int = 8
    algorithm: Literal["map", "max_log"] = "map"

    def __post_init__(self) -> None:
        """Refuse a decoder that never decodes."""
        if self.iterations < 1:
            raise ValueError(f"iterations must be at least 1, got {self.iterations}")
        if self.algorithm not in ("map", "max_log"):
            raise ValueError(f"algorithm must be map or max_log, got {self.algorithm!r}")

    def decode(self, llrs: Llrs) -> DecodedBlocks:
        """Decode LLRs ``[..., n]``; converged: always, unless all LLRs are 0."""
        code = self.code
        decoder = _decoder(code, self.iterations, self.algorithm, str(llrs.device))
        elements = 4 * 2 ** (code.constraint_length - 1) * code.n
        return decode_with(decoder, code, llrs, iterations=self.iterations, elements=elements)


@cache
def _encoder(code: Turbo, device: str) -> Any:
    return load("sionna.phy.fec.turbo").TurboEncoder(
        rate=_RATES[code.rate],
        constraint_length=code.constraint_length,
        terminate=code.terminate,
        precision="double",
        device=device,
    )


@cache
def _decoder(code: Turbo, iterations: int, algorithm: str, device: str) -> Any:
    # In the log domain no probability underflows; its sums over the block need double precision.
    decoder = load("sionna.phy.fec.turbo").TurboDecoder(
        _encoder(code, device),
        num_iter=iterations,
        algorithm={"map": "log", "max_log": "maxlog"}[algorithm],
        precision="double",
        device=device,
    )

    def decode(logits: Tensor) -> tuple[Tensor, Tensor]:
        bits = decoder(logits.double())
        return bits, torch.ones(len(bits), dtype=torch.bool, device=bits.device)

    return decode
