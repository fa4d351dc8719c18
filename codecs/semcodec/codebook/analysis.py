"""All that is to be said of one codebook, in one object."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from semcodec.codebook.distance import DistanceProfile, distance_profile
from semcodec.codebook.distortion import channel_distortion, random_labelling_distortion
from semcodec.codebook.labels import label_length
from semcodec.codebook.size import (
    SizedCodebook,
    distortion_by_size,
    optimal_size,
    split_codebooks,
)
from semcodec.codebook.usage import Usage, usage


@dataclass(frozen=True, eq=False)
class Analysis:
    """Use, distances, distortion and best size of a codebook.

    Attributes:
        usage: How evenly the codewords are used.
        probability: ``[K]``, as given.
        profile: Distance against Hamming distance.
        design_exact: D_ch at the design's flip probability, with the present labels.
        design_random: The same, mean over all labellings.
        flip_probability: The E values of the curves below.
        exact: D_ch at each of them with the present labels, float64 ``[E]``.
        random: The mean over all labellings, ``[E]``.
        weight: The W prices of a bit, in squared distance.
        best_size: K* ``[E, W]`` among the sizes up to K.
    """

    usage: Usage
    probability: Tensor
    profile: DistanceProfile
    design_exact: float
    design_random: float
    flip_probability: tuple[float, ...]
    exact: Tensor
    random: Tensor
    weight: tuple[float, ...]
    best_size: Tensor


def analyse(
    codewords: Tensor,
    *,
    probability: Tensor,
    design: float | Tensor,
    flip_probability: Sequence[float],
    relative_weight: Sequence[float],
) -> Analysis:
    """Compute what `Analysis` holds.

    K* is taken among this codebook and smaller ones that `split_codebooks` makes of its
    codewords with their probabilities, all with random labels. Where codewords are the means of
    their cells, the distortion of the vectors is that of the codewords plus one constant, which
    changes no K*.

    Args:
        codewords: ``[K, D]``, K = 2**B at least 2.
        probability: ``[K]``, adding up to 1.
        design: Flip probability of every bit, or ``[B]`` MSB first, to tell one distortion for.
        flip_probability: Of every bit, E values for the curves.
        relative_weight: W prices of a bit as a share of the codewords' variance, the distortion
            of the codebook of size 1.

    Raises:
        ValueError: Input of other shape, size, range or sum.

    >>> line = torch.tensor([[0.0], [1.0], [2.0], [3.0]])
    >>> found = analyse(
    ...     line, probability=torch.full((4,), 0.25), design=0.01, flip_probability=[0.01, 0.2],
    ...     relative_weight=[0.01, 0.1],
    ... )
    >>> found.best_size.tolist()
    [[4, 4], [2, 2]]
    """
    p = probability.to(torch.float64)
    profile = distance_profile(codewords, probability=p)
    bits = label_length(len(codewords))
    smaller = split_codebooks(codewords, probability=p, most_bits=bits - 1)
    books = [*smaller, SizedCodebook(codewords.to(torch.float64), p, 0.0)]
    weight = tuple(share * smaller[0].quantization for share in relative_weight)
    exact, random = (
        torch.tensor(
            [
                of(codewords, flip_probability=eps, probability=p)
                for eps in (design, *flip_probability)
            ],
            dtype=torch.float64,
        )
        for of in (channel_distortion, random_labelling_distortion)
    )
    table = distortion_by_size(books, flip_probability=flip_probability, labelling="random")
    return Analysis(
        usage=usage(p),
        probability=p,
        profile=profile,
        design_exact=float(exact[0]),
        design_random=float(random[0]),
        flip_probability=tuple(flip_probability),
        exact=exact[1:],
        random=random[1:],
        weight=weight,
        best_size=optimal_size(table, bits=range(bits + 1), weight=weight),
    )
