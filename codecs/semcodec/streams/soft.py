"""Soft decoding of fixed-length indices: the posterior mean of the codeword.

With L_j = ln P(b_j = 0) / P(b_j = 1), bit j of label b is sent with likelihood proportional to
exp(-b_j L_j); divided by the larger of the two, which does not depend on the codeword,

    ln p(k | L) = ln P(k) + sum_j min(0, (1 - 2 b_j(k)) L_j) + const.

(This is the usual -sum_j b_j L_j plus a constant, but no term is positive: an infinite LLR adds 0
or -inf and never inf - inf or 0 inf.) The estimate of least mean square error is the mean
E[e] = sum_k p(k | L) e_k. Source: M. Skoglund and P. Hedelin, "Hadamard-based soft decoding for
vector quantization over noisy channels", IEEE Trans. Inf. Theory 45 (1999).
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from semcodec.codec import Indices

_MOST_ELEMENTS = 1 << 22  # of a block of posteriors: 16 MB of float32


@dataclass(frozen=True)
class SoftDecoded:
    """What is known of the codewords sent.

    Attributes:
        vectors: Posterior mean ``[..., n, D]``.
        indices: Codeword of the largest posterior, int64 ``[..., n]``.
    """

    vectors: Tensor
    indices: Indices


def soft_decode(
    llrs: Tensor, *, prior: Tensor, codewords: Tensor, labels: Tensor | None = None
) -> SoftDecoded:
    """The posterior mean, and the most probable codeword, of each index.

    Where certain bits (infinite LLRs) say what the prior excludes, they are believed and the
    prior is not. Images (leading dimensions) are worked on one at a time, each in the same
    blocks: a product of matrices may round differently in another shape.

    Args:
        llrs: ``[..., n, B]``, ln P(b = 0) / P(b = 1), most significant bit first; may be infinite.
        prior: P(k), ``[2**B]``, not negative, with a positive sum.
        codewords: e_k, floating point ``[2**B, D]``; the result has its type.
        labels: The bit label of each codeword as a number, ``[2**B]``, a permutation; None for
            the natural ones, label k = k. For Gray labels `fixed.index_labels`.

    Returns:
        Means ``[..., n, D]`` and indices ``[..., n]``.

    >>> book = torch.tensor([[-1.0], [1.0]])
    >>> even = torch.tensor([0.5, 0.5])
    >>> llrs = torch.tensor([[0.0], [torch.inf], [-torch.inf]])
    >>> decoded = soft_decode(llrs, prior=even, codewords=book)
    >>> decoded.vectors.flatten().tolist(), decoded.indices.tolist()
    ([0.0, -1.0, 1.0], [0, 0, 1])
    """
    size, dimension = _check(llrs, prior, codewords)
    by_label = _codewords_by_label(labels, size).to(codewords.device)
    log_prior = prior.to(codewords.dtype)[by_label].log()
    book = codewords[by_label].contiguous()
    *batch, n, width = llrs.shape
    vectors = codewords.new_empty(llrs[..., 0].numel(), dimension)
    indices = torch.empty(len(vectors), dtype=torch.int64, device=codewords.device)
    place, block = 0, max(1, _MOST_ELEMENTS // size)
    for image in llrs.to(codewords.dtype).reshape(math.prod(batch), n, width).unbind():
        for first in range(0, n, block):
            part = image[first : first + block]
            likelihood = _log_likelihood(part)
            posterior = likelihood + log_prior
            excluded = posterior.amax(-1, keepdim=True).isinf()
            posterior = torch.where(excluded, likelihood, posterior)
            rows = slice(place, place + len(part))
            vectors[rows] = torch.softmax(posterior, -1) @ book
            indices[rows] = by_label[posterior.argmax(-1)]
            place += len(part)
    return SoftDecoded(vectors.reshape(*batch, n, dimension), indices.reshape(*batch, n))


def _log_likelihood(llrs: Tensor) -> Tensor:
    """sum_j min(0, (1 - 2 b_j) L_j) for every label, ``[n, 2**B]``, of LLRs ``[n, B]``.

    From the last bit on, each one is put in front of all labels so far: 2**(B+1) additions
    instead of B 2**B.
    """
    total = llrs.new_zeros(len(llrs), 1)
    for llr in llrs.flip(-1).unbind(-1):
        bit = torch.stack([llr, -llr], -1).clamp(max=0)
        total = (bit[:, :, None] + total[:, None, :]).flatten(1)
    return total


def _check(llrs: Tensor, prior: Tensor, codewords: Tensor) -> tuple[int, int]:
    """The size of the codebook and its dimension."""
    if llrs.dim() < 2 or not llrs.is_floating_point() or not 1 <= llrs.shape[-1] <= 16:
        raise ValueError(
            "llrs must be floating point [..., n, B] with B from 1 to 16, "
            f"got {llrs.dtype} {list(llrs.shape)}"
        )
    size = 1 << llrs.shape[-1]
    if codewords.dim() != 2 or len(codewords) != size or not codewords.is_floating_point():
        raise ValueError(
            f"codewords must be floating point [{size}, D] for {llrs.shape[-1]} bits, "
            f"got {codewords.dtype} {list(codewords.shape)}"
        )
    if prior.shape != (size,) or not bool((prior >= 0).all() and 0 < prior.sum() < torch.inf):
        raise ValueError(
            f"prior must be [{size}], finite, not negative and not all zero, "
            f"got {list(prior.shape)} from {float(prior.min())} to {float(prior.max())}"
        )
    if bool(llrs.isnan().any()):
        raise ValueError("llrs must be numbers, got NaN")
    return size, codewords.shape[1]


def _codewords_by_label(labels: Tensor | None, size: int) -> Tensor:
    """Codeword of each label, ``[size]``: the inverse permutation."""
    if labels is None:
        return torch.arange(size)
    if labels.shape != (size,) or not torch.equal(labels.sort().values.cpu(), torch.arange(size)):
        raise ValueError(
            f"labels must be a permutation of 0 to {size - 1}, got {list(labels.shape)} "
            f"from {int(labels.min())} to {int(labels.max())}"
        )
    return labels.argsort()
