"""The kernel for square QAM: beside the definition in float64, where it is hardest, and its domain.

The tests of `phy.demap` and `phy.constellation` hold for it too, as `Constellation.demap` uses it.
"""

from typing import Literal

import pytest
import torch
from torch import Tensor

from phy import constellation as module
from phy.constellation import Axis, Constellation
from phy.demap import Method
from phy.demap_fold import level_step
from phy.psk import bpsk, psk8
from phy.qam import SQUARE_ORDERS, pam_levels, qam

METHODS: list[Method] = ["exact", "max_log"]
ALL = [bpsk(), *(qam(order) for order in SQUARE_ORDERS), qam(64, axes="split")]


def tolerance(expected: Tensor, n0: Tensor) -> Tensor:
    """2e-5 of the LLR, and what float32 amplitudes below 4 (rounding 2.4e-7) make of N0."""
    return 1e-4 + 2e-5 * expected.abs() + 2.4e-7 * 16 / n0.double()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("c", ALL, ids=lambda c: c.name)
def test_any_amplitude_at_any_noise_variance(c: Constellation, method: Method) -> None:
    """Also where two far levels compete for a large LLR, at the decision boundaries."""
    generator = torch.Generator().manual_seed(1)
    y = torch.view_as_complex(4 * torch.rand(4000, 2, generator=generator) - 2)
    step = 1 / (2 * (len(c.points) - 1) / 3) ** 0.5
    y[:100] = torch.view_as_complex((torch.arange(200).reshape(100, 2) - 100) * step)
    for decades in (-4, -2, 0, 3):
        n0 = 10 ** (decades + torch.rand(4000, generator=generator))
        expected = c.demap(y.to(torch.complex128), n0.double(), method=method)
        found = c.demap(y, n0, method=method)
        bound = tolerance(expected, n0.repeat_interleave(c.bits_per_symbol))
        assert bool(((found - expected).abs() < bound).all()), decades


@pytest.mark.parametrize("c", ALL, ids=lambda c: c.name)
def test_kernel_and_tensors_agree(c: Constellation, monkeypatch: pytest.MonkeyPatch) -> None:
    generator = torch.Generator().manual_seed(2)
    y = torch.randn(1000, dtype=torch.complex64, generator=generator)
    n0 = torch.rand(1000, generator=generator) + 0.01
    kernel = {method: c.demap(y, n0, method=method) for method in METHODS}
    decided = c.decide(y)
    monkeypatch.setattr(module, "on_host", lambda *_: False)
    for method in METHODS:
        tensors = c.demap(y, n0, method=method)
        assert torch.allclose(kernel[method], tensors, rtol=1e-5, atol=1e-5)
    assert torch.equal(c.decide(y), decided)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("order", SQUARE_ORDERS)
def test_signs_of_i_and_q(order: int, method: Method) -> None:
    c, m = qam(order), order.bit_length() - 1
    y = torch.randn(999, dtype=torch.complex64, generator=torch.Generator().manual_seed(3))
    llrs = c.demap(y, 0.1, method=method).reshape(-1, m)
    opposite = c.demap(-y, 0.1, method=method).reshape(-1, m)
    assert torch.equal(opposite[:, :2], -llrs[:, :2])
    assert torch.equal(opposite[:, 2:], llrs[:, 2:])
    swapped = c.demap(torch.complex(y.imag, y.real), 0.1, method=method).reshape(-1, m)
    assert torch.equal(swapped, llrs.reshape(-1, m // 2, 2).flip(2).reshape(-1, m))


@pytest.mark.parametrize("axes", ["interleaved", "split"])
def test_a_gradient_takes_the_other_way(axes: Literal["interleaved", "split"]) -> None:
    y = torch.tensor([0.3 - 0.2j, 0.9 + 0.1j], requires_grad=True)
    llrs = qam(16, axes=axes).demap(y, 0.1)
    llrs.sum().backward()  # type: ignore[no-untyped-call]
    assert y.grad is not None
    assert bool(y.grad.abs().gt(0).all())


def test_level_step() -> None:
    for bits in range(1, 7):
        assert level_step(0.25 * pam_levels(bits)) == 0.25
        for i in range(bits):  # one level elsewhere, or two exchanged
            moved = pam_levels(bits)
            moved[i] += 0.1
            assert level_step(moved) is None
            order = torch.arange(2**bits)
            order[[0, -1 - i]] = order[[-1 - i, 0]]
            assert level_step(pam_levels(bits)[order]) is None


def test_other_levels_and_places_are_demapped_too() -> None:
    """Axes that do not fold, or bits in another order: not by the kernel."""
    levels = torch.tensor([3.0, 1.0, -3.0, -1.0], dtype=torch.float64) / 10**0.5
    label = torch.arange(16)
    points = torch.complex(levels[label >> 2], levels[label & 3])
    unfolded = Constellation(
        name="other", points=points, axes=(Axis(levels, (0, 1)), Axis(levels, (2, 3)))
    )
    square = qam(16)
    assert square.axes is not None
    axis = square.axes[0].levels
    swapped = Constellation(
        name="q first",
        points=torch.complex(axis[label & 3], axis[label >> 2]),
        axes=(Axis(axis, (2, 3)), Axis(axis, (0, 1))),
    )
    generator = torch.Generator().manual_seed(4)
    y = torch.randn(200, dtype=torch.complex64, generator=generator)
    for c in (unfolded, swapped):
        plane = Constellation(name="plane", points=c.points)
        for method in METHODS:
            expected = plane.demap(y, 0.2, method=method)
            assert torch.allclose(c.demap(y, 0.2, method=method), expected, rtol=1e-5, atol=1e-5)


def test_refused_among_many() -> None:
    n0 = torch.ones(1000)
    for bad in (0.0, -1.0, float("nan")):
        n0[777] = bad
        for c in (qam(64), psk8()):
            with pytest.raises(ValueError, match="noise_variance must be positive"):
                c.demap(torch.zeros(1000, dtype=torch.complex64), n0)
