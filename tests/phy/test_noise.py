from collections.abc import Callable
from typing import TypeAlias

import pytest
import torch
from scipy import stats

from phy.noise import standard_complex_normal, uniform

Draw: TypeAlias = Callable[..., torch.Tensor]

FIRST = [1.3027238845825195 + 0.36690863966941833j, -1.2105112075805664 - 1.203056812286377j]
"""The first values of seed 5. Results of all runs hang on these numbers."""


def seeded(seed: int = 5) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("draw", [standard_complex_normal, uniform])
def test_prefix_of_a_longer_draw(draw: Draw) -> None:
    longest = draw(10_007, generator=seeded())
    for count in [*range(70), 100, 127, 1000, 4095, 4096, 4097, 10_006]:
        found = draw(count, generator=seeded())
        assert found.shape == (count,)
        assert torch.equal(found, longest[:count]), count


@pytest.mark.parametrize("count", [1, 8, 100, 70_001])
def test_values_are_those_of_randn(count: int) -> None:
    parts = torch.randn(2 * count + -2 * count % 16, generator=seeded())[: 2 * count] * 0.5**0.5
    found = standard_complex_normal(count, generator=seeded())
    assert torch.equal(torch.view_as_real(found).flatten(), parts)
    if count >= 8:  # 16 real values are transformed together
        assert found[:2].tolist() == pytest.approx(FIRST, abs=1e-6)


def test_complex_normal_law() -> None:
    n = 400_000
    values = standard_complex_normal(n, generator=seeded())
    assert values.dtype == torch.complex64
    parts = torch.view_as_real(values).double()
    assert parts.mean(0).abs().max() < 4 * (0.5 / n) ** 0.5
    # The variance of a part is 1/2, with a standard error of (1/2) sqrt(2 / n).
    assert (parts.square().mean(0) - 0.5).abs().max() < 4 * 0.5 * (2 / n) ** 0.5
    assert abs(float(parts.prod(1).mean())) < 4 * 0.5 / n**0.5
    for part in parts.T:
        assert stats.kstest(part[:50_000].numpy(), "norm", args=(0, 0.5**0.5)).pvalue > 1e-4
    following = (values[1:] * values[:-1].conj()).mean().abs()
    assert float(following) < 5 / n**0.5


def test_uniform_law() -> None:
    values = uniform(100_000, generator=seeded())
    assert values.dtype == torch.float32
    assert 0 <= float(values.min()) < float(values.max()) < 1
    assert stats.kstest(values.double().numpy(), "uniform").pvalue > 1e-4


def test_draws_advance_the_generator() -> None:
    generator = seeded()
    first, second = (standard_complex_normal(8, generator=generator) for _ in range(2))
    assert not torch.equal(first, second)
    assert not torch.equal(first, standard_complex_normal(8, generator=seeded(6)))


def test_device() -> None:
    moved = uniform(3, generator=seeded(), device=torch.device("cpu"))
    assert torch.equal(moved, uniform(3, generator=seeded()))


@pytest.mark.parametrize("draw", [standard_complex_normal, uniform])
def test_refused_count(draw: Draw) -> None:
    with pytest.raises(ValueError, match="count must be at least 0, got -1"):
        draw(-1, generator=seeded())
