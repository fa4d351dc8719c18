import numpy as np
import pytest
from scipy import integrate

from phy.cross_qam import cross_qam
from phy.psk import psk8
from phy.qam import qam
from phy.theory.error_rate import ber, ser
from phy.theory.q_function import q_function
from phy.theory.regions import expected_cost


@pytest.mark.parametrize("order", [4, 16, 64])
@pytest.mark.parametrize("esn0_db", [-10.0, 0.0, 12.0, 20.0])
def test_square_qam_as_points_in_the_plane(order: int, esn0_db: float) -> None:
    c = qam(order)
    points, bits, esn0 = c.points.numpy(), c.label_bits.numpy(), 10 ** (esn0_db / 10)
    wrong = (bits[:, None] != bits).mean(axis=-1)
    assert expected_cost(points, wrong, esn0) == pytest.approx(float(ber(c, esn0_db)), rel=1e-8)
    missed = expected_cost(points, 1 - np.eye(order), esn0)
    assert missed == pytest.approx(float(ser(c, esn0_db)), rel=1e-8)


def test_turned_square_qam() -> None:
    # Rows, columns and panels of a turned square are of another kind, its error rate is not.
    c = qam(16)
    turned = c.points.numpy() * np.exp(0.3j)
    assert expected_cost(turned, 1 - np.eye(16), 20.0) == pytest.approx(
        float(ser(c, 10 * np.log10(20))), rel=1e-8
    )


def phase_density(theta: float, esn0: float) -> float:
    # Proakis, Digital Communications, 4th ed., eq. 5.2-55 (in terms of Q).
    c = np.cos(theta)
    tail = np.sqrt(4 * np.pi * esn0) * c * np.exp(-esn0 * np.sin(theta) ** 2)
    return float((np.exp(-esn0) + tail * float(q_function(-np.sqrt(2 * esn0) * c))) / (2 * np.pi))


@pytest.mark.parametrize("esn0_db", [0.0, 8.0, 14.0])
def test_8_psk_by_its_phase(esn0_db: float) -> None:
    esn0 = 10 ** (esn0_db / 10)
    sector = [
        integrate.quad(phase_density, (2 * k - 1) * np.pi / 8, (2 * k + 1) * np.pi / 8, (esn0,))[0]
        for k in range(8)
    ]
    assert float(ser(psk8(), esn0_db)) == pytest.approx(1 - sector[0], rel=1e-6)
    craig = integrate.quad(
        lambda t: np.exp(-esn0 * (np.sin(np.pi / 8) / np.sin(t)) ** 2) / np.pi, 0, 7 * np.pi / 8
    )[0]
    assert float(ser(psk8(), esn0_db)) == pytest.approx(craig, rel=1e-8)
    # Any cyclic Gray code of eight: the mean distances of labels k steps apart.
    around = np.array([0b000, 0b100, 0b110, 0b010, 0b011, 0b111, 0b101, 0b001])
    steps = [
        np.mean([bin(a ^ b).count("1") for a, b in zip(around, np.roll(around, k), strict=True)])
        for k in range(8)
    ]
    expected = np.dot(sector, steps) / 3
    assert float(ber(psk8(), esn0_db)) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("order", [32, 128])
def test_cross_qam_at_high_ratios_is_nearest_neighbours(order: int) -> None:
    # SER -> mean number of neighbours * Q(d / 2 w); corners of the cross add a diagonal pair.
    c = cross_qam(order)
    points = c.points.numpy()
    distance = np.abs(points[:, None] - points) + 10 * np.eye(order)
    nearest = distance.min()
    neighbours = (distance < 1.001 * nearest).sum() / order
    esn0_db = 27.0 if order == 32 else 33.0
    q = float(q_function(nearest / 2 * np.sqrt(2 * 10 ** (esn0_db / 10))))
    assert q < 1e-6
    assert float(ser(c, esn0_db)) == pytest.approx(neighbours * q, rel=2e-3)
    differing = (c.label_bits.numpy()[:, None] != c.label_bits.numpy()).sum(axis=-1)
    bits = (differing * (distance < 1.001 * nearest)).sum() / order / c.bits_per_symbol
    assert float(ber(c, esn0_db)) == pytest.approx(bits * q, rel=2e-3)
