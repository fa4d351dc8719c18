import pytest
import torch

from phy.bits import pack_bytes, pack_integers, unpack_bytes, unpack_integers


def test_integers_are_binary_numerals() -> None:
    values = torch.tensor([[0, 1, 5], [31, 16, 10]])
    numerals = [[f"{v:05b}" for v in row] for row in values.tolist()]
    expected = [[int(digit) for digit in "".join(row)] for row in numerals]
    bits = unpack_integers(values, width=5)
    assert bits.dtype == torch.uint8
    assert bits.tolist() == expected


@pytest.mark.parametrize("width", [1, 3, 8, 13, 62])
def test_integers_round_trip(width: int) -> None:
    generator = torch.Generator().manual_seed(width)
    values = torch.randint(0, 1 << width, (2, 3, 7), generator=generator)
    bits = unpack_integers(values, width=width)
    assert bits.shape == (2, 3, 7 * width)
    assert torch.equal(pack_integers(bits, width=width), values)


def test_no_integers() -> None:
    assert unpack_integers(torch.zeros(3, 0, dtype=torch.int64), width=4).shape == (3, 0)
    assert pack_integers(torch.zeros(3, 0, dtype=torch.uint8), width=4).shape == (3, 0)


@pytest.mark.parametrize("data", [b"", b"\x80", bytes(range(256))])
def test_bytes_round_trip(data: bytes) -> None:
    bits = unpack_bytes(data)
    assert "".join(map(str, bits.tolist())) == "".join(f"{byte:08b}" for byte in data)
    assert pack_bytes(bits) == data


def test_refused() -> None:
    with pytest.raises(ValueError, match=r"values must be in \[0, 2\*\*3\), got 2 to 8"):
        unpack_integers(torch.tensor([2, 8]), width=3)
    with pytest.raises(ValueError, match=r"values must be in \[0, 2\*\*3\), got -1 to 0"):
        unpack_integers(torch.tensor([-1, 0]), width=3)
    with pytest.raises(ValueError, match=r"values must be integers, got torch\.float32"):
        unpack_integers(torch.ones(1), width=3)
    with pytest.raises(ValueError, match="width must be 1 to 62, got 0"):
        unpack_integers(torch.tensor([0]), width=0)
    with pytest.raises(ValueError, match="bits must be a multiple of width 3, got 4 bits"):
        pack_integers(torch.zeros(4, dtype=torch.uint8), width=3)
    with pytest.raises(ValueError, match="bits must be a multiple of width 8, got 9 bits"):
        pack_bytes(torch.zeros(9, dtype=torch.uint8))
    with pytest.raises(ValueError, match=r"bits must have one dimension, got shape \(1, 8\)"):
        pack_bytes(torch.zeros(1, 8, dtype=torch.uint8))
