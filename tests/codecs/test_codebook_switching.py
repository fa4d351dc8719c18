import itertools

import pytest
import torch

from semcodec.codebook.distance import squared_distances
from semcodec.codebook.distortion import channel_distortion, random_labelling_distortion
from semcodec.codebook.labels import uniform
from semcodec.codebook.switching import Switching, switching_order


def random_codebook(size: int, dimension: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    p = torch.rand(size, generator=generator, dtype=torch.float64)
    return 5 + torch.randn(size, dimension, generator=generator), p / p.sum()


def distortion(
    found: Switching, codewords: torch.Tensor, p: torch.Tensor, flips: float | torch.Tensor
) -> float:
    order = found.order
    return channel_distortion(codewords[order], flip_probability=flips, probability=p[order])


@pytest.mark.parametrize("eps", [1e-9, 0.01, 0.2, 0.5])
@pytest.mark.parametrize("size", [2, 16, 64])
def test_distortion_never_rises_and_is_what_is_said(size: int, eps: float) -> None:
    codewords, p = random_codebook(size, 3)
    found = switching_order(codewords, flip_probability=eps, probability=p)
    assert found.order.sort().values.tolist() == list(range(size))
    before = channel_distortion(codewords, flip_probability=eps, probability=p)
    assert found.before == pytest.approx(before, rel=1e-12)
    assert found.after == pytest.approx(distortion(found, codewords, p, eps), rel=1e-12)
    assert found.after <= found.before
    assert found.finished
    assert (found.swaps > 0) == (found.after < found.before * (1 - 1e-11))


@pytest.mark.parametrize(
    "flips", [0.05, torch.tensor([0.3, 0.2, 0.01, 0.001], dtype=torch.float64)]
)
def test_no_swap_of_two_labels_helps_any_more(flips: float | torch.Tensor) -> None:
    codewords, p = random_codebook(16, 2)
    found = switching_order(codewords, flip_probability=flips, probability=p)
    for pair in itertools.combinations(range(16), 2):
        order = found.order.clone()
        order[list(pair)] = order[list(pair[::-1])]
        swapped = channel_distortion(codewords[order], flip_probability=flips, probability=p[order])
        assert swapped >= found.after * (1 - 1e-11)


def test_close_to_the_best_of_all_labellings() -> None:
    """Exhaustive search over 7! labellings; an XOR of all labels changes nothing."""
    index = torch.arange(8)
    wrong = torch.tensor([int(x).bit_count() for x in range(8)])[index[:, None] ^ index]
    T = 0.02 ** wrong.double() * 0.98 ** (3 - wrong.double())
    orders = torch.tensor([[0, *rest] for rest in itertools.permutations(range(1, 8))])
    ratios = []
    for seed in range(30):
        codewords, p = random_codebook(8, 2, seed)
        sent = p[:, None] * squared_distances(codewords)
        costs = (T * sent[orders[:, :, None], orders[:, None]]).sum((1, 2))
        found = switching_order(codewords, flip_probability=0.02, probability=p)
        ratios.append(found.after / float(costs.min()))
    assert min(ratios) == pytest.approx(1, rel=1e-12)
    assert sum(ratios) / 30 < 1.02
    assert max(ratios) < 1.2


def test_corners_of_a_cube() -> None:
    """The cube's own labels are the best; local search finds some as good from most shuffles."""
    index = torch.arange(8)
    corners = ((index[:, None] >> torch.arange(3)) & 1).double()
    found = []
    for seed in range(20):
        shuffled = corners[torch.randperm(8, generator=torch.Generator().manual_seed(seed))]
        found.append(switching_order(shuffled, flip_probability=0.01, probability=uniform(8)))
    best = [result.after == pytest.approx(0.03, rel=1e-9) for result in found]
    assert sum(best) > 10
    assert min(result.after for result in found) > 0.03 * (1 - 1e-9)


def test_gain_over_random_labels() -> None:
    """Four components at one bit in a hundred: less than half of what random labels suffer."""
    codewords = torch.randn(256, 4, generator=torch.Generator().manual_seed(1))
    found = switching_order(codewords, flip_probability=0.01, probability=uniform(256))
    random = random_labelling_distortion(codewords, flip_probability=0.01, probability=uniform(256))
    assert found.after < 0.45 * random


def test_a_bit_that_is_never_wrong_tells_far_codewords_apart() -> None:
    codewords = torch.tensor([[0.0], [100.0], [1.0], [101.0]])
    flips = torch.tensor([0.0, 0.1])
    found = switching_order(codewords, flip_probability=flips, probability=uniform(4))
    assert found.before == pytest.approx(0.1 * 100**2, rel=1e-6)
    assert found.after == pytest.approx(0.1, rel=1e-6)


def test_same_input_same_order() -> None:
    codewords, p = random_codebook(64, 4)
    a, b = (switching_order(codewords, flip_probability=0.01, probability=p) for _ in range(2))
    assert torch.equal(a.order, b.order)


def test_time_limit_stops_with_what_was_reached() -> None:
    codewords, p = random_codebook(64, 4)
    found = switching_order(codewords, flip_probability=0.01, probability=p, time_limit_s=1e-9)
    assert not found.finished
    assert found.after <= found.before


def test_nothing_to_gain() -> None:
    different, _ = random_codebook(8, 2)
    p = uniform(8)
    for codewords, eps in ((torch.ones(8, 2), 0.1), (different, 0.0)):
        found = switching_order(codewords, flip_probability=eps, probability=p)
        assert (found.swaps, found.finished) == (0, True)
        assert found.order.tolist() == list(range(8))


def test_what_is_refused() -> None:
    codewords, p = random_codebook(4, 1)
    with pytest.raises(ValueError, match="time_limit_s must be above 0, got 0"):
        switching_order(codewords, flip_probability=0.1, probability=p, time_limit_s=0)
    with pytest.raises(ValueError, match=r"flip_probability must be in \[0, 1\]"):
        switching_order(codewords, flip_probability=2.0, probability=p)
    with pytest.raises(ValueError, match=r"probability must be \[4\], got \[3\]"):
        switching_order(codewords, flip_probability=0.1, probability=p[:3])
    with pytest.raises(ValueError, match="codebook size must be a power of two, got 3"):
        switching_order(codewords[:3], flip_probability=0.1, probability=uniform(3))
