"""Soft and hard demapping of one axis or of the plane, as pure functions.

Received y = s + n, n ~ CN(0, N0), all points equally likely: P(s_k | y) ~ exp(-|y - s_k|^2 / N0)
and

    exact    LLR_j = ln sum_{k: b_j(k) = 0} exp(m_k) - ln sum_{k: b_j(k) = 1} exp(m_k)
    max-log  LLR_j = max_{k: b_j(k) = 0} m_k - max_{k: b_j(k) = 1} m_k

with m_k the distance metric. On one axis the noise has variance N0 / 2, so the same exponent
-(y - l_k)^2 / N0 holds there. The metrics are taken relative to the point r nearest to y,

    m_k = -(|y - s_k|^2 - |y - s_r|^2) / N0 = 2 / N0 <d, e - d / 2>,  d = s_k - s_r,  e = y - s_r,

which neither loses digits near a point (as 2 y s - s^2 does) nor far away (as (y - s)^2 does).
Metrics saturate at -1e30, so that no finite input makes an infinity or NaN.

This is the reference, and what takes double precision, other devices than the CPU, gradients and
large constellations; for the rest `phy.demap_fold` and `phy.demap_plane` find the same LLRs faster.

Sums are folded in halves by elementwise additions, and only unary transcendental functions of
contiguous tensors are used: a symbol's LLRs do not depend on its place in the batch.

In the shapes: n symbols, L = 2**a levels or points (index = label, MSB first).
"""

from collections.abc import Callable
from typing import Literal, TypeAlias

import torch
from torch import Tensor

Method: TypeAlias = Literal["exact", "max_log"]

_BLOCK_ELEMENTS = 2**17
"""Size of the largest intermediate ``[L, block]``: it stays within a core's cache."""

_FLOOR = -1e30
"""The least metric."""

_NEGLIGIBLE = -80.0
"""A term of exp(-80) changes no sum of which the largest term is 1; denormal ones are slow."""


def axis_llrs(amplitude: Tensor, levels: Tensor, noise_variance: Tensor, method: Method) -> Tensor:
    """LLRs of the bits of one axis.

    Args:
        amplitude: Real ``[n]``, contiguous.
        levels: Same dtype, ``[L]``.
        noise_variance: Same dtype, ``[n]``: N0 > 0 per *complex* symbol; may be infinite.
        method: ``exact`` or ``max_log``.

    Returns:
        ``[n, a]`` with a = log2(L).

    >>> levels, n0 = torch.tensor([1.0, -1.0]), torch.tensor([0.5, 2.0])
    >>> axis_llrs(torch.tensor([1.0, 1.0]), levels, n0, "exact").tolist()  # 4 y / N0
    [[8.0], [2.0]]
    """
    llrs = amplitude.new_empty(len(amplitude), len(levels).bit_length() - 1)
    for part in _blocks(len(amplitude), len(levels)):
        y = amplitude[part]
        reference = levels[_best(_scores(y, levels))]
        llrs[part] = _marginals(
            _correlation(y - reference, levels[:, None] - reference, _scale(noise_variance[part])),
            method,
        )
    return llrs


def plane_llrs(received: Tensor, points: Tensor, noise_variance: Tensor, method: Method) -> Tensor:
    """LLRs of the bits of points anywhere in the plane.

    Args:
        received: Complex ``[n]``.
        points: Same dtype, ``[L]``.
        noise_variance: Real ``[n]``: N0 > 0; may be infinite.
        method: ``exact`` or ``max_log``.

    Returns:
        ``[n, a]`` with a = log2(L).

    >>> points, n0 = torch.tensor([1.0 + 0j, -1.0 + 0j]), torch.tensor([0.5])
    >>> plane_llrs(torch.tensor([1.0 + 3j]), points, n0, "exact").tolist()
    [[8.0]]
    """
    llrs = received.real.new_empty(len(received), len(points).bit_length() - 1)
    for part in _blocks(len(received), len(points)):
        y = received[part]
        reference = points[_best(_plane_scores(y, points))]
        scale = _scale(noise_variance[part])
        error, apart = y - reference, points[:, None] - reference
        on_i = _correlation(error.real, apart.real, scale)
        on_q = _correlation(error.imag, apart.imag, scale)
        llrs[part] = _marginals(on_i + on_q, method)
    return llrs


