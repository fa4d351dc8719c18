import pytest
import torch
from scipy import stats

from phy.fading import Fading, NoFading, Rayleigh, Rician
from phy.noise import standard_complex_normal


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(11)


def test_no_fading_is_one_and_draws_nothing() -> None:
    generator = seeded()
    before = generator.get_state()
    assert torch.equal(NoFading().gains(7, generator=generator), torch.ones(7) + 0j)
    assert torch.equal(generator.get_state(), before)


@pytest.mark.parametrize("k_factor", [0.0, 1.0, 10.0])
def test_mean_and_variance(k_factor: float) -> None:
    n = 300_000
    h = Rician(k_factor, span=1).gains(n, generator=seeded()).to(torch.complex128)
    mean, variance = (k_factor / (k_factor + 1)) ** 0.5, 1 / (k_factor + 1)
    assert abs(complex(h.mean()) - mean) < 4 * (variance / n) ** 0.5
    power = h.abs().square()
    # var |h|^2 = variance^2 + 2 mean^2 variance
    spread = (variance**2 + 2 * mean**2 * variance) ** 0.5
    assert abs(float(power.mean()) - 1) < 4 * spread / n**0.5
    assert float(power.var()) == pytest.approx(spread**2, rel=0.03)
    # K from the moments: power of the mean over power around it.
    estimate = float(h.mean().abs() ** 2 / h.var())
    assert estimate == pytest.approx(k_factor, rel=0.02, abs=1e-4)


def test_rayleigh_law() -> None:
    h = Rayleigh(span=1).gains(100_000, generator=seeded())
    assert h.dtype == torch.complex64
    assert stats.kstest(h.abs().square().double().numpy(), "expon").pvalue > 1e-4
    assert stats.kstest(h.angle().double().numpy(), "uniform", (-torch.pi, 2 * torch.pi)).pvalue > (
        1e-4
    )


@pytest.mark.parametrize("k_factor", [1.0, 6.0])
def test_rician_law(k_factor: float) -> None:
    # 2 (1 + K) |h|^2 is noncentral chi-square, 2 degrees of freedom, noncentrality 2 K.
    power = Rician(k_factor, span=1).gains(100_000, generator=seeded()).abs().square().double()
    scaled = (2 * (1 + k_factor) * power).numpy()
    assert stats.kstest(scaled, stats.ncx2(2, 2 * k_factor).cdf).pvalue > 1e-4


def test_rician_without_line_of_sight_is_rayleigh() -> None:
    draws = [f.gains(50, generator=seeded()) for f in (Rician(0.0, span=3), Rayleigh(span=3))]
    assert torch.equal(draws[0], draws[1])
    assert torch.equal(
        draws[1][::3], standard_complex_normal(17, generator=seeded())
    )  # one draw per span


@pytest.mark.parametrize("fading", [Rayleigh(span=4), Rician(2.0, span=4)])
def test_span(fading: Fading) -> None:
    h = fading.gains(10, generator=seeded())
    assert torch.equal(h[:8].reshape(2, 4), h[[0, 4]][:, None].expand(2, 4))
    assert len(set(h.tolist())) == 3
    assert torch.equal(h[8:], h[8].expand(2))


@pytest.mark.parametrize("fading", [Rayleigh(span=None), Rician(2.0, span=None)])
def test_one_gain_for_all(fading: Fading) -> None:
    h = fading.gains(10, generator=seeded())
    assert torch.equal(h, h[0].expand(10))
    assert fading.gains(0, generator=seeded()).shape == (0,)


@pytest.mark.parametrize(
    "fading",
    [NoFading(), Rayleigh(1), Rayleigh(5), Rayleigh(None), Rician(1.0, 1), Rician(1.0, 7)],
)
def test_prefix_of_a_longer_draw(fading: Fading) -> None:
    longest = fading.gains(1000, generator=seeded())
    for count in (0, 1, 2, 7, 15, 16, 17, 64, 999):
        assert torch.equal(fading.gains(count, generator=seeded()), longest[:count])


def test_refused() -> None:
    with pytest.raises(ValueError, match="span must be at least 1 or None, got 0"):
        Rayleigh(span=0)
    with pytest.raises(ValueError, match="span must be at least 1 or None, got -2"):
        Rician(1.0, span=-2)
    for k_factor in (-0.1, float("inf"), float("nan")):
        with pytest.raises(ValueError, match="k_factor must be finite and at least 0"):
            Rician(k_factor, span=1)
    for fading in (NoFading(), Rayleigh(1), Rayleigh(None)):
        with pytest.raises(ValueError, match="count must be at least 0, got -1"):
            fading.gains(-1, generator=seeded())
