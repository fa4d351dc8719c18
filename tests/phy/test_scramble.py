import pytest
import torch

from phy import scramble as scramble_module
from phy.scramble import descramble_llrs, gold_sequence, scramble


def by_shift_registers(c_init: int, length: int) -> list[int]:
    """TS 38.211 clause 5.2.1, one bit at a time."""
    x1 = [1] + [0] * 30
    x2 = [c_init >> i & 1 for i in range(31)]
    for n in range(1600 + length):
        x1.append(x1[n + 3] ^ x1[n])
        x2.append(x2[n + 3] ^ x2[n + 2] ^ x2[n + 1] ^ x2[n])
    return [x1[n + 1600] ^ x2[n + 1600] for n in range(length)]


@pytest.mark.parametrize("c_init", [0, 1, 0x12345678, (1 << 31) - 1])
@pytest.mark.parametrize("length", [0, 1, 31, 5000])
def test_definition(c_init: int, length: int) -> None:
    sequence = gold_sequence(c_init, length)
    assert sequence.dtype == torch.uint8
    assert sequence.tolist() == by_shift_registers(c_init, length)


def test_is_balanced_and_white() -> None:
    n = 100_000
    signs = 1 - 2 * gold_sequence(1234, n).to(torch.float64)
    assert abs(float(signs.sum())) < 4 * n**0.5
    for lag in (1, 7, 31):
        assert abs(float((signs[lag:] * signs[:-lag]).sum())) < 4 * n**0.5


def test_round_trip() -> None:
    generator = torch.Generator().manual_seed(0)
    bits = torch.randint(0, 2, (3, 4, 500), dtype=torch.uint8, generator=generator)
    sequence = gold_sequence(99, 500)
    scrambled = scramble(bits, sequence)
    assert not torch.equal(scrambled, bits)
    assert torch.equal(scramble(scrambled, sequence), bits)
    magnitudes = torch.rand(bits.shape, generator=generator)
    llrs = magnitudes * (1 - 2 * scrambled.float())  # positive means 0
    back = descramble_llrs(llrs, sequence)
    assert torch.equal((back < 0).to(torch.uint8), bits)
    assert torch.equal(back.abs(), magnitudes)


def test_infinite_llrs() -> None:
    llrs = torch.tensor([float("inf"), float("-inf")])
    assert torch.equal(descramble_llrs(llrs, torch.tensor([1, 1], dtype=torch.uint8)), -llrs)


def test_refused() -> None:
    with pytest.raises(ValueError, match=r"c_init must be in \[0, 2\*\*31\), got 2147483648"):
        gold_sequence(1 << 31, 10)
    with pytest.raises(ValueError, match="length must be at least 0, got -1"):
        gold_sequence(0, -1)
    with pytest.raises(ValueError, match=r"sequence must have the shape \[5\] .*, got \[4\]"):
        scramble(torch.zeros(2, 5, dtype=torch.uint8), gold_sequence(0, 4))
    with pytest.raises(ValueError, match=r"sequence must have the shape \[5\] .*, got \[4\]"):
        descramble_llrs(torch.zeros(2, 5), gold_sequence(0, 4))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_kernel_and_tensors_agree(dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    generator = torch.Generator().manual_seed(1)
    llrs = torch.randn(37, 5, 3, dtype=dtype, generator=generator).permute(1, 2, 0)
    llrs[0, 0, :3] = torch.tensor([0.0, -0.0, float("inf")])
    sequence = gold_sequence(7, 37)
    found = descramble_llrs(llrs, sequence)
    monkeypatch.setattr(scramble_module, "on_host", lambda *_: False)
    expected = descramble_llrs(llrs, sequence)
    assert torch.equal(found, expected)
    assert torch.equal(found.signbit(), expected.signbit())
    assert descramble_llrs(llrs[:0], sequence).shape == (0, 3, 37)
