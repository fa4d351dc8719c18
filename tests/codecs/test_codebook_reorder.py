import pytest
import torch

from phy.qam import pam_levels
from semcodec.codebook.distortion import channel_distortion, random_labelling_distortion
from semcodec.codebook.labels import gray, uniform
from semcodec.codebook.reorder import walk_order


def walk(codewords: torch.Tensor) -> list[int]:
    """Algorithm 1 to the letter, with a list from which the nearest is taken out."""
    left = list(range(len(codewords)))
    here, found = codewords.mean(0), []
    while left:
        nearest = min(left, key=lambda k: float((codewords[k] - here).square().sum()))
        left.remove(nearest)
        found.append(nearest)
        here = codewords[nearest]
    return found


@pytest.mark.parametrize("size", [2, 8, 64])
def test_positions_of_the_walk_get_gray_labels(size: int) -> None:
    codewords = torch.randn(size, 3, generator=torch.Generator().manual_seed(size)).double()
    order = walk_order(codewords)
    assert order.sort().values.tolist() == list(range(size))
    assert order[gray(torch.arange(size))].tolist() == walk(codewords)


def test_points_on_a_line_get_neighbouring_labels() -> None:
    """From an end on, the walk is the line: levels 0, 1, ... hold labels of a Gray code."""
    levels = torch.tensor([5.0, 1, 7, 3, 0, 6, 2, 4]).exp()[:, None]
    start = torch.tensor([[-1e9]])  # draws the mean below all others
    codewords = torch.cat([levels, start])[[8, 0, 1, 2, 3, 4, 5, 6]]
    ordered = codewords[walk_order(codewords)][gray(torch.arange(8))].flatten()
    assert bool((ordered[:-1].diff() > 0).all())
    assert float(ordered[-1]) == -1e9


def test_amplitude_axis_of_a_constellation() -> None:
    """TS 38.211's labels are another Gray code: given, neighbouring levels hold neighbours."""
    labels = pam_levels(3).argsort()
    codewords = torch.randn(8, 4, generator=torch.Generator().manual_seed(0)).double()
    order = walk_order(codewords, labels=labels)
    assert order[labels].tolist() == walk(codewords)
    assert not torch.equal(labels, gray(torch.arange(8)))


def test_reordering_moves_codewords_and_changes_none() -> None:
    generator = torch.Generator().manual_seed(3)
    codewords = torch.randn(32, 4, generator=generator)
    vectors = torch.randn(500, 4, generator=generator)
    new = codewords[walk_order(codewords)]
    before, after = (
        book[(vectors[:, None] - book).square().sum(-1).argmin(1)] for book in (codewords, new)
    )
    assert torch.equal(before, after)


def test_walk_beats_random_labels() -> None:
    """Mean over codebooks of three components; the walk promises nothing for a single one."""
    ratios = []
    for seed in range(20):
        codewords = torch.randn(64, 3, generator=torch.Generator().manual_seed(seed))
        values = [
            of(book, flip_probability=0.01, probability=uniform(64))
            for of, book in (
                (channel_distortion, codewords[walk_order(codewords)]),
                (random_labelling_distortion, codewords),
            )
        ]
        ratios.append(values[0] / values[1])
    assert sum(ratios) / 20 < 0.8
    assert max(ratios) < 1


def test_of_equals_the_first_is_taken() -> None:
    assert walk_order(torch.zeros(4, 2)).tolist() == [0, 1, 3, 2]


def test_labels_must_be_a_permutation() -> None:
    for labels in (torch.tensor([0, 1, 1, 3]), torch.arange(5), torch.arange(4) + 1):
        with pytest.raises(ValueError, match="labels must be a permutation of 0 to 3"):
            walk_order(torch.zeros(4, 2), labels=labels)
