"""Integers and bytes to bits and back, most significant bit first."""

import torch
from torch import Tensor

from phy.arrays import Bits


def unpack_integers(values: Tensor, *, width: int) -> Bits:
    """Write each integer as ``width`` bits, most significant bit first.

    Args:
        values: ``[..., n]``, any integer type, each in ``[0, 2**width)``.
        width: Bits of one integer, 1 to 62.

    Returns:
        Bits ``[..., n * width]``.

    >>> unpack_integers(torch.tensor([5, 2]), width=3).tolist()
    [1, 0, 1, 0, 1, 0]
    """
    _check_width(width)
    if values.is_floating_point() or values.is_complex():
        raise ValueError(f"values must be integers, got {values.dtype}")
    wide = values.to(torch.int64)
    if bool(((wide < 0) | (wide >= 1 << width)).any()):
        raise ValueError(
            f"values must be in [0, 2**{width}), got {int(wide.min())} to {int(wide.max())}"
        )
    shifts = torch.arange(width - 1, -1, -1, device=values.device)
    return ((wide[..., None] >> shifts) & 1).to(torch.uint8).flatten(-2)


def pack_integers(bits: Bits, *, width: int) -> Tensor:
    """Read integers from groups of ``width`` bits: the inverse of `unpack_integers`.

    Args:
        bits: ``[..., n * width]``.
        width: Bits of one integer, 1 to 62.

    Returns:
        int64 ``[..., n]``.

    >>> pack_integers(torch.tensor([1, 0, 1, 0, 1, 0], dtype=torch.uint8), width=3).tolist()
    [5, 2]
    """
    _check_width(width)
    if bits.shape[-1] % width:
        raise ValueError(f"bits must be a multiple of width {width}, got {bits.shape[-1]} bits")
    groups = bits.to(torch.int64).reshape(*bits.shape[:-1], bits.shape[-1] // width, width)
    weights = 1 << torch.arange(width - 1, -1, -1, device=bits.device)
    return (groups * weights).sum(-1)


def unpack_bytes(data: bytes) -> Bits:
    """The bits ``[8 * len(data)]`` of a byte string.

    >>> unpack_bytes(bytes([0x0F])).tolist()
    [0, 0, 0, 0, 1, 1, 1, 1]
    """
    if not data:
        return torch.zeros(0, dtype=torch.uint8)
    return unpack_integers(torch.frombuffer(bytearray(data), dtype=torch.uint8), width=8)


def pack_bytes(bits: Bits) -> bytes:
    r"""The byte string that bits ``[8 * n]`` stand for: the inverse of `unpack_bytes`.

    >>> pack_bytes(torch.tensor([0, 0, 0, 0, 1, 1, 1, 1], dtype=torch.uint8))
    b'\x0f'
    """
    if bits.dim() != 1:
        raise ValueError(f"bits must have one dimension, got shape {tuple(bits.shape)}")
    return bytes(pack_integers(bits, width=8).tolist())


def _check_width(width: int) -> None:
    if not 1 <= width <= 62:
        raise ValueError(f"width must be 1 to 62, got {width}")
