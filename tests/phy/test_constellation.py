import pytest
import torch
from torch import Tensor

from phy import constellation as module
from phy.constellation import Axis, Constellation
from phy.cross_qam import cross_qam
from phy.demap import Method
from phy.psk import bpsk, psk8, qpsk
from phy.qam import qam

ALL = [
    bpsk(),
    qpsk(),
    psk8(),
    qam(16),
    cross_qam(32),
    qam(64),
    qam(64, axes="split"),
    cross_qam(128),
    qam(256),
    qam(1024),
    qam(4096),
]
NAMES = [constellation.name for constellation in ALL]


def random_bits(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 2, shape, generator=generator, dtype=torch.uint8)


@pytest.mark.parametrize("constellation", ALL, ids=NAMES)
def test_map_selects_the_point_of_the_label(constellation: Constellation) -> None:
    symbols = constellation.map(constellation.label_bits)
    assert symbols.dtype == torch.complex64
    assert torch.equal(symbols[:, 0], constellation.points.to(torch.complex64))


@pytest.mark.parametrize("constellation", ALL, ids=NAMES)
def test_decisions_and_llr_signs_of_noiseless_symbols_are_the_bits(
    constellation: Constellation,
) -> None:
    bits = random_bits(2, 3, 100 * constellation.bits_per_symbol)
    symbols = constellation.map(bits)
    assert symbols.shape == (2, 3, 100)
    assert torch.equal(constellation.decide(symbols), bits)
    llrs = constellation.demap(symbols, 1e-6)
    assert llrs.dtype == torch.float32
    assert torch.equal((llrs < 0).to(torch.uint8), bits)


@pytest.mark.parametrize("constellation", ALL, ids=NAMES)
def test_decide_is_the_nearest_point(constellation: Constellation) -> None:
    received = 2 * torch.randn(500, dtype=torch.complex128, generator=torch.Generator())
    nearest = (received[:, None] - constellation.points).abs().argmin(dim=1)
    expected = constellation.label_bits[nearest].reshape(-1)
    assert torch.equal(constellation.decide(received), expected)


@pytest.mark.parametrize("constellation", ALL, ids=NAMES)
@pytest.mark.parametrize("method", ["exact", "max_log"])
def test_results_do_not_depend_on_the_rest_of_the_batch(
    constellation: Constellation, method: Method
) -> None:
    generator = torch.Generator().manual_seed(1)
    received = torch.randn(2500, dtype=torch.complex64, generator=generator)
    noise_variance = torch.rand(2500, generator=generator) + 0.01
    m = constellation.bits_per_symbol
    llrs = constellation.demap(received, noise_variance, method=method).reshape(-1, m)
    decided = constellation.decide(received).reshape(-1, m)
    for count in (1, 3, 7, 64):
        for start in (0, 1, 1000, 2047, 2500 - count):
            part = slice(start, start + count)
            alone = constellation.demap(received[part], noise_variance[part], method=method)
            assert torch.equal(alone, llrs[part].reshape(-1))
            assert torch.equal(constellation.decide(received[part]), decided[part].reshape(-1))
    columns = received.reshape(50, 50).T  # not contiguous
    again = constellation.demap(columns, noise_variance.reshape(50, 50).T, method=method)
    assert torch.equal(again.reshape(50, 50, m).transpose(0, 1).reshape(-1, m), llrs)


def test_one_noise_variance_equals_the_same_one_for_each_symbol() -> None:
    received = torch.randn(2, 5, dtype=torch.complex64, generator=torch.Generator())
    alike = qam(16).demap(received, torch.full((2, 5), 0.25))
    assert torch.equal(qam(16).demap(received, 0.25), alike)
    assert torch.equal(qam(16).demap(received, torch.tensor([[0.25], [0.25]])), alike)


