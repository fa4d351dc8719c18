"""Parallel binary symmetric channels between an index sent and the index received.

Source: Shin et al., "ESC-MVQ" (2025), eq. 15-20; Jang, Gu and Poole, "Categorical
reparameterization with Gumbel-softmax" (2016).
"""

import numpy as np
import torch
from torch import Tensor

LEAST_EXPONENTIAL = 1e-9
"""Draws below it are raised to it: a draw of 0.0 has no logarithm."""


def label_bits(bits: int) -> Tensor:
    """The labels of all indices, most significant bit first: ``[2**bits, bits]`` of 0.0 and 1.0.

    >>> label_bits(2).tolist()
    [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]
    """
    index = torch.arange(2**bits)[:, None]
    return (index >> torch.arange(bits - 1, -1, -1) & 1).float()


def transition_logits(sent: Tensor, flip_probability: Tensor, labels: Tensor) -> Tensor:
    """Log p(c_k | c_sent) up to a constant of the sub-vector, ``[B, N, K]`` (eq. 17).

    Args:
        sent: Indices ``[B, N]``.
        flip_probability: mu ``[N, bits]``, above 0 and at most 0.5.
        labels: ``[K, bits]``.
    """
    # H = s + l - 2 s l for bits s sent and l of a label: s alone is constant over the labels.
    log_odds = (flip_probability / (1 - flip_probability)).log()
    return (log_odds * (1 - 2 * labels[sent])) @ labels.T


def soft_receive(
    sent: Tensor,
    flip_probability: Tensor,
    codewords: Tensor,
    labels: Tensor,
    *,
    temperature: float,
    generator: torch.Generator,
) -> Tensor:
    """Received codewords ``[B, N, d]``, differentiable in mu and codewords (eq. 19 and 20).

    A draw from the Gumbel-softmax relaxation of the index received; at temperature 0 it is a
    codeword. ``sent`` is ``[B, N]``, ``codewords`` ``[K, d]``.
    """
    logits = transition_logits(sent, flip_probability, labels)
    gumbel = exponential(logits.shape, generator=generator).log_().neg_()
    weights = ((logits + gumbel) / temperature).softmax(-1)
    return weights @ codewords


def exponential(shape: torch.Size, *, generator: torch.Generator) -> Tensor:
    """Draws from the exponential distribution of mean 1, all of them positive.

    numpy's ziggurat, seeded by one draw from ``generator``: four times as fast as torch's own,
    which took half of a training step.
    """
    seed = int(torch.randint(2**62, (), generator=generator))
    draws = np.random.Generator(np.random.SFC64(seed)).standard_exponential(shape, np.float32)
    return torch.from_numpy(draws).clamp_(min=LEAST_EXPONENTIAL)


def hard_receive(
    sent: Tensor, flip_probability: Tensor, *, bits: int, generator: torch.Generator
) -> Tensor:
    """Received indices ``[B, N]``: every bit flipped with its probability ``[N, bits]``."""
    uniform = torch.rand(*sent.shape, bits, generator=generator)
    places = 2 ** torch.arange(bits - 1, -1, -1)
    errors = ((uniform < flip_probability) * places).sum(-1)
    return sent ^ errors
