from typing import Literal

import pytest
import torch

from phy.qam import SQUARE_ORDERS, pam_levels, qam


@pytest.mark.parametrize("order", SQUARE_ORDERS)
def test_points_equal_sionna(order: int) -> None:
    from sionna.phy.mapping import qam as sionna_qam

    other = torch.as_tensor(sionna_qam(order.bit_length() - 1, normalize=True, precision="double"))
    assert torch.allclose(qam(order).points, other.to(torch.complex128), rtol=0, atol=1e-12)


def test_64_qam_is_the_formula_of_the_standard() -> None:
    # TS 38.211, clause 5.1.5.
    for label, point in enumerate(qam(64).points.tolist()):
        b = [(label >> (5 - place)) & 1 for place in range(6)]
        i = (1 - 2 * b[0]) * (4 - (1 - 2 * b[2]) * (2 - (1 - 2 * b[4])))
        q = (1 - 2 * b[1]) * (4 - (1 - 2 * b[3]) * (2 - (1 - 2 * b[5])))
        assert point == pytest.approx(complex(i, q) / 42**0.5, abs=1e-12)


@pytest.mark.parametrize("order", SQUARE_ORDERS)
@pytest.mark.parametrize("axes", ["interleaved", "split"])
def test_neighbours_differ_in_one_bit(order: int, axes: Literal["interleaved", "split"]) -> None:
    constellation = qam(order, axes=axes)
    side = int(order**0.5)
    place = (constellation.points.imag * 1e6).round() * 1e8 + (constellation.points.real * 1e6)
    grid = place.argsort().reshape(side, side)  # labels, by Q and by I
    bits = constellation.label_bits.to(torch.int64)
    for near, far in ((grid[1:], grid[:-1]), (grid[:, 1:], grid[:, :-1])):
        assert torch.equal((bits[near] ^ bits[far]).sum(-1), torch.ones_like(near))


def test_split_keeps_the_bits_of_an_axis_together() -> None:
    split, interleaved = qam(64, axes="split"), qam(64)
    label = torch.arange(64)
    assert split.axes is not None
    assert torch.equal(split.points.real, split.axes[0].levels[label >> 3])
    assert torch.equal(split.points.imag, split.axes[1].levels[label & 7])
    in_turn = torch.tensor([0, 3, 1, 4, 2, 5])
    bits = torch.randint(0, 2, (60,), dtype=torch.uint8, generator=torch.Generator())
    moved = bits.reshape(10, 6)[:, in_turn].reshape(60)
    assert torch.equal(split.map(bits), interleaved.map(moved))


def test_axis_labels_from_the_top_level_down() -> None:
    labels = pam_levels(3).argsort(descending=True).tolist()
    assert labels == [0b011, 0b010, 0b000, 0b001, 0b101, 0b100, 0b110, 0b111]


def test_refused() -> None:
    with pytest.raises(ValueError, match=r"order must be one of \(4, 16, .*\), got 32"):
        qam(32)
    with pytest.raises(ValueError, match="axes must be interleaved or split, got swapped"):
        qam(16, axes="swapped")
