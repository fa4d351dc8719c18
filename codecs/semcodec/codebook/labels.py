"""The label of a codeword is its index in natural binary, most significant bit first.

A codebook of K = 2**B codewords has labels of B bits; place 0 is the most significant bit. The
checks of what all functions of this room are given are here too.
"""

import torch
from torch import Tensor


def label_length(size: int) -> int:
    """The number B of bits that label ``size`` = 2**B codewords.

    Raises:
        ValueError: Labels would be left over.

    >>> label_length(512)
    9
    """
    if size < 1 or size & (size - 1):
        raise ValueError(f"codebook size must be a power of two, got {size}")
    return size.bit_length() - 1


def gray(position: Tensor) -> Tensor:
    """Reflected binary Gray label of each position: p XOR floor(p / 2).

    Neighbouring positions, and the last and the first of 2**B, differ in one bit.

    >>> gray(torch.arange(8)).tolist()
    [0, 1, 3, 2, 6, 7, 5, 4]
    """
    return position ^ (position >> 1)


def weight(label: Tensor) -> Tensor:
    """Hamming weight: the number of ones in each label (int64, below 2**31).

    >>> weight(torch.tensor([0, 1, 6, 255])).tolist()
    [0, 1, 2, 8]
    """
    ones = torch.zeros_like(label)
    for place in range(31):
        ones += (label >> place) & 1
    return ones


def checked_codewords(codewords: Tensor) -> Tensor:
    """Codewords ``[K, D]`` in float64.

    Raises:
        ValueError: Another shape, a size that is no power of two, or a value that is not finite.
    """
    if codewords.dim() != 2:
        raise ValueError(f"codewords must be [K, D], got {list(codewords.shape)}")
    label_length(len(codewords))
    if not bool(codewords.isfinite().all()):
        raise ValueError("codewords must be finite, got infinity or NaN")
    return codewords.to(torch.float64)


def checked_probability(probability: Tensor, *, size: int) -> Tensor:
    """Probabilities ``[K]`` in float64.

    Raises:
        ValueError: Another shape, a negative value, or a sum more than 1e-5 away from one.

    >>> checked_probability(torch.tensor([0.5, 0.6]), size=2)
    Traceback (most recent call last):
    ...
    ValueError: probability must add up to 1, got 1.1
    """
    if probability.shape != (size,):
        raise ValueError(f"probability must be [{size}], got {list(probability.shape)}")
    p = probability.to(torch.float64)
    if not bool((p >= 0).all()):
        raise ValueError(f"probability must be at least 0, got {float(p.min()):g}")
    total = float(p.sum())
    if not abs(total - 1) <= 1e-5:
        raise ValueError(f"probability must add up to 1, got {total:g}")
    return p


def checked_flips(flip_probability: float | Tensor, *, bits: int) -> Tensor:
    """Flip probability of each bit of a label, ``[B]`` float64, MSB first.

    Args:
        flip_probability: One value for all bits, or ``[B]``; in [0, 1].
        bits: The length B of a label.

    Raises:
        ValueError: Another shape or range.

    >>> checked_flips(0.25, bits=2).tolist()
    [0.25, 0.25]
    """
    flips = torch.as_tensor(flip_probability, dtype=torch.float64)
    if flips.shape not in ((), (bits,)):
        raise ValueError(f"flip_probability must be one value or [{bits}], got {list(flips.shape)}")
    if not bool(((flips >= 0) & (flips <= 1)).all()):
        raise ValueError(f"flip_probability must be in [0, 1], got {flips.tolist()}")
    return flips.expand(bits)


def uniform(size: int) -> Tensor:
    """Equal probabilities ``[K]``, float64.

    >>> uniform(4).tolist()
    [0.25, 0.25, 0.25, 0.25]
    """
    return torch.full((size,), 1 / size, dtype=torch.float64)
