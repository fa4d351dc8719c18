import math

import pytest
import torch

from semcodec.streams import Frequencies
from semcodec.streams.frequencies import UNITS


def test_counts_by_definition() -> None:
    table = Frequencies.of(torch.tensor([0.5, 0.25 + 2**-21, 0.25 - 2**-21, 0.0, 1e-9]))
    # A half is rounded up; what is too rare, or never seen, gets the floor.
    assert table.counts == (UNITS // 2, UNITS // 4 + 1, UNITS // 4, 1, 1)
    assert sum(table.probabilities) == pytest.approx(1, abs=1e-15)


def test_entropy_and_most_probable() -> None:
    assert Frequencies((1,) * 8).entropy == pytest.approx(3)
    assert Frequencies((1, 3)).entropy == pytest.approx(0.25 * 2 + 0.75 * math.log2(4 / 3))
    assert Frequencies((1, 3, 3)).most_probable == 1


def test_the_floor_costs_what_is_stated() -> None:
    """1024 codewords of which one half is never used: Kullback-Leibler distance in bits."""
    generator = torch.Generator().manual_seed(0)
    p = torch.rand(1024, generator=generator)
    p[::2] = 0
    p /= p.sum()
    used = p.double().numpy()[1::2]
    q = Frequencies.of(p).probabilities[1::2]
    excess = float((used * torch.from_numpy(used / q).log2().numpy()).sum())
    assert 0 < excess < 1024 / UNITS * math.log2(math.e) + 1e-4


def test_precision_of_the_floats_does_not_matter() -> None:
    p = torch.rand(300, generator=torch.Generator().manual_seed(1)).softmax(0)
    assert Frequencies.of(p) == Frequencies.of(p.double())
    order = torch.randperm(300, generator=torch.Generator().manual_seed(2))
    counts = Frequencies.of(p).counts
    assert Frequencies.of(p[order]).counts == tuple(counts[i] for i in order.tolist())


def test_refused() -> None:
    with pytest.raises(ValueError, match=r"probabilities must be floating point \[K\], got .*int"):
        Frequencies.of(torch.tensor([0, 1]))
    with pytest.raises(ValueError, match="probabilities must be finite and not negative"):
        Frequencies.of(torch.tensor([1.5, -0.5]))
    with pytest.raises(ValueError, match="probabilities must be finite and not negative"):
        Frequencies.of(torch.tensor([1.0, torch.nan]))
    with pytest.raises(ValueError, match=r"probabilities must add up to 1 within 0\.001, got 0\.9"):
        Frequencies.of(torch.tensor([0.5, 0.4]))
    with pytest.raises(ValueError, match="counts must be of 2 to 65536 codewords, got 1"):
        Frequencies.of(torch.tensor([1.0]))
    with pytest.raises(ValueError, match="counts must be at least 1, got 0"):
        Frequencies((3, 0))
