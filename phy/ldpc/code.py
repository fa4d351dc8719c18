"""What every LDPC code offers."""

import hashlib
import json
from importlib.resources import files
from typing import Any, Protocol

import torch

from phy.arrays import Bits, Llrs
from phy.ldpc.graph import TannerGraph

CERTAIN_LLR = 1e4
"""LLR of a bit that both ends know to be 0. No sum of a decoder's messages outweighs it."""


class LdpcCode(Protocol):
    """An LDPC code: k information bits become n coded bits.

    The decoder works on the *mother* code, whose graph may have more variables than are sent
    (punctured bits) and variables that are known beforehand (shortened bits)::

        info [k] -> encode -> coded [n]    channel    llrs [n] -> rate_recover -> [variables]
        info [k] <----- info <----- hard [variables] <----- decoder on graph <------'
    """

    @property
    def k(self) -> int:
        """Information bits of a block."""
        ...

    @property
    def n(self) -> int:
        """Coded bits of a block."""
        ...

    @property
    def graph(self) -> TannerGraph:
        """The mother code's parity checks."""
        ...

    def encode(self, info: Bits) -> Bits:
        """Information bits ``[..., k]`` to coded bits ``[..., n]``."""
        ...

    def codeword(self, info: Bits) -> Bits:
        """Information bits ``[..., k]`` to the mother codeword ``[..., variables]``."""
        ...

    def rate_recover(self, llrs: Llrs) -> Llrs:
        """LLRs ``[..., n]`` of the coded bits to those of the mother code ``[..., variables]``."""
        ...

    def info(self, hard: Bits) -> Bits:
        """The information bits ``[..., k]`` in a mother codeword ``[..., variables]``."""
        ...


class SentWhole:
    """What codes share whose mother codeword is what is sent: nothing is punctured or shortened."""

    def codeword(self: LdpcCode, info: Bits) -> Bits:
        """The mother codeword ``[..., n]``: the coded bits themselves."""
        return self.encode(info)

    def rate_recover(self: LdpcCode, llrs: Llrs) -> Llrs:
        """LLRs ``[..., n]`` as they are."""
        check_llrs(llrs, n=self.n)
        return llrs


def check_info(info: Bits, *, k: int) -> None:
    """Refuse information bits that are no uint8 ``[..., k]``."""
    if info.dtype != torch.uint8 or info.shape[-1:] != (k,):
        raise ValueError(f"info must be uint8 bits [..., {k}], got {info.dtype} {list(info.shape)}")


def check_llrs(llrs: Llrs, *, n: int) -> None:
    """Refuse LLRs that are not ``[..., n]``."""
    if llrs.shape[-1:] != (n,):
        raise ValueError(f"llrs must be [..., {n}], got {list(llrs.shape)}")


def load_table(name: str, *, sha256: str) -> dict[str, dict[str, Any]]:
    """The codes in ``phy/ldpc/tables/<name>.json``, by name; the file must have this SHA-256."""
    data = (files("phy.ldpc") / "tables" / f"{name}.json").read_bytes()
    if (found := hashlib.sha256(data).hexdigest()) != sha256:
        raise ValueError(f"{name}.json must have SHA-256 {sha256}, got {found}")
    codes: dict[str, dict[str, Any]] = json.loads(data)["codes"]
    return codes


def pick(codes: dict[str, dict[str, Any]], *, n: int, rate: str) -> dict[str, Any]:
    """The code of this length and rate, or a `ValueError` that lists what there is."""
    lengths: dict[int, list[str]] = {}
    for name in codes:
        length, _, known = name.partition("_")
        lengths.setdefault(int(length), []).append(known)
    if n not in lengths:
        raise ValueError(f"n must be one of {sorted(lengths)}, got {n}")
    if rate not in lengths[n]:
        raise ValueError(f"rate must be one of {', '.join(lengths[n])} for n = {n}, got {rate!r}")
    return codes[f"{n}_{rate}"]
