import pytest
import torch

from phy.cross_qam import cross_qam


@pytest.mark.parametrize(("order", "side", "energy"), [(32, 6, 20), (128, 12, 82)])
def test_points_are_a_square_without_its_corners(order: int, side: int, energy: int) -> None:
    points = cross_qam(order).points * energy**0.5
    found = {(round(p.real), round(p.imag)) for p in points.tolist()}
    corner = 0.75 * side  # levels beyond it are missing where both axes reach them
    levels = range(1 - side, side, 2)
    expected = {(i, q) for i in levels for q in levels if not (abs(i) >= corner <= abs(q))}
    assert found == expected
    assert len(found) == order


@pytest.mark.parametrize(
    ("order", "energy", "most", "penalty"), [(32, 20, 2, 7 / 6), (128, 82, 3, 217 / 192)]
)
def test_gray_penalty(order: int, energy: int, most: int, penalty: float) -> None:
    # Mean over the points of the mean number of bits in which the nearest neighbours differ:
    # 7/6 is the value of Smith (1975) for 32 points.
    constellation = cross_qam(order)
    points, bits = constellation.points * energy**0.5, constellation.label_bits
    neighbours = ((points[:, None] - points).abs() - 2).abs() < 1e-6
    differing = (bits[:, None] != bits).sum(-1) * neighbours
    assert int(differing.max()) == most
    mean = (differing.sum(1) / neighbours.sum(1)).mean()
    assert float(mean) == pytest.approx(penalty, abs=1e-6)


def test_inner_columns_keep_the_label_of_the_rectangle() -> None:
    # 32 points: bits 0, 2, 4 on I and 1, 3 on Q, as TS 38.211 labels an axis.
    for label, point in enumerate((cross_qam(32).points * 20**0.5).tolist()):
        b = [(label >> (4 - place)) & 1 for place in range(5)]
        i = (1 - 2 * b[0]) * (4 - (1 - 2 * b[2]) * (2 - (1 - 2 * b[4])))
        q = (1 - 2 * b[1]) * (2 - (1 - 2 * b[3]))
        if abs(i) == 7:
            i, q = (abs(q) if i > 0 else -abs(q)), (5 if q > 0 else -5)
        assert point == pytest.approx(complex(i, q), abs=1e-9)


def test_the_fold_costs_a_second_bit() -> None:
    # Along the fold the label of a rectangle's column meets that of a row: two bits or more.
    constellation = cross_qam(32)
    points = (constellation.points * 20**0.5).tolist()
    label = {(round(p.real), round(p.imag)): place for place, p in enumerate(points)}
    steps = [(label[i, 3] ^ label[i, 5]).bit_count() for i in (-3, -1, 1, 3)]
    assert steps == [2, 2, 2, 2]


def test_refused() -> None:
    with pytest.raises(ValueError, match="order must be 32 or 128, got 64"):
        cross_qam(64)


def test_unit_energy() -> None:
    for order in (32, 128):
        energy = cross_qam(order).points.abs().square().mean()
        assert torch.isclose(energy, torch.ones_like(energy), rtol=1e-12)
