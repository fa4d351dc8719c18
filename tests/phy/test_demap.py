from itertools import product

import pytest
import torch
from torch import Tensor

from phy.constellation import Constellation
from phy.cross_qam import cross_qam
from phy.demap import Method, axis_llrs, plane_llrs
from phy.psk import bpsk, psk8
from phy.qam import qam

ALL = [bpsk(), qam(4), psk8(), qam(16), cross_qam(32), qam(64, axes="split"), cross_qam(128)]
LARGE = [qam(256), qam(1024), qam(4096)]
METHODS: list[Method] = ["exact", "max_log"]


def by_definition(c: Constellation, received: Tensor, n0: Tensor, method: Method) -> Tensor:
    metrics = -(received[:, None] - c.points).abs().square() / n0[:, None]
    ones = c.label_bits.bool()
    llrs = []
    for bit in range(c.bits_per_symbol):
        parts = metrics[:, ~ones[:, bit]], metrics[:, ones[:, bit]]
        if method == "exact":
            llrs.append(torch.logsumexp(parts[0], 1) - torch.logsumexp(parts[1], 1))
        else:
            llrs.append(parts[0].amax(1) - parts[1].amax(1))
    return torch.stack(llrs, dim=1).reshape(-1)


def draw(c: Constellation, count: int, *, esn0_db: float) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(3)
    label = torch.randint(0, len(c.points), (count,), generator=generator)
    spread = 0.5 + torch.rand(count, generator=generator, dtype=torch.float64)
    n0 = spread * 10 ** (-esn0_db / 10)
    noise = torch.randn(count, generator=generator, dtype=torch.complex128)
    return (c.points[label] + n0.sqrt() * noise).to(torch.complex64), n0.to(torch.float32)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("c", ALL + LARGE, ids=lambda c: c.name)
def test_llrs_are_the_definition(c: Constellation, method: Method) -> None:
    for esn0_db in (-10.0, 5.0, 12.0, 25.0, 35.0):
        received, n0 = draw(c, 300, esn0_db=esn0_db)
        expected = by_definition(c, received.to(torch.complex128), n0.double(), method)
        found = c.demap(received, n0, method=method)
        assert torch.allclose(found.double(), expected, rtol=2e-5, atol=1e-4), esn0_db


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("c", ALL + LARGE, ids=lambda c: c.name)
def test_double_precision(c: Constellation, method: Method) -> None:
    received, n0 = draw(c, 100, esn0_db=10)
    wide = received.to(torch.complex128)
    found = c.demap(wide, n0.double(), method=method)
    assert found.dtype == torch.float64
    expected = by_definition(c, wide, n0.double(), method)
    assert torch.allclose(found, expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(("ours", "theirs"), [("exact", "app"), ("max_log", "maxlog")])
@pytest.mark.parametrize("order", [16, 64, 256])
def test_llrs_equal_sionna(order: int, ours: Method, theirs: str) -> None:
    from sionna.phy.mapping import Demapper

    c = qam(order)
    received, n0 = draw(c, 500, esn0_db=14)
    other = Demapper(theirs, "qam", c.bits_per_symbol)(received, n0)
    # sionna: ln P(1) / P(0). It keeps terms down to exp(-metric), so large LLRs need no bound.
    assert torch.allclose(c.demap(received, n0, method=ours), -other, rtol=2e-5, atol=1e-4)


def test_bpsk_and_qpsk_closed_form() -> None:
    received, n0 = draw(qam(4), 200, esn0_db=3)
    assert torch.allclose(bpsk().demap(received, n0), 4 * received.real / n0, rtol=1e-5)
    parts = torch.view_as_real(received).reshape(-1)
    expected = 8**0.5 * parts / n0.repeat_interleave(2)
    assert torch.allclose(qam(4).demap(received, n0), expected, rtol=1e-5)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("c", [*ALL, qam(4096)], ids=lambda c: c.name)
def test_no_finite_input_gives_infinity_or_nan(c: Constellation, method: Method) -> None:
    parts = [0.0, -0.0, 0.3, -1.0, 1e-38, 1e6, -1e6, 3e38]
    received = torch.tensor([complex(i, q) for i, q in product(parts, parts)])
    for n0 in (1e-44, 1e-30, 1e-6, 1.0, 1e6, 3e38):
        llrs = c.demap(received.to(torch.complex64), n0, method=method)
        assert bool(llrs.isfinite().all()), n0


def test_decisions_survive_extremes() -> None:
    far = torch.tensor([1e6 + 2e6j, -1e6 - 1e5j]).to(torch.complex64)
    for c in (qam(16), psk8(), cross_qam(32)):
        hard = c.decide(far)
        for n0 in (1e-6, 1.0):
            assert torch.equal((c.demap(far, n0) < 0).to(torch.uint8), hard)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("c", ALL + LARGE, ids=lambda c: c.name)
def test_an_erased_symbol_has_llr_zero(c: Constellation, method: Method) -> None:
    received = torch.tensor([0j, 0.3 - 0.7j, 1e6 + 0j]).to(torch.complex64)
    llrs = c.demap(received, torch.full((3,), float("inf")), method=method)
    assert torch.equal(llrs, torch.zeros_like(llrs))


def test_axes_and_plane_agree() -> None:
    c = qam(256)
    received, n0 = draw(c, 200, esn0_db=15)
    for method in METHODS:
        plane = plane_llrs(received, c.points.to(torch.complex64), n0, method)
        assert torch.allclose(
            c.demap(received, n0, method=method), plane.reshape(-1), rtol=2e-5, atol=1e-4
        )


def test_exact_approaches_max_log_without_noise() -> None:
    received, _ = draw(qam(64), 200, esn0_db=20)
    n0 = torch.full((200,), 1e-4)
    exact, nearest = (qam(64).demap(received, n0, method=m) for m in METHODS)
    assert torch.allclose(exact, nearest, rtol=1e-3, atol=0.7)  # at most two points compete


def test_memory_stays_bounded() -> None:
    from phy import demap

    blocks = demap._blocks(100_000, 4096)
    assert max(part.stop - part.start for part in blocks) * 4096 <= 2**17
    y = torch.linspace(-2, 2, 300_000)
    levels = torch.tensor([1.0, -1.0])
    llrs = axis_llrs(y, levels, torch.ones(300_000), "exact")
    assert torch.allclose(llrs[:, 0], 4 * y, rtol=1e-5, atol=1e-5)
