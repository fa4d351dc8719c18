"""LLRs of every constellation: against sionna, against scikit-commpy, against the definition."""

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from phy.channel import transmit
from phy.constellation import Constellation
from phy.cross_qam import cross_qam
from phy.demap import Method
from phy.equalize import mmse, zero_forcing
from phy.fading import Fading, NoFading, Rayleigh, Rician
from phy.noise import standard_complex_normal
from phy.psk import bpsk, psk8
from phy.qam import SQUARE_ORDERS, qam
from phy.snr import noise_variance_from_esn0_db

pytestmark = pytest.mark.conformance

SNRS_DB = (-5.0, 0.0, 6.0, 12.0, 18.0, 24.0, 30.0)
FADINGS: list[Fading] = [NoFading(), Rayleigh(span=1), Rician(4.0, span=1)]
METHODS: list[tuple[Method, str]] = [("exact", "app"), ("max_log", "maxlog")]
OTHERS = [bpsk(), psk8(), cross_qam(32), cross_qam(128), qam(64, axes="split")]


@pytest.fixture(scope="module")
def sionna_mapping() -> Iterator[Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the import alone
        from sionna.phy import mapping

    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # several threads make sionna slower where cores are shared
    yield mapping
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def commpy_modulation() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the import alone
        from commpy import modulation

    return modulation


def receive(
    c: Constellation, symbols: int, *, esn0_db: float, fading: Fading, equalizer: Any = zero_forcing
) -> tuple[Tensor, Tensor]:
    """Symbols behind the equaliser, bias removed, and their noise variances: ``[symbols]``."""
    generator = torch.Generator().manual_seed(round(1000 * esn0_db) + len(c.points))
    bits = torch.randint(
        0, 2, (symbols * c.bits_per_symbol,), dtype=torch.uint8, generator=generator
    )
    n0 = noise_variance_from_esn0_db(esn0_db)
    gains = fading.gains(symbols, generator=generator)
    noise = standard_complex_normal(symbols, generator=generator)
    received = transmit(c.map(bits), gains=gains, noise_variance=n0, noise=noise)
    equalized = equalizer(received, gains, n0)
    return equalized.unbiased, equalized.noise_variance


def assert_close(found: Tensor, expected: Tensor) -> None:
    """Within 1e-4; float32 has 24 bits, so that LLRs above 100 are held to 1e-6 of themselves."""
    apart = (found.double() - expected.double()).abs()
    bound = 1e-4 * (expected.double().abs() / 100).clamp(min=1)
    assert bool((apart <= bound).all()), float((apart / bound).max())


# sionna


@pytest.mark.parametrize("fading", FADINGS, ids=lambda f: type(f).__name__)
@pytest.mark.parametrize(("ours", "theirs"), METHODS)
@pytest.mark.parametrize("order", SQUARE_ORDERS)
def test_square_qam_equals_sionna(
    sionna_mapping: Any, order: int, ours: Method, theirs: str, fading: Fading
) -> None:
    c = qam(order)
    m = c.bits_per_symbol
    demapper = sionna_mapping.Demapper(theirs, "qam", m, precision="double", device="cpu")
    for esn0_db in SNRS_DB:
        y, n0 = receive(c, 2**20 // max(order, 256), esn0_db=esn0_db, fading=fading)
        expected = -demapper(y.to(torch.complex128), n0.double())  # its sign: ln P(1) / P(0)
        assert_close(c.demap(y, n0, method=ours), expected)
        wide = c.demap(y.to(torch.complex128), n0.double(), method=ours)
        assert torch.allclose(wide, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("fading", FADINGS, ids=lambda f: type(f).__name__)
@pytest.mark.parametrize(("ours", "theirs"), METHODS)
@pytest.mark.parametrize("c", OTHERS, ids=lambda c: c.name)
def test_any_points_equal_sionna(
    sionna_mapping: Any, c: Constellation, ours: Method, theirs: str, fading: Fading
) -> None:
    points = sionna_mapping.Constellation(
        "custom", c.bits_per_symbol, points=c.points, precision="double", device="cpu"
    )
    demapper = sionna_mapping.Demapper(
        theirs, constellation=points, precision="double", device="cpu"
    )
    for esn0_db in SNRS_DB:
        y, n0 = receive(c, 4096, esn0_db=esn0_db, fading=fading)
        expected = -demapper(y.to(torch.complex128), n0.double())
        assert_close(c.demap(y, n0, method=ours), expected)


def test_mmse_without_its_bias_demaps_as_zero_forcing(sionna_mapping: Any) -> None:
    demapper = sionna_mapping.Demapper("app", "qam", 6, precision="double", device="cpu")
    for esn0_db in SNRS_DB:
        fading = Rayleigh(span=1)
        y, n0 = receive(qam(64), 4096, esn0_db=esn0_db, fading=fading)
        expected = -demapper(y.to(torch.complex128), n0.double())
        y, n0 = receive(qam(64), 4096, esn0_db=esn0_db, fading=fading, equalizer=mmse)
        found = qam(64).demap(y, n0)
        assert torch.allclose(found.double(), expected, rtol=1e-4, atol=1e-4)


# Definition


def by_definition(c: Constellation, received: Tensor, noise_variance: Tensor) -> np.ndarray:
    """Both LLRs by summing exp over the points, in long double: ``[2, n * m]``."""
    y = received.numpy().astype(np.clongdouble)
    points, bits = c.points.numpy().astype(np.clongdouble), c.label_bits.numpy()
    apart = y[:, None] - points
    metric = (
        -(apart.real**2 + apart.imag**2) / noise_variance.numpy().astype(np.longdouble)[:, None]
    )
    llrs = np.empty((2, len(y), c.bits_per_symbol), np.longdouble)
    for j in range(c.bits_per_symbol):
        zero, one = metric[:, bits[:, j] == 0], metric[:, bits[:, j] == 1]
        best_0, best_1 = zero.max(1), one.max(1)
        sum_0 = np.exp(zero - best_0[:, None]).sum(1)
        sum_1 = np.exp(one - best_1[:, None]).sum(1)
        llrs[1, :, j] = best_0 - best_1
        llrs[0, :, j] = best_0 - best_1 + np.log(sum_0) - np.log(sum_1)
    return llrs.reshape(2, -1)


@pytest.mark.parametrize("fading", FADINGS, ids=lambda f: type(f).__name__)
@pytest.mark.parametrize("c", [qam(4), qam(16), qam(256), *OTHERS], ids=lambda c: c.name)
def test_llrs_are_the_definition(c: Constellation, fading: Fading) -> None:
    for esn0_db in SNRS_DB:
        y, n0 = receive(c, 4000, esn0_db=esn0_db, fading=fading)
        for (method, _), row in zip(METHODS, by_definition(c, y, n0), strict=True):
            expected = torch.from_numpy(row.astype(np.float64))
            assert_close(c.demap(y, n0, method=method), expected)
            wide = c.demap(y.to(torch.complex128), n0.double(), method=method)
            assert torch.allclose(wide, expected, rtol=1e-10, atol=1e-10)


# scikit-commpy


@pytest.mark.parametrize("c", [qam(16), *OTHERS[:3]], ids=lambda c: c.name)
def test_our_points_in_scikit_commpys_modem(commpy_modulation: Any, c: Constellation) -> None:
    modem = commpy_modulation.Modem(c.points.numpy(), reorder_as_gray=False)
    bits = c.label_bits.repeat(3, 1).reshape(-1)
    assert np.allclose(modem.modulate(bits.numpy()), c.map(bits).numpy(), atol=1e-7)
    for esn0_db in (0.0, 8.0, 14.0):
        y, _ = receive(c, 400, esn0_db=esn0_db, fading=Rayleigh(span=1))
        y, n0 = y[y.abs() < 4], noise_variance_from_esn0_db(esn0_db)  # its exp underflows beyond
        wide = y.to(torch.complex128)
        expected = torch.from_numpy(-modem.demodulate(wide.numpy(), "soft", n0))
        assert_close(c.demap(y, n0), expected)
        assert torch.allclose(c.demap(wide, n0), expected, rtol=1e-9, atol=1e-9)
        hard = torch.from_numpy(modem.demodulate(wide.numpy(), "hard")).to(torch.uint8)
        assert torch.equal(c.decide(y), hard)


@pytest.mark.parametrize(("kind", "order"), [("PSKModem", 4), ("PSKModem", 8), ("QAMModem", 64)])
def test_scikit_commpys_points_in_our_demapper(
    commpy_modulation: Any, kind: str, order: int
) -> None:
    """Their labelling of PSK and 802.11 QAM as a constellation of ours."""
    modem = getattr(commpy_modulation, kind)(order)
    scale = float(np.sqrt(modem.Es))
    c = Constellation(name=kind, points=torch.from_numpy(modem.constellation / scale + 0j))
    for esn0_db in (2.0, 9.0, 16.0):
        y, _ = receive(c, 300, esn0_db=esn0_db, fading=NoFading())
        n0 = noise_variance_from_esn0_db(esn0_db)
        theirs = y.to(torch.complex128).numpy() * scale
        expected = torch.from_numpy(-modem.demodulate(theirs, "soft", n0 * scale**2))
        assert_close(c.demap(y, n0), expected)
        hard = torch.from_numpy(modem.demodulate(theirs, "hard")).to(torch.uint8)
        assert torch.equal(c.decide(y), hard)
