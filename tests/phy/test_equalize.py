from collections.abc import Callable
from typing import TypeAlias

import pytest
import torch
from torch import Tensor

from phy import equalize as equalize_module
from phy.channel import transmit
from phy.equalize import Equalized, mmse, zero_forcing
from phy.fading import Rayleigh
from phy.noise import standard_complex_normal
from phy.qam import qam

Equalize: TypeAlias = Callable[[Tensor, Tensor, float | Tensor], Equalized]


def scene(count: int, n0: float | Tensor) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(8)
    bits = torch.randint(0, 2, (4 * count,), generator=generator, dtype=torch.uint8)
    h = Rayleigh(span=1).gains(count, generator=generator)
    noise = standard_complex_normal(count, generator=generator)
    x = qam(16).map(bits)
    return x, h, transmit(x, gains=h, noise_variance=n0, noise=noise)


def test_zero_forcing_is_the_definition() -> None:
    _, h, y = scene(1000, 0.1)
    out = zero_forcing(y, h, 0.1)
    assert torch.allclose(out.symbols, y / h, rtol=1e-5)
    assert torch.equal(out.bias, torch.ones(1000))
    assert torch.allclose(out.noise_variance, 0.1 / h.abs().square(), rtol=1e-5)
    assert torch.equal(out.unbiased, out.symbols)


def test_noiseless_symbols_come_back() -> None:
    x, h, y = scene(1000, 0.0)
    assert torch.allclose(zero_forcing(y, h, 1e-9).symbols, x, rtol=1e-5, atol=1e-6)


def test_mmse_is_the_definition_and_its_bias_is_real() -> None:
    x, h, y = scene(1000, 0.1)
    out = mmse(y, h, 0.1)
    power = h.abs().square()
    assert torch.allclose(out.symbols, h.conj() * y / (power + 0.1), rtol=1e-5, atol=1e-6)
    assert torch.allclose(out.bias, power / (power + 0.1), rtol=1e-5)
    residual = out.symbols - out.bias * x
    expected = out.bias.square() * out.noise_variance  # E|noise|^2 before the division
    ratio = float((residual.abs().square() / expected).mean())
    assert abs(ratio - 1) < 4 / 1000**0.5


def test_mmse_has_the_least_mean_squared_error() -> None:
    x, h, y = scene(20_000, 0.5)
    errors = [float((f(y, h, 0.5).symbols - x).abs().square().mean()) for f in (mmse, zero_forcing)]
    # The mean of N0 / (|h|^2 + N0) over the same gains, up to sampling.
    expected = float((0.5 / (h.abs().square() + 0.5)).mean())
    assert errors[0] == pytest.approx(expected, rel=0.03)
    assert errors[0] < errors[1]


def test_without_its_bias_mmse_is_zero_forcing() -> None:
    n0 = torch.rand(1000, generator=torch.Generator().manual_seed(0)) + 0.01
    _, h, y = scene(1000, n0)
    first, second = mmse(y, h, n0), zero_forcing(y, h, n0)
    assert torch.allclose(first.unbiased, second.symbols, rtol=1e-5, atol=1e-5)
    assert torch.equal(first.noise_variance, second.noise_variance)
    llrs = [qam(16).demap(out.unbiased, out.noise_variance) for out in (first, second)]
    assert torch.allclose(llrs[0], llrs[1], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("equalize", [mmse, zero_forcing])
def test_a_gain_of_zero_is_an_erasure(equalize: Equalize) -> None:
    h = torch.tensor([0j, 1e-30 + 0j, 1e-22 + 0j, 1 + 0j], dtype=torch.complex64)
    y = torch.tensor([1 + 1j, 1 + 1j, 1 + 1j, 1 + 1j], dtype=torch.complex64)
    out = equalize(y, h, 0.1)
    assert bool(out.symbols.isfinite().all())
    assert bool(out.unbiased.isfinite().all())
    assert out.symbols[:2].abs().tolist() == [0, 0]
    assert out.unbiased[:2].abs().tolist() == [0, 0]
    assert out.noise_variance[:2].tolist() == [float("inf")] * 2
    llrs = qam(16).demap(out.unbiased, out.noise_variance)
    assert bool(llrs.isfinite().all())
    assert llrs[:8].tolist() == [0] * 8


@pytest.mark.parametrize("equalize", [mmse, zero_forcing])
def test_results_do_not_depend_on_the_rest_of_the_batch(equalize: Equalize) -> None:
    _, h, y = scene(300, 0.1)
    whole = equalize(y, h, 0.1)
    for count in (1, 3, 7, 64):
        part = slice(5, 5 + count)
        alone = equalize(y[part], h[part], 0.1)
        assert torch.equal(alone.symbols, whole.symbols[part])
        assert torch.equal(alone.unbiased, whole.unbiased[part])
        assert torch.equal(alone.bias, whole.bias[part])
        assert torch.equal(alone.noise_variance, whole.noise_variance[part])


@pytest.mark.parametrize("equalize", [mmse, zero_forcing])
def test_refused(equalize: Equalize) -> None:
    y = torch.ones(3, dtype=torch.complex64)
    with pytest.raises(ValueError, match=r"gains must be shaped as received \[3\], got \[2\]"):
        equalize(y, y[:2], 0.1)
    for variance in (0.0, -1.0, float("nan")):
        with pytest.raises(ValueError, match="noise_variance must be positive, got"):
            equalize(y, y, variance)


@pytest.mark.parametrize("equalize", [mmse, zero_forcing])
def test_kernel_and_tensors_agree(equalize: Equalize, monkeypatch: pytest.MonkeyPatch) -> None:
    _, h, y = scene(1000, 0.1)
    h[:3] = torch.tensor([0, 1e-30, 1e-19])
    found = equalize(y, h, 0.1)
    unbiased = found.unbiased
    monkeypatch.setattr(equalize_module, "on_host", lambda *_: False)
    for n0 in (0.1, torch.full((1000,), 0.1)):
        expected = equalize(y, h, n0)
        assert torch.equal(found.symbols, expected.symbols)
        assert torch.equal(found.bias, expected.bias)
        assert torch.equal(found.noise_variance, expected.noise_variance)
        assert torch.equal(unbiased, expected.unbiased)
