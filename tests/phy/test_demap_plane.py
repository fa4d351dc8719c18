"""The kernel for points in the plane: beside the definition in float64, and beside the tensors.

The tests of `phy.demap` and `phy.constellation` hold for it too, as `Constellation.demap` uses it.
"""

import pytest
import torch

from phy import constellation as module
from phy.constellation import Constellation
from phy.cross_qam import cross_qam
from phy.demap import Method
from phy.demap_plane import MOST_POINTS
from phy.psk import psk8
from phy.qam import qam

METHODS: list[Method] = ["exact", "max_log"]


def scattered(order: int) -> Constellation:
    """Points anywhere, of unit mean energy."""
    generator = torch.Generator().manual_seed(order)
    points = torch.randn(order, dtype=torch.complex128, generator=generator)
    return Constellation(name=f"{order}-any", points=points / points.abs().square().mean().sqrt())


ALL = [psk8(), cross_qam(32), scattered(2), scattered(4), scattered(16)]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("c", ALL, ids=lambda c: c.name)
def test_any_value_at_any_noise_variance(c: Constellation, method: Method) -> None:
    generator = torch.Generator().manual_seed(1)
    y = torch.view_as_complex(4 * torch.rand(3000, 2, generator=generator) - 2)
    for decades in (-4, -2, 0, 3):
        n0 = 10 ** (decades + torch.rand(3000, generator=generator))
        expected = c.demap(y.to(torch.complex128), n0.double(), method=method)
        found = c.demap(y, n0, method=method)
        # Amplitudes below 4 are rounded by 2.4e-7, and distances below 4 multiply that.
        rounding = (2.4e-7 * 16 / n0.double()).repeat_interleave(c.bits_per_symbol)
        assert bool(((found - expected).abs() < 1e-4 + 2e-5 * expected.abs() + rounding).all())


@pytest.mark.parametrize("c", ALL, ids=lambda c: c.name)
def test_kernel_and_tensors_agree(c: Constellation, monkeypatch: pytest.MonkeyPatch) -> None:
    generator = torch.Generator().manual_seed(2)
    y = torch.randn(1000, dtype=torch.complex64, generator=generator)
    n0 = torch.rand(1000, generator=generator) + 0.01
    kernel = {method: c.demap(y, n0, method=method) for method in METHODS}
    monkeypatch.setattr(module, "on_host", lambda *_: False)
    for method in METHODS:
        tensors = c.demap(y, n0, method=method)
        assert torch.allclose(kernel[method], tensors, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("method", METHODS)
def test_square_qam_as_points_in_the_plane(method: Method) -> None:
    plane = Constellation(name="16 points", points=qam(16).points)
    generator = torch.Generator().manual_seed(3)
    y = torch.randn(500, dtype=torch.complex64, generator=generator)
    expected = qam(16).demap(y, 0.05, method=method)
    assert torch.allclose(plane.demap(y, 0.05, method=method), expected, rtol=2e-5, atol=1e-4)


@pytest.mark.parametrize("method", METHODS)
def test_results_do_not_depend_on_the_rest_of_the_batch(method: Method) -> None:
    c = scattered(16)
    generator = torch.Generator().manual_seed(4)
    y = torch.randn(1100, dtype=torch.complex64, generator=generator)
    n0 = torch.rand(1100, generator=generator) + 0.01
    llrs = c.demap(y, n0, method=method).reshape(-1, 4)
    for count in (1, 3, 7, 64, 1000):
        for start in (0, 5, 100):
            part = slice(start, start + count)
            alone = c.demap(y[part], n0[part], method=method)
            assert torch.equal(alone, llrs[part].reshape(-1))


def test_more_points_go_another_way() -> None:
    c = cross_qam(128)
    assert len(c.points) > MOST_POINTS
    bits = torch.randint(0, 2, (700,), dtype=torch.uint8, generator=torch.Generator())
    assert torch.equal((c.demap(c.map(bits), 1e-3) < 0).to(torch.uint8), bits)
