"""Random streams are known by their names alone."""

import itertools
from typing import Any

import pytest
import torch

from transceiver.streams import stream

NAME: dict[str, Any] = {"point": 1, "image": 2, "trial": 3, "purpose": "noise"}


def test_published_values() -> None:
    """The naming is a promise: old runs can be reproduced. BLAKE2b-32 of "7/1/2/3/noise"."""
    from hashlib import blake2b

    seed = int.from_bytes(blake2b(b"7/1/2/3/noise", digest_size=4).digest(), "big")
    expected = torch.randn(4, generator=torch.Generator().manual_seed(seed))
    assert torch.equal(torch.randn(4, generator=stream(7, **NAME)), expected)


def test_same_name_same_stream() -> None:
    first, again = (torch.randn(100, generator=stream(7, **NAME)) for _ in range(2))
    assert torch.equal(first, again)


def test_every_part_of_the_name_counts() -> None:
    names = [
        (7, NAME),
        (8, NAME),
        *((7, NAME | change) for change in ({"point": 2}, {"image": 3}, {"trial": 1})),
        *((7, NAME | {"purpose": p}) for p in ("fading", "payload")),
        (7, NAME | {"point": 2, "image": 1}),
    ]
    draws = [torch.randn(64, generator=stream(seed, **name)) for seed, name in names]
    for a, b in itertools.combinations(draws, 2):
        assert not torch.equal(a, b)


def test_streams_are_uncorrelated() -> None:
    """First draws of 4000 streams: mean, variance and lag-one correlation within 4 sigma."""
    count = 4000
    first = torch.stack(
        [torch.randn((), generator=stream(1, **(NAME | {"image": i}))) for i in range(count)]
    ).double()
    assert abs(float(first.mean())) < 4 / count**0.5
    assert abs(float(first.square().mean()) - 1) < 4 * (2 / count) ** 0.5
    assert abs(float((first[1:] * first[:-1]).mean())) < 4 / count**0.5


def test_purpose_is_a_keyword() -> None:
    with pytest.raises(TypeError):
        stream(7, 1, 2, 3, "noise")  # type: ignore[call-arg, misc]
