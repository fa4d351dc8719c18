import pytest
import torch
from torch import Tensor

from phy.allocation import demap_mixed, map_mixed
from phy.noise import standard_complex_normal
from phy.qam import qam

ORDERS = torch.tensor([4, 2, 8, 8, 6, 10, 2, 4, 2])


def _sequence(repeats: int) -> tuple[Tensor, Tensor, Tensor]:
    draw = torch.Generator().manual_seed(3)
    sizes = ORDERS.repeat(repeats)
    power = torch.rand(len(sizes), generator=draw, dtype=torch.float64) + 0.5
    bits = torch.randint(2, (int(sizes.sum()),), generator=draw, dtype=torch.uint8)
    return bits, sizes, power


def test_symbol_by_symbol() -> None:
    bits, sizes, power = _sequence(5)
    draw = torch.Generator().manual_seed(4)
    n0 = torch.rand(len(sizes), generator=draw) + 0.01
    sent = map_mixed(bits, sizes, power)
    received = sent + standard_complex_normal(len(sizes), generator=draw) * n0.sqrt()
    for method in ("exact", "max_log"):
        llrs = demap_mixed(received, n0, sizes, power, method=method)
        first = 0
        for t, (m, p) in enumerate(zip(sizes.tolist(), power.tolist(), strict=True)):
            constellation, places = qam(2**m), slice(first, first + m)
            point = constellation.map(bits[places])
            assert torch.allclose(sent[t], point * p**0.5)
            one = constellation.demap(received[t : t + 1] / p**0.5, n0[t] / p, method=method)
            assert torch.allclose(llrs[places], one, rtol=1e-4, atol=1e-5)
            first += m


@pytest.mark.parametrize("dtype", [torch.complex64, torch.complex128])
def test_round_trip(dtype: torch.dtype) -> None:
    bits, sizes, power = _sequence(20)
    llrs = demap_mixed(map_mixed(bits, sizes, power).to(dtype), 1e-4, sizes, power)
    assert llrs.dtype == (torch.float32 if dtype == torch.complex64 else torch.float64)
    assert torch.equal(llrs < 0, bits.bool())


def test_laid_end_to_end() -> None:
    bits, sizes, power = _sequence(2)
    y, n0 = map_mixed(bits, sizes, power), 0.3
    both = demap_mixed(torch.cat([y, y]), n0, sizes.repeat(2), power.repeat(2))
    assert torch.equal(both, demap_mixed(y, n0, sizes, power).repeat(2))


def test_without_power_or_gain_nothing_is_known() -> None:
    sizes = torch.tensor([2, 4, 4])
    for tiny in (0.0, 1e-300, 5e-324):
        power = torch.tensor([tiny, 1.0, tiny], dtype=torch.float64)
        sent = map_mixed(torch.ones(10, dtype=torch.uint8), sizes, power)
        assert float(sent[0].abs()) < 1e-100
        llrs = demap_mixed(sent + 1, torch.tensor([0.1, torch.inf, 0.1]), sizes, power)
        assert llrs.tolist() == [0] * 10


def test_mean_energy_is_the_power() -> None:
    count = 200_000
    draw = torch.Generator().manual_seed(5)
    bits = torch.randint(2, (6 * count,), generator=draw, dtype=torch.uint8)
    energy = map_mixed(bits, torch.full((count,), 6), torch.full((count,), 2.5)).abs().square()
    assert abs(float(energy.mean()) - 2.5) < 4 * float(energy.std()) / count**0.5


def test_refused() -> None:
    bits, sizes, power = torch.zeros(6, dtype=torch.uint8), torch.tensor([2, 4]), torch.ones(2)
    with pytest.raises(ValueError, match=r"bits must be \[6\], .* got \[5\]"):
        map_mixed(bits[:5], sizes, power)
    with pytest.raises(ValueError, match=r"bits_per_symbol must be of .*, got 3"):
        map_mixed(bits, torch.tensor([3, 3]), power)
    with pytest.raises(ValueError, match=r"bits_per_symbol must be int64 \[T\], got torch.int32"):
        map_mixed(bits, sizes.int(), power)
    with pytest.raises(ValueError, match=r"power must be \[2\] as bits_per_symbol, got \[1\]"):
        map_mixed(bits, sizes, power[:1])
    with pytest.raises(ValueError, match=r"power must be >= 0, got -1\.0"):
        map_mixed(bits, sizes, -power)
    y = torch.ones(2, dtype=torch.complex64)
    with pytest.raises(ValueError, match=r"equalized must be complex \[2\], got torch.float32"):
        demap_mixed(y.real, 1.0, sizes, power)
    with pytest.raises(ValueError, match=r"noise_variance must be one value or \[2\], got \[3\]"):
        demap_mixed(y, torch.ones(3), sizes, power)
    with pytest.raises(ValueError, match=r"noise_variance must be positive, got 0\.0"):
        demap_mixed(y, 0.0, sizes, power)
    with pytest.raises(ValueError, match="method must be exact or max_log, got soft"):
        demap_mixed(y, 1.0, sizes, power, method="soft")  # type: ignore[arg-type]
