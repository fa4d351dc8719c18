import pytest
import torch

from phy.ragged import Ragged
from phy.segment import join, segment


def payloads(*lengths: int) -> Ragged:
    generator = torch.Generator().manual_seed(1)
    total = sum(lengths)
    return Ragged(torch.randint(0, 2, (total,), dtype=torch.uint8, generator=generator), lengths)


def test_definition() -> None:
    info = payloads(5, 0, 6, 1)
    blocks = segment(info, k=3)
    a, _, b, c = (part.tolist() for part in info.split())
    expected = [a[:3], [*a[3:], 0], b[:3], b[3:], [*c, 0, 0]]
    assert blocks.bits.tolist() == expected
    assert blocks.counts == (2, 0, 2, 1)


@pytest.mark.parametrize("k", [1, 2, 3, 7, 100])
@pytest.mark.parametrize("lengths", [(), (0,), (5,), (7, 0, 14, 1, 0), (0, 0), (100, 100)])
def test_round_trip(k: int, lengths: tuple[int, ...]) -> None:
    info = payloads(*lengths)
    blocks = segment(info, k=k)
    assert blocks.bits.shape == (sum(blocks.counts), k)
    assert len(blocks.counts) == len(lengths)
    back = join(blocks.bits, lengths)
    assert back.lengths == lengths
    assert torch.equal(back.values, info.values)


def test_refused() -> None:
    with pytest.raises(ValueError, match="k must be at least 1, got 0"):
        segment(payloads(3), k=0)
    with pytest.raises(ValueError, match="k must be at least 1, got 0"):
        join(torch.zeros(2, 0), [0])
    with pytest.raises(ValueError, match="lengths must take 2 blocks of 3 bits, got lengths for 3"):
        join(torch.zeros(2, 3), [4, 1])
