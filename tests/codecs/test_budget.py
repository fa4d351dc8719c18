"""The search on a ladder of sizes, and the memory of what was encoded."""

import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest
import torch
from skimage import data

from semcodec.bpg import Bpg
from semcodec.budget import EncodeCache, best_after_header, best_within
from semcodec.errors import BudgetError
from semcodec.jpeg import Jpeg


@dataclass(frozen=True)
class Ladder:
    """A codec of given sizes, quality i from ``first`` on, that notes what it encodes."""

    sizes: tuple[int, ...]
    first: int = 3
    encoded: list[int] = field(default_factory=list, compare=False)

    @property
    def qualities(self) -> range:
        return range(self.first, self.first + len(self.sizes))

    def encode(self, image: torch.Tensor, quality: int) -> bytes:
        assert image.dtype == torch.uint8
        self.encoded.append(quality)
        return bytes([quality]) * self.sizes[quality - self.first]


IMAGE = torch.arange(48, dtype=torch.uint8).reshape(3, 4, 4)
PHOTO = torch.from_numpy(data.rocket()[100:164, 300:364].copy()).permute(2, 0, 1).contiguous()


def ladders() -> Iterator[tuple[int, ...]]:
    rng = random.Random(6)
    for _ in range(100):
        growth = rng.uniform(1.0, 1.4)
        jitter = rng.choice((0.0, 0.01))
        sizes = [
            20 * growth**i * rng.uniform(1 - jitter, 1 + jitter)
            for i in range(rng.randrange(1, 60))
        ]
        yield tuple(max(1, round(min(size, 1e5))) for size in sizes)


def test_result_is_the_best_that_fits() -> None:
    rng = random.Random(7)
    for sizes in ladders():
        for budget in {min(sizes), max(sizes), rng.randrange(min(sizes), max(sizes) + 2)}:
            if sizes[0] > budget:
                continue
            got = best_within(Ladder(sizes), IMAGE, budget, cache=EncodeCache(1 << 30))
            step = got[0] - 3
            beyond = sizes[step + 1 :]
            sure = next((i for i, size in enumerate(beyond) if size > 1.05 * budget), len(beyond))
            assert len(got) <= budget
            assert all(size > budget for size in beyond[:sure])


def test_a_monotone_ladder_gives_exactly_the_largest_size_that_fits() -> None:
    sizes = tuple(round(40 * 1.11**i) for i in range(52))
    counts = []
    for budget in range(40, 9000, 37):
        codec = Ladder(sizes)
        got = best_within(codec, IMAGE, budget, cache=EncodeCache(1 << 30))
        assert len(got) == max(size for size in sizes if size <= budget)
        counts.append(len(codec.encoded))
    assert sum(counts) / len(counts) < 6


def test_a_dent_beyond_the_first_size_that_is_too_big_is_found() -> None:
    codec = Ladder((50, 80, 101, 100, 99, 140))
    assert best_within(codec, IMAGE, 100, cache=EncodeCache(1 << 20)) == bytes([7]) * 99


def test_budget_below_the_smallest_size_is_an_outage() -> None:
    with pytest.raises(BudgetError, match="at least 50, the smallest size there is, got 49"):
        best_within(Ladder((50, 80)), IMAGE, 49, cache=EncodeCache(1 << 20))
    with pytest.raises(BudgetError, match="got 0"):
        best_within(Ladder((50, 80)), IMAGE, 0, cache=EncodeCache(1 << 20))


def test_agrees_with_trying_every_quality_of_jpeg() -> None:
    sizes = [len(Jpeg("444").encode(PHOTO, quality)) for quality in range(1, 101)]
    for budget in range(min(sizes), max(sizes), 211):
        got = best_within(Jpeg("444"), PHOTO, budget)
        assert len(got) == max(size for size in sizes if size <= budget)


