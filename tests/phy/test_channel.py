from math import log

import pytest
import torch

from phy import channel
from phy.channel import bsc, bsc_llrs, complex_product, transmit
from phy.noise import standard_complex_normal, uniform


def draw(count: int, seed: int) -> torch.Tensor:
    return standard_complex_normal(count, generator=torch.Generator().manual_seed(seed))


def test_transmit_is_the_definition() -> None:
    x, h, n = (draw(1000, seed).reshape(10, 100) for seed in range(3))
    y = transmit(x, gains=h, noise_variance=0.3, noise=n)
    assert y.dtype == torch.complex64
    assert torch.allclose(y, h * x + 0.3**0.5 * n, rtol=1e-5, atol=1e-6)
    each = torch.linspace(0, 1, 100)
    y = transmit(x, gains=h, noise_variance=each.expand(10, 100), noise=n)
    assert torch.allclose(y, h * x + each.sqrt() * n, rtol=1e-5, atol=1e-6)


def test_without_noise_or_fading_nothing_changes() -> None:
    x, n = draw(100, 0), draw(100, 1)
    assert torch.equal(transmit(x, gains=torch.ones_like(x), noise_variance=0.0, noise=n), x)


def test_noise_power() -> None:
    n = 200_000
    x = torch.zeros(n, dtype=torch.complex64)
    y = transmit(x, gains=torch.ones_like(x), noise_variance=0.2, noise=draw(n, 4))
    assert abs(float(y.abs().square().mean()) - 0.2) < 4 * 0.2 / n**0.5


def test_results_do_not_depend_on_the_rest_of_the_batch() -> None:
    x, h, n = (draw(500, seed) for seed in range(3))
    n0 = uniform(500, generator=torch.Generator().manual_seed(1))
    y = transmit(x, gains=h, noise_variance=n0, noise=n)
    for count in (1, 3, 7, 64):
        for start in (0, 1, 13, 500 - count):
            part = slice(start, start + count)
            alone = transmit(x[part], gains=h[part], noise_variance=n0[part], noise=n[part])
            assert torch.equal(alone, y[part])


def test_complex_product() -> None:
    a, b = draw(100, 0).to(torch.complex128), draw(100, 1).to(torch.complex128)
    assert torch.allclose(complex_product(a, b), a * b, rtol=1e-14, atol=1e-15)
    assert torch.allclose(complex_product(a.conj(), a), (a.abs().square() + 0j), atol=1e-14)


@pytest.mark.parametrize("p", [0.001, 0.1, 0.5])
def test_bsc_flips_at_the_rate(p: float) -> None:
    n = 200_000
    uniforms = uniform(n, generator=torch.Generator().manual_seed(2))
    bits = torch.arange(n).remainder(2).to(torch.uint8)
    received = bsc(bits, flip_probability=p, uniforms=uniforms)
    assert received.dtype == torch.uint8
    for sent in (0, 1):
        errors = int((received[bits == sent] != sent).sum())
        assert abs(errors - n / 2 * p) < 4 * (n / 2 * p * (1 - p)) ** 0.5


def test_bsc_extremes_and_one_probability_per_bit() -> None:
    bits = torch.tensor([0, 1, 0, 1], dtype=torch.uint8)
    uniforms = torch.tensor([0.0, 0.0, 1 - 2**-24, 1 - 2**-24])
    assert torch.equal(bsc(bits, flip_probability=0.0, uniforms=uniforms), bits)
    assert torch.equal(bsc(bits, flip_probability=1.0, uniforms=uniforms), 1 - bits)
    each = torch.tensor([1.0, 0.0, 0.0, 1.0])
    assert bsc(bits, flip_probability=each, uniforms=uniforms).tolist() == [1, 1, 0, 0]


def test_bsc_llrs() -> None:
    bits = torch.tensor([0, 1, 0], dtype=torch.uint8)
    each = torch.tensor([0.2, 1e-6, 0.7])
    expected = [log(4), -log(1e6), log(3 / 7)]
    found = bsc_llrs(bits, flip_probability=each)
    assert found.dtype == torch.float32
    assert found.tolist() == pytest.approx(expected, abs=1e-5)
    assert bsc_llrs(bits, flip_probability=0.5).tolist() == [0, 0, 0]
    certain = -log(1e-30)
    assert bsc_llrs(bits, flip_probability=0.0).tolist() == pytest.approx(
        [certain, -certain, certain]
    )
    assert bsc_llrs(bits, flip_probability=1.0).tolist() == pytest.approx(
        [-certain, certain, -certain]
    )


def test_refused() -> None:
    x = torch.zeros(3, dtype=torch.complex64)
    with pytest.raises(ValueError, match=r"gains must be shaped as symbols \[3\], got \[1\]"):
        transmit(x, gains=x[:1], noise_variance=1.0, noise=x)
    with pytest.raises(ValueError, match=r"noise must be shaped as symbols \[3\], got \[2\]"):
        transmit(x, gains=x, noise_variance=1.0, noise=x[:2])
    for variance in (-0.1, float("nan")):
        with pytest.raises(ValueError, match="noise_variance must be at least 0, got"):
            transmit(x, gains=x, noise_variance=variance, noise=x)
    bits = torch.zeros(3, dtype=torch.uint8)
    with pytest.raises(ValueError, match=r"uniforms must be shaped as bits \[3\], got \[2\]"):
        bsc(bits, flip_probability=0.1, uniforms=torch.zeros(2))
    for p in (-0.1, 1.1, float("nan")):
        with pytest.raises(ValueError, match=r"flip_probability must be in \[0, 1\], got"):
            bsc(bits, flip_probability=p, uniforms=torch.zeros(3))
        with pytest.raises(ValueError, match=r"flip_probability must be in \[0, 1\], got"):
            bsc_llrs(bits, flip_probability=p)


@pytest.mark.parametrize("n0", [0.0, 0.3])
def test_kernel_and_tensors_agree(n0: float, monkeypatch: pytest.MonkeyPatch) -> None:
    x, h, n = (draw(1001, seed).reshape(7, 143).T for seed in range(3))  # not contiguous
    y = transmit(x, gains=h, noise_variance=n0, noise=n)
    each = transmit(x, gains=h, noise_variance=torch.full(x.shape, n0), noise=n)
    bits = torch.arange(99).remainder(2).to(torch.uint8).reshape(9, 11)
    llrs = [bsc_llrs(bits, flip_probability=p) for p in (0.0, 0.1, 0.7, 1.0)]
    monkeypatch.setattr(channel, "on_host", lambda *_: False)
    assert torch.equal(transmit(x, gains=h, noise_variance=n0, noise=n), y)
    assert torch.equal(each, y)
    for p, expected in zip((0.0, 0.1, 0.7, 1.0), llrs, strict=True):
        assert torch.equal(bsc_llrs(bits, flip_probability=p), expected)


def test_gradients_pass() -> None:
    x = torch.tensor([1 + 1j, 2j], requires_grad=True)
    y = transmit(x, gains=torch.full_like(x, 2.0).detach(), noise_variance=0.1, noise=draw(2, 0))
    y.abs().square().sum().backward()  # type: ignore[no-untyped-call]
    assert torch.allclose(x.grad, 4 * y.detach())  # type: ignore[arg-type]
