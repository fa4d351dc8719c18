"""Codewords on data: k-means, and labels for a noisy channel."""

import torch

from semcodec.codebook import channel_distortion
from semcodec.system32.fixed_flips import FixedFlips
from semcodec.system32.grounded import Grounded
from semcodec.system32.learned_flips import FlipRange, LearnedFlips
from semcodec.system32.placement import place
from semcodec.system32.plain import Plain


def vectors(seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(40, 16, 3, generator=generator) * torch.tensor([2.0, 1.0, 0.3])


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(5)


def distortion(codewords: torch.Tensor) -> float:
    even = torch.full((len(codewords),), 1 / len(codewords), dtype=torch.float64)
    return channel_distortion(codewords, flip_probability=0.02, probability=even)


def test_labels_are_another_order_of_the_same_codewords_and_better() -> None:
    plain = place(vectors(), 32, generator=generator())
    ordered = place(vectors(), 32, generator=generator(), design_flip=0.02)
    assert sorted(map(tuple, plain.tolist())) == sorted(map(tuple, ordered.tolist()))
    assert distortion(ordered) < 0.6 * distortion(plain)


def test_who_gets_ordered_labels() -> None:
    """Those whose training knows the channel; the plain VQ-VAE keeps the numbers of k-means."""
    makers = {
        "plain": Plain(bits=5, dimension=3),
        "entropy": Grounded(
            bits=5, dimension=3, cells=16, flip=0.02, entropy_weight=0.1, channel_weight=0
        ),
        "channel": Grounded(
            bits=5, dimension=3, cells=16, flip=0.02, entropy_weight=0, channel_weight=1
        ),
        "fixed": FixedFlips(bits=5, dimension=3, cells=16, flip=0.02),
        "learned": LearnedFlips(
            [FlipRange(0.001, 1.0), FlipRange(0.02, 2.0)], bits=5, dimension=3, cells=16
        ),
    }
    for quantizer in makers.values():
        quantizer.place(vectors(), generator=generator())  # type: ignore[operator]
    books = {name: q.codewords.detach() for name, q in makers.items()}  # type: ignore[union-attr]
    plain = place(vectors(), 32, generator=generator())
    ordered = place(vectors(), 32, generator=generator(), design_flip=0.02)
    for name in ("plain", "entropy"):
        assert torch.equal(books[name][0], plain), name
    for name in ("channel", "fixed", "learned"):
        assert torch.equal(books[name][0], ordered), name
    assert torch.equal(books["learned"][1], ordered)