def test_what_is_known_is_not_encoded_again_and_changes_no_result() -> None:
    sizes = tuple(round(30 * 1.2**i) for i in range(40))
    cache, codec = EncodeCache(1 << 20), Ladder(sizes)
    budgets = range(30, 20000, 501)
    fresh = [best_within(Ladder(sizes), IMAGE, b, cache=EncodeCache(1 << 20)) for b in budgets]
    assert [best_within(codec, IMAGE, budget, cache=cache) for budget in budgets] == fresh
    assert len(codec.encoded) == len(set(codec.encoded))
    before = len(codec.encoded)
    assert [best_within(codec, IMAGE, budget, cache=cache) for budget in reversed(budgets)] == (
        fresh[::-1]
    )
    assert len(codec.encoded) == before


def test_images_shapes_and_codecs_are_told_apart() -> None:
    cache = EncodeCache(1 << 20)
    codec = Ladder((10, 20))
    for image in (IMAGE, IMAGE.flip(2), IMAGE.reshape(3, 2, 8)):
        best_within(codec, image, 30, cache=cache)
    assert sorted(codec.encoded) == [3, 3, 3, 4, 4, 4]
    assert len(best_within(Ladder((10, 25)), IMAGE, 30, cache=cache)) == 25
    jpeg, bpg = (c.encode_to_budget(PHOTO, 1500) for c in (Jpeg("444"), Bpg("444", "fast")))
    assert (jpeg[:2], bpg[:3]) == (b"\xff\xd8", b"BPG")


def test_memory_is_bounded_and_the_oldest_is_dropped_first() -> None:
    cache, codec = EncodeCache(100), Ladder((40, 40, 40))
    for quality in (3, 4, 3, 5, 3, 4):
        cache.encode(codec, IMAGE, quality=quality, digest=b"")
    assert codec.encoded == [3, 4, 5, 4]
    big = Ladder((200,))
    for _ in range(2):
        assert len(cache.encode(big, IMAGE, quality=3, digest=b"")) == 200
    assert big.encoded == [3, 3]


def test_threads_share_the_cache() -> None:
    cache = EncodeCache(500)
    codec = Ladder(tuple(range(20, 80)))
    with ThreadPoolExecutor(8) as pool:
        sizes = pool.map(
            lambda budget: len(best_within(codec, IMAGE, budget, cache=cache)),
            [*range(20, 80)] * 20,
        )
    assert list(sizes) == [*range(20, 80)] * 20


def test_budget_and_image_are_checked() -> None:
    with pytest.raises(ValueError, match="max_bytes must be at least 0, got -1"):
        best_within(Ladder((1,)), IMAGE, -1)
    with pytest.raises(ValueError, match="image must be uint8"):
        best_within(Ladder((1,)), IMAGE[0], 10)


@dataclass(frozen=True)
class Headed(Ladder):
    """A header of ``header`` bytes, one more in every second quality if they vary."""

    header: int = 10
    varies: bool = False

    def encode(self, image: torch.Tensor, quality: int) -> bytes:
        return super().encode(image, quality) + bytes([quality]) * self._header(quality)

    def encode_to_budget(self, image: torch.Tensor, max_bytes: int) -> bytes:
        return best_within(self, image, max_bytes)

    def header_bytes(self, data: bytes) -> int:
        return self._header(data[0])

    def _header(self, quality: int) -> int:
        return self.header + (self.varies and quality % 2)


@pytest.mark.parametrize("varies", [False, True])
def test_a_known_header_is_granted_besides(varies: bool) -> None:
    """Without it the file would be the best of its payload; of rising sizes, that is exact."""
    for step in (3, 4, 5):
        sizes = tuple(range(20, 220, step))
        codec = Headed(sizes, varies=varies)
        for budget in (20, 21, 57, 150, 400):
            data = best_after_header(codec, IMAGE, budget)
            assert len(data) - codec.header_bytes(data) == max(n for n in sizes if n <= budget)
        with pytest.raises(BudgetError, match="max_bytes must be at least"):
            best_after_header(codec, IMAGE, 19)


def test_after_the_tables_of_jpeg() -> None:
    codec = Jpeg()
    for budget in (400, 700, 1500):
        data = best_after_header(codec, PHOTO, budget)
        assert len(data) - codec.header_bytes(data) <= budget
        assert len(data) > len(best_within(codec, PHOTO, budget))
