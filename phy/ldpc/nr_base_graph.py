"""The base graphs of 5G NR, 3GPP TS 38.212 Tables 5.3.2-1, -2 and -3.

The shifts are read from the data files of the installed sionna distribution, which is not imported:
``5G_bg1.csv`` and ``5G_bg2.csv`` hold, after two heading lines, one line a block
``row;column;V_0;...;V_7`` with a shift per set index; the row is written in its first line only.
"""

import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

_SHA256 = {  # of the lines "set;row;column;shift", ascending
    1: "19a9b6db1196197f1d1fd2a074b96fb2b94411c6671be0d982a5639f1f000ac5",
    2: "8c6de5b0db9d75d7c49a1f5d2c0fb25ce5ac75a9f1b097715df6543dc7db9a05",
}
_LIFTING_SIZES = {  # Table 5.3.2-1: Z = a 2^j, at most 384, set index by a
    a << j: index
    for index, a in enumerate((2, 3, 5, 7, 9, 11, 13, 15))
    for j in range(8)
    if a << j <= 384
}


@dataclass(frozen=True)
class BaseGraph:
    """One base graph with the shifts for one lifting size.

    Attributes:
        index: 1 or 2.
        z: Lifting size Z_c.
        shifts: ``[rows][columns]``, V mod Z_c, -1 for the zero block: 46 x 68 or 42 x 52.
        info_columns: Block columns of information and filler bits: 22 or 10.
    """

    index: int
    z: int
    shifts: tuple[tuple[int, ...], ...]
    info_columns: int


def select(*, k: int, code_rate: float) -> BaseGraph:
    """The base graph and lifting size for a code block of k bits.

    Clause 7.2.2 (6.2.2): graph 2 if k <= 292, or k <= 3824 and code_rate <= 0.67, or code_rate <=
    0.25; else graph 1. Clause 5.2.2: the smallest Z_c with K_b Z_c >= k, where K_b is 22 for
    graph 1 and 10, 9, 8 or 6 for graph 2 by k.

    >>> base = select(k=1024, code_rate=0.5)
    >>> base.index, base.z
    (2, 104)
    """
    index = 2 if k <= 292 or (k <= 3824 and code_rate <= 0.67) or code_rate <= 0.25 else 1
    largest = 8448 if index == 1 else 3840
    if k > largest:
        raise ValueError(
            f"k must be at most {largest} for base graph {index} at rate {code_rate:.3f}, got {k}"
        )
    columns = 22 if index == 1 else 10 if k > 640 else 9 if k > 560 else 8 if k > 192 else 6
    return load(index, min(z for z in _LIFTING_SIZES if columns * z >= k))


@cache
def load(index: int, z: int) -> BaseGraph:
    """The base graph 1 or 2 for a lifting size of Table 5.3.2-1.

    >>> load(2, 4).shifts[0][:5]
    (1, 1, 0, 2, -1)
    """
    if z not in _LIFTING_SIZES:
        raise ValueError(f"z must be a lifting size of TS 38.212 Table 5.3.2-1, got {z}")
    rows, columns, info_columns = (46, 68, 22) if index == 1 else (42, 52, 10)
    shifts = [[-1] * columns for _ in range(rows)]
    for row, column, values in _entries(index):
        shifts[row][column] = values[_LIFTING_SIZES[z]] % z
    return BaseGraph(index, z, tuple(tuple(row) for row in shifts), info_columns)


@cache
def _entries(index: int) -> list[tuple[int, int, list[int]]]:
    """The blocks (row, column, shift for each set) of base graph 1 or 2."""
    package = find_spec("sionna")
    if package is None or not package.submodule_search_locations:
        raise ModuleNotFoundError("the 5G NR base graphs are part of the package sionna-no-rt")
    folder = Path(package.submodule_search_locations[0], "phy", "fec", "ldpc", "codes")
    entries = []
    row = 0
    for line in (folder / f"5G_bg{index}.csv").read_text("utf-8-sig").splitlines()[2:]:
        first, column, *values = line.split(";")
        row = int(first) if first else row
        entries.append((row, int(column), [int(value) for value in values]))
    lines = sorted((s, r, c, v[s]) for r, c, v in entries for s in range(8))
    text = "\n".join(";".join(map(str, line)) for line in lines)
    if (found := hashlib.sha256(text.encode()).hexdigest()) != _SHA256[index]:
        raise ValueError(f"5G_bg{index}.csv must hold SHA-256 {_SHA256[index]}, got {found}")
    return entries
