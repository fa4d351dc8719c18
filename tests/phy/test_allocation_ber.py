import math

import numpy as np
import pytest
import torch

from phy.allocation import BITS_PER_SYMBOL, approximate_ber, exact_ber, map_mixed, needed_esn0
from phy.noise import standard_complex_normal
from phy.qam import qam
from phy.theory import ber


def test_two_bits_are_exact() -> None:
    esn0 = np.logspace(-2, 1.3, 30)
    by_definition = [0.5 * math.erfc(math.sqrt(x / 2)) for x in esn0]
    assert np.allclose(approximate_ber(esn0, bits_per_symbol=2), by_definition, rtol=1e-13)
    assert np.allclose(exact_ber(esn0, bits_per_symbol=2), by_definition, rtol=1e-13)


@pytest.mark.parametrize(
    ("m", "at_zero"), [(2, 1 / 2), (4, 5 / 8), (6, 13 / 24), (8, 29 / 64), (10, 61 / 160)]
)
def test_without_power(m: int, at_zero: float) -> None:
    assert approximate_ber(0, bits_per_symbol=m) == pytest.approx(at_zero, rel=1e-14)
    assert exact_ber(0, bits_per_symbol=m) == pytest.approx(0.5, rel=1e-12)


@pytest.mark.parametrize("m", BITS_PER_SYMBOL)
def test_formula_falls_and_exact_is_theory(m: int) -> None:
    esn0 = np.logspace(-3, 4, 200)
    assert (np.diff(approximate_ber(esn0, bits_per_symbol=m)) <= 0).all()
    theory = ber(qam(2**m), 10 * np.log10(esn0))
    assert np.allclose(exact_ber(esn0, bits_per_symbol=m), theory, rtol=1e-12, atol=0)


@pytest.mark.parametrize(
    ("m", "to_tenth", "to_three_tenths"),
    [(2, 1e-10, 1e-10), (4, 1e-7, 0.02), (6, 1e-6, 0.02), (8, 1e-5, 0.01), (10, 5e-5, 0.07)],
)
def test_gap_between_formula_and_exact(m: int, to_tenth: float, to_three_tenths: float) -> None:
    # What eq. 33 neglects, relative to the bit error rate wanted, from 1e-4 up to 0.1 and 0.3.
    for most, bound in ((0.1, to_tenth), (0.3, to_three_tenths)):
        wanted = np.geomspace(1e-4, most, 50)
        found = exact_ber(needed_esn0(wanted, bits_per_symbol=m), bits_per_symbol=m)
        gap = np.abs(found / wanted - 1).max()
        print(f"m = {m}, to {most}: exact BER within {gap:.1e} of eq. 33")
        assert gap < bound


@pytest.mark.parametrize("m", BITS_PER_SYMBOL)
@pytest.mark.parametrize("wanted", [0.002, 0.02, 0.25])
def test_bit_errors_of_a_million_symbols(m: int, wanted: float) -> None:
    count, gamma = 1_000_000, 3.0
    power = float(needed_esn0(wanted, bits_per_symbol=m)) / gamma
    draw = torch.Generator().manual_seed(m)
    bits = torch.randint(2, (count * m,), generator=draw, dtype=torch.uint8)
    sent = map_mixed(bits, torch.full((count,), m), torch.full((count,), power))
    noise = standard_complex_normal(count, generator=draw) / gamma**0.5
    errors = (qam(2**m).decide((sent + noise) / power**0.5) != bits).reshape(count, m).sum(1)
    # Bits of a symbol err together: the deviation is that of the errors per symbol.
    deviation = float(errors.double().std()) / m / count**0.5
    found = float(errors.double().mean()) / m
    assert abs(found - float(exact_ber(power * gamma, bits_per_symbol=m))) < 4 * deviation


def test_refused() -> None:
    for function in (approximate_ber, exact_ber):
        with pytest.raises(ValueError, match="bits_per_symbol must be 2, 4, 6, 8 or 10, got 3"):
            function(1.0, bits_per_symbol=3)
        with pytest.raises(ValueError, match=r"esn0 must be >= 0, got -1\.0"):
            function(-1.0, bits_per_symbol=4)
        with pytest.raises(ValueError, match="esn0 must be >= 0, got nan"):
            function(math.nan, bits_per_symbol=4)