@pytest.mark.parametrize("constellation", ALL, ids=NAMES)
def test_mapping_in_the_kernel_and_with_tensors(
    constellation: Constellation, monkeypatch: pytest.MonkeyPatch
) -> None:
    m = constellation.bits_per_symbol
    bits = random_bits(m * 33, 2, 3).permute(1, 2, 0)  # not contiguous
    symbols = constellation.map(bits)
    monkeypatch.setattr(module, "on_host", lambda *_: False)
    assert torch.equal(constellation.map(bits), symbols)
    with pytest.raises(ValueError, match="bits must be 0 or 1, got 7"):
        constellation.map(torch.full((m,), 7, dtype=torch.uint8))


def test_no_symbols() -> None:
    for constellation in ALL:
        symbols = constellation.map(torch.empty(3, 0, dtype=torch.uint8))
        assert symbols.shape == (3, 0)
        assert constellation.demap(symbols, 1.0).shape == (3, 0)
        assert constellation.decide(symbols).shape == (3, 0)


def test_refused_bits() -> None:
    with pytest.raises(ValueError, match=r"bits must be a multiple of 4 per row, got shape \[6\]"):
        qam(16).map(torch.zeros(6, dtype=torch.uint8))
    with pytest.raises(ValueError, match=r"bits must be uint8, got torch\.float32"):
        qam(16).map(torch.zeros(4))
    with pytest.raises(ValueError, match="bits must be 0 or 1, got 2"):
        qam(4).map(torch.tensor([0, 2], dtype=torch.uint8))


def test_refused_received() -> None:
    received = torch.zeros(3, dtype=torch.complex64)
    for variance in (0.0, -1.0, float("nan")):
        with pytest.raises(ValueError, match="noise_variance must be positive"):
            qam(16).demap(received, variance)
    with pytest.raises(ValueError, match=r"must fit received \[3\], got \[2\]"):
        qam(16).demap(received, torch.ones(2))
    with pytest.raises(ValueError, match="method must be exact or max_log, got best"):
        qam(16).demap(received, 1.0, method="best")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"received must be complex, got torch\.float32"):
        qam(16).demap(received.real, 1.0)
    with pytest.raises(ValueError, match=r"received must be complex, got torch\.float32"):
        qam(16).decide(received.real)


def test_refused_points() -> None:
    unit = torch.tensor([1, -1, 1j, -1j], dtype=torch.complex128)
    with pytest.raises(ValueError, match=r"points must be \[M\] with M = 2, 4, 8, ..., got \[3\]"):
        Constellation(name="three", points=unit[:3])
    with pytest.raises(ValueError, match=r"points must be complex128, got torch\.complex64"):
        Constellation(name="single", points=unit.to(torch.complex64))
    with pytest.raises(ValueError, match=r"points must have unit mean energy, got 4\.0"):
        Constellation(name="strong", points=2 * unit)
    with pytest.raises(ValueError, match="points must be distinct"):
        Constellation(name="twins", points=unit[[0, 0, 1, 2]])
    with pytest.raises(ValueError, match="axes must span the points"):
        Constellation(name="swapped", points=qam(4).points.flip(0), axes=qam(4).axes)
    axis_i, axis_q = qam(4).axes or pytest.fail("qam has axes")
    with pytest.raises(ValueError, match="axes must span the points"):
        Constellation(
            name="bit used twice", points=qam(4).points, axes=(axis_i, Axis(axis_q.levels, (0,)))
        )
    with pytest.raises(ValueError, match=r"levels must be \[4\] for 2 bits, got \[2\]"):
        Axis(torch.ones(2), (0, 1))


@pytest.mark.parametrize("method", ["exact", "max_log"])
@pytest.mark.parametrize("constellation", ALL, ids=NAMES)
def test_what_is_no_number_stays_so(constellation: Constellation, method: Method) -> None:
    nan = float("nan")
    received = torch.tensor([complex(nan, nan), 0.1 + 0.2j])
    lost, found = constellation.demap(received, 0.5, method=method).reshape(2, -1)
    assert lost.isnan().all()
    assert found.isfinite().all()
