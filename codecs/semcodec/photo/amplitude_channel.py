"""Indices as amplitudes with noise: what a system for 64-QAM is trained over.

Source: "MOC-RVQ: Multilevel codebook-assisted digital generative semantic communication", section
II-B: an index of eight values is one axis of a 64-QAM symbol, sent over AWGN without a code.
"""

import torch
from torch import Tensor


def axis_spacing(levels: int) -> float:
    """Half the distance between neighbouring amplitudes of a square QAM of unit mean energy.

    >>> round(axis_spacing(8), 4)  # 64-QAM: 1 / sqrt(42)
    0.1543
    """
    return float((1.5 / (levels * levels - 1)) ** 0.5)


def receive_indices(
    sent: Tensor, *, labels: Tensor, esn0_db: Tensor, generator: torch.Generator
) -> Tensor:
    """Indices ``[B, ...]`` that a receiver with hard decisions reads.

    Args:
        sent: Indices int64 ``[B, ...]`` in ``[0, K)``.
        labels: int64 ``[K]``: the index that each amplitude stands for, from the lowest one up.
        esn0_db: Es/N0 of the two-dimensional symbols for each picture, ``[B]``.
        generator: Of the noise.

    Raises:
        ValueError: Labels that are no permutation.
    """
    levels = len(labels)
    place = torch.empty_like(labels)
    if not torch.equal(labels.sort().values, torch.arange(levels)):
        raise ValueError(
            f"labels must be a permutation of 0 to {levels - 1}, got {labels.tolist()}"
        )
    place[labels] = torch.arange(levels)
    # In units of half a spacing the amplitudes are 2 p - (K - 1), the noise N0 / 2 an axis.
    deviation = (0.5 * 10 ** (-esn0_db / 10)).sqrt() / axis_spacing(levels)
    deviation = deviation.reshape(-1, *[1] * (sent.dim() - 1))
    noise = torch.randn(sent.shape, generator=generator)
    arrived = (place[sent] + deviation * noise / 2).round().clamp(0, levels - 1)
    return labels[arrived.long()]