def nearest_level(amplitude: Tensor, levels: Tensor) -> Tensor:
    """Label ``[n]`` of the level nearest to each amplitude ``[n]``; the lower label of equals.

    >>> nearest_level(torch.tensor([0.2, -7.0]), torch.tensor([1.0, -1.0])).tolist()
    [0, 1]
    """
    label = torch.empty(len(amplitude), dtype=torch.int64, device=amplitude.device)
    for part in _blocks(len(amplitude), len(levels)):
        label[part] = _best(_scores(amplitude[part], levels))
    return label


def nearest_point(received: Tensor, points: Tensor) -> Tensor:
    """Label ``[n]`` of the point nearest to each received symbol ``[n]``, complex.

    >>> nearest_point(torch.tensor([0.1 + 2j]), torch.tensor([1.0 + 0j, 1j])).tolist()
    [1]
    """
    label = torch.empty(len(received), dtype=torch.int64, device=received.device)
    for part in _blocks(len(received), len(points)):
        label[part] = _best(_plane_scores(received[part], points))
    return label


def _blocks(count: int, levels: int) -> list[slice]:
    """Slices of ``[0, count)`` that keep ``[levels, block]`` within the block size."""
    step = _BLOCK_ELEMENTS // levels
    return [slice(start, start + step) for start in range(0, count, step)]


def _scores(y: Tensor, levels: Tensor) -> Tensor:
    """Nearness ``[L, n]`` of y to the levels: (y l - l^2 / 2) / 4, growing as (y - l)^2 falls."""
    return y * (levels / 4)[:, None] - (levels * levels / 8)[:, None]


def _plane_scores(y: Tensor, points: Tensor) -> Tensor:
    """The same in the plane."""
    return _scores(y.real, points.real) + _scores(y.imag, points.imag)


def _best(scores: Tensor) -> Tensor:
    """Label ``[n]`` of the largest of scores ``[L, n]``, the lower one of equals.

    A knock-out in halves, 20 times faster than ``argmax`` over the first dimension.
    """
    label = torch.arange(len(scores), dtype=torch.int16, device=scores.device)[:, None]
    label = label.expand(scores.shape)
    while len(scores) > 1:
        middle = len(scores) // 2
        above = scores[middle:] > scores[:middle]
        label = torch.where(above, label[middle:], label[:middle])
        scores = torch.maximum(scores[:middle], scores[middle:])
    return label[0].to(torch.int64)


def _scale(noise_variance: Tensor) -> Tensor:
    """2 / N0 ``[n]``; a product with it stays below infinity."""
    return (2 / noise_variance).clamp(max=-_FLOOR)


def _correlation(e: Tensor, d: Tensor, scale: Tensor) -> Tensor:
    """One axis' part of the metrics, scale d (e - d / 2): ``[L, n]`` of e ``[n]``, d ``[L, n]``."""
    return ((e - d / 2) * (d * scale)).clamp(min=_FLOOR, max=-_FLOOR)


def _marginals(metrics: Tensor, method: Method) -> Tensor:
    """LLRs ``[n, a]`` of metrics ``[L, n]``: the label's bits are the dimensions of a cube."""
    size, n = metrics.shape
    llrs = []
    for bit in range(size.bit_length() - 1):
        halves = metrics.reshape(2**bit, 2, -1, n).transpose(0, 1).reshape(2, size // 2, n)
        best = _fold(halves, torch.maximum)
        llr = best[0] - best[1]
        if method == "exact":
            below = (halves - best[:, None]).clamp_(min=_NEGLIGIBLE)
            total = _fold(below.exp_(), torch.add).log_()
            llr = llr + (total[0] - total[1])
        llrs.append(llr)
    return torch.stack(llrs, dim=-1) if llrs else metrics.new_empty(n, 0)


def _fold(halves: Tensor, combine: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """Combine the middle dimension of ``[2, 2**k, n]`` pairwise down to ``[2, n]``."""
    while halves.shape[1] > 1:
        middle = halves.shape[1] // 2
        halves = combine(halves[:, :middle], halves[:, middle:])
    return halves[:, 0]
