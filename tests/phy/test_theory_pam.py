import numpy as np
import pytest
from scipy.special import erfc

from phy.qam import SQUARE_ORDERS, qam
from phy.theory.error_rate import ber
from phy.theory.pam import bit_error_terms, level_error_terms


@pytest.mark.parametrize("order", SQUARE_ORDERS)
def test_bit_terms_are_those_of_cho_and_yoon(order: int) -> None:
    # Eqs. 14 and 16: the BER of the kth bit of square M-QAM, averaged over k.
    side, esn0 = int(order**0.5), 10 ** np.linspace(-1, 4, 11)
    bits = side.bit_length() - 1
    total = np.zeros_like(esn0)
    for k in range(1, bits + 1):
        for i in range((side >> k) * (2**k - 1)):
            step = i * 2 ** (k - 1) / side
            weight = (-1) ** int(step) * (2 ** (k - 1) - int(step + 0.5))
            total += weight * erfc((2 * i + 1) * np.sqrt(1.5 * esn0 / (order - 1))) / side
    expected = total / bits
    found = ber(qam(order), 10 * np.log10(esn0))
    assert np.allclose(found, expected, rtol=1e-9, atol=1e-15)


@pytest.mark.parametrize("order", SQUARE_ORDERS)
def test_level_terms_are_one_q_function(order: int) -> None:
    for axis in qam(order).axes or pytest.fail("qam has axes"):
        terms = level_error_terms(axis)
        side = order**0.5
        assert terms.weights == pytest.approx([2 * (1 - 1 / side)])
        assert terms.distances == pytest.approx([(1.5 / (order - 1)) ** 0.5])


def test_16_qam_bit_terms() -> None:
    axis_i, _ = qam(16).axes or pytest.fail("qam has axes")
    terms = bit_error_terms(axis_i)
    # Two bits: (3 Q(d) + 2 Q(3 d) - Q(5 d)) / 4 each on average.
    assert terms.weights == pytest.approx([1.5, 1.0, -0.5])
    assert terms.distances == pytest.approx(np.array([1, 3, 5]) / 10**0.5)
