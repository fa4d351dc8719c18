import pytest
import torch

from semcodec.codebook.analysis import analyse
from semcodec.codebook.distortion import channel_distortion, random_labelling_distortion


def test_analysis_holds_what_the_functions_say() -> None:
    generator = torch.Generator().manual_seed(6)
    codewords = torch.randn(32, 3, generator=generator)
    p = torch.rand(32, generator=generator)
    p[7] = 0
    p = p / p.sum()
    design: torch.Tensor | float = torch.tensor([0.1, 0.01, 0.02, 0.03, 0.2])
    eps, weight = [1e-3, 0.1, 0.5], [0.0, 0.01, 10.0]
    found = analyse(
        codewords, probability=p, design=design, flip_probability=eps, relative_weight=weight
    )
    assert (found.usage.codebook_size, found.usage.dead) == (32, 1)
    everywhere: list[torch.Tensor | float] = [design, *eps]
    for values, of in (
        ([found.design_exact, *found.exact.tolist()], channel_distortion),
        ([found.design_random, *found.random.tolist()], random_labelling_distortion),
    ):
        expected = [of(codewords, flip_probability=e, probability=p) for e in everywhere]
        assert values == pytest.approx(expected)
    mean = p.double() @ codewords.double()
    variance = float(p.double() @ (codewords - mean).square().sum(1))
    assert found.weight == pytest.approx([0.0, 0.01 * variance, 10 * variance])
    assert found.best_size.shape == (3, 3)
    assert int(found.best_size[0, 0]) == 32  # nothing is as good as all codewords at no price
    assert found.best_size[:, 2].tolist() == [1, 1, 1]


def test_without_errors_and_price_of_a_bit_by_hand() -> None:
    """Four corners: 3 unit^2 less by the first bit of (0, 2) x (0, 1), then 1/4 by the second."""
    corners = torch.tensor([[0.0, 0.0], [0.0, 1.0], [2.0, 0.0], [2.0, 1.0]])
    found = analyse(
        corners, probability=torch.full((4,), 0.25), design=0.1, flip_probability=[0.0],
        relative_weight=[0.19, 0.21, 0.79, 0.81],
    )  # fmt: skip
    assert found.best_size.tolist() == [[4, 2, 2, 1]]
