from math import pi

import torch

from phy.psk import bpsk, psk8, qpsk
from phy.qam import qam


def test_bpsk_and_qpsk() -> None:
    assert bpsk().points.tolist() == [1, -1]
    assert qpsk() is qam(4)
    expected = torch.tensor([1 + 1j, 1 - 1j, -1 + 1j, -1 - 1j], dtype=torch.complex128) / 2**0.5
    assert torch.allclose(qpsk().points, expected, rtol=0, atol=1e-15)


def test_8_psk_angles_of_dvb_s2() -> None:
    angles = {0b000: 1, 0b001: 0, 0b101: -1, 0b111: -2, 0b011: -3, 0b010: 4, 0b110: 3, 0b100: 2}
    for label, eighths in angles.items():
        expected = torch.polar(torch.ones(()), torch.tensor(eighths * pi / 4))
        assert abs(complex(psk8().points[label]) - complex(expected)) < 1e-6


def test_8_psk_neighbours_differ_in_one_bit() -> None:
    around = (psk8().points.angle() % (2 * pi)).argsort().tolist()
    pairs = zip(around, around[1:] + around[:1], strict=True)
    assert all((a ^ b).bit_count() == 1 for a, b in pairs)
