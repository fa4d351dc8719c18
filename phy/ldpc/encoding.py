"""The arithmetic of encoders over GF(2): sparse products with circulants, for many words at once.

On the CPU a lane is 64 words: a 64-bit integer holds the same bit of each, and an exclusive-or of
two integers adds two bits of all 64. Elsewhere a lane is one word, a byte for each bit. What is
between `to_lanes` and `from_lanes` does not depend on which it is::

    words [..., n] --to_lanes--> [lanes, n] --multiply, ...--> [lanes, m] --from_lanes--> [..., m]
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from phy.arrays import Bits
from phy.host import array, on_host
from phy.jit import kernel

_WORDS = 64


def to_lanes(words: Bits) -> Tensor:
    """Words ``[..., n]`` as ``[lanes, n]``: int64 on the CPU, bit r of lane l of word 64 l + r.

    Raises:
        ValueError: A value that is no bit (on the CPU).

    >>> to_lanes(torch.tensor([[1, 0], [1, 1]], dtype=torch.uint8)).tolist()
    [[3, 2]]
    """
    words = words.reshape(-1, words.shape[-1])
    if not on_host(words):
        return words
    lanes = torch.empty(-(-len(words) // _WORDS), words.shape[1], dtype=torch.int64)
    if not _pack(array(words), array(lanes).view(np.uint64)):
        raise ValueError(f"bits must be 0 or 1, got {int(words.max())}")
    return lanes


def from_lanes(lanes: Tensor, *, batch: Sequence[int]) -> Bits:
    """Undo `to_lanes`: ``[*batch, n]``.

    >>> from_lanes(torch.tensor([[3, 2]]), batch=[2]).tolist()
    [[1, 0], [1, 1]]
    """
    shape = (*batch, lanes.shape[1])
    if lanes.dtype == torch.uint8:
        return lanes.reshape(shape)
    words = torch.empty(shape, dtype=torch.uint8)
    _unpack(array(lanes).view(np.uint64), array(words).reshape(-1, lanes.shape[1]))
    return words


def multiply(blocks: Tensor, x: Tensor, *, rows: int) -> Tensor:
    """The product of a quasi-cyclic matrix with the words of all lanes.

    Args:
        blocks: The matrix' circulants (row, column, shift), int64 ``[circulants, 3]``.
        x: ``[lanes, block columns, z]``.
        rows: Block rows of the matrix.

    Returns:
        ``[lanes, rows, z]``.

    >>> multiply(torch.tensor([[0, 0, 1]]), torch.tensor([[[1, 0, 0]]]), rows=1).tolist()
    [[[0, 0, 1]]]
    """
    z = x.shape[2]
    product = x.new_zeros((len(x), rows, z))
    if x.dtype == torch.int64:
        _multiply(array(blocks), array(x), array(product))
        return product
    for i, j, shift in blocks.tolist():
        s = shift % z
        product[:, i, : z - s] ^= x[:, j, s:]
        product[:, i, z - s :] ^= x[:, j, :s]
    return product


def solve_dual_diagonal(sums: Tensor, shifts: Sequence[int]) -> Tensor:
    """Find the parity p of ``B p = sums`` for the B that IEEE 802.11n and 5G NR share.

    B is square. Its first block column has three circulants, two of them equal, so that the sum of
    all block rows leaves one known shift of p_0; the other columns are a staircase of two
    identities each (rows c - 1 and c of column c), solved from the top once p_0 is known.

    Args:
        sums: ``[lanes, rows, z]``.
        shifts: First block column, -1 for the zero block, ``[rows]``.

    Returns:
        p ``[lanes, rows, z]``.
    """
    present = [s for s in shifts if s >= 0]
    odd = next(s for s in present if present.count(s) % 2)
    first, *others = sums.unbind(1)
    total = first
    for row in others:
        total = total ^ row
    p = [total.roll(odd, 1)]
    carry = torch.zeros_like(total)
    for row, s in zip([first, *others[:-1]], shifts, strict=False):
        carry = carry ^ row if s < 0 else carry ^ row ^ p[0].roll(-s, 1)
        p.append(carry)
    return torch.stack(p, 1)


def running_sums(x: Tensor) -> Tensor:
    """Sums x_0, x_0 + x_1, x_0 + x_1 + x_2, .. of the bits in each lane, ``[lanes, n]``.

    >>> running_sums(torch.tensor([[1, 0, 1, 1]], dtype=torch.uint8)).tolist()
    [[1, 1, 0, 1]]
    """
    if x.dtype == torch.uint8:
        return x.cumsum(1, dtype=torch.uint8) & 1  # modulo 256 keeps the parity
    sums = torch.empty(x.shape, dtype=torch.int64)
    _running_sums(array(x), array(sums))
    return sums


@kernel
def _pack(words: Any, lanes: Any) -> bool:
    """Eight words to a byte, and eight bytes to an integer; returns whether all were bits."""
    n = words.shape[1]
    some = np.empty(n, np.uint8)
    seen = np.uint8(0)
    for i in range(len(lanes)):
        lane = lanes[i]
        lane[:] = 0
        for first in range(64 * i, min(64 * i + 64, len(words)), 8):
            some[:] = 0
            for r in range(min(8, len(words) - first)):
                word = words[first + r]
                for v in range(n):
                    some[v] |= np.uint8(word[v] << r)
                    seen |= word[v]
            shift = np.uint64(first - 64 * i)
            for v in range(n):
                lane[v] |= np.uint64(some[v]) << shift
    return bool(seen < 2)


@kernel
def _unpack(lanes: Any, words: Any) -> None:
    n = words.shape[1]
    some = np.empty(n, np.uint8)
    for first in range(0, len(words), 8):
        lane, shift = lanes[first // 64], np.uint64(first % 64)
        for v in range(n):
            some[v] = np.uint8(lane[v] >> shift)
        for r in range(min(8, len(words) - first)):
            word = words[first + r]
            for v in range(n):
                word[v] = np.uint8(some[v] >> r) & np.uint8(1)


@kernel
def _multiply(blocks: Any, x: Any, product: Any) -> None:
    z = x.shape[2]
    for lane in range(len(x)):
        for c in range(len(blocks)):
            row, column = product[lane, blocks[c, 0]], x[lane, blocks[c, 1]]
            s = blocks[c, 2] % z
            head, tail = column[:s], column[s:]
            for t in range(z - s):
                row[t] ^= tail[t]
            end = row[z - s :]
            for t in range(s):
                end[t] ^= head[t]


@kernel
def _running_sums(x: Any, sums: Any) -> None:
    for lane in range(len(x)):
        total = x[lane, 0] ^ x[lane, 0]
        for i in range(x.shape[1]):
            total ^= x[lane, i]
            sums[lane, i] = total
