"""What holds of every code and decoder alike: round trips, extremes, and blocks that do not mix."""

import random

import numpy as np
import pytest
import torch
from torch import Tensor

from phy.fec import (
    BlockCode,
    BlockDecoder,
    Convolutional,
    DecodedBlocks,
    Polar,
    SuccessiveCancellation,
    SuccessiveCancellationList,
    Turbo,
    TurboDecoder,
    Viterbi,
    block,
)

POLAR = Polar(40, 90)
DOWNLINK = Polar(30, 100, direction="downlink")
CONVOLUTIONAL = Convolutional(50, rate="1/3", constraint_length=5)
OPEN_END = Convolutional(31, constraint_length=4, terminate=False)
TURBO = Turbo(44)
HALF = Turbo(41, rate="1/2", constraint_length=3, terminate=False)
PAIRS: list[tuple[BlockCode, BlockDecoder]] = [
    (POLAR, SuccessiveCancellationList(POLAR)),
    (POLAR, SuccessiveCancellation(POLAR)),
    (DOWNLINK, SuccessiveCancellationList(DOWNLINK, 2)),
    (CONVOLUTIONAL, Viterbi(CONVOLUTIONAL)),
    (OPEN_END, Viterbi(OPEN_END)),
    (TURBO, TurboDecoder(TURBO, 2)),
    (HALF, TurboDecoder(HALF, 2, "max_log")),
]
EVERY = pytest.mark.parametrize(
    ("code", "decoder"), PAIRS, ids=lambda part: type(part).__name__.lower()
)


def noisy(code: BlockCode, blocks: int, *, spread: float) -> tuple[Tensor, Tensor]:
    """Information bits ``[blocks, k]`` and LLRs of mean 4 and some spread ``[blocks, n]``."""
    generator = torch.Generator().manual_seed(3)
    info = torch.randint(2, (blocks, code.k), generator=generator, dtype=torch.uint8)
    noise = spread * torch.randn(blocks, code.n, generator=generator)
    return info, 4 * (1 - 2 * code.encode(info).float()) + noise


def assert_same(a: DecodedBlocks, b: DecodedBlocks, *, part: slice) -> None:
    assert torch.equal(a.info, b.info[part])
    assert torch.equal(a.iterations, b.iterations[part])
    assert torch.equal(a.converged, b.converged[part])


@EVERY
def test_round_trip(code: BlockCode, decoder: BlockDecoder) -> None:
    info, llrs = noisy(code, 6, spread=0)
    decoded = decoder.decode(llrs)
    assert llrs.shape == (6, code.n)
    assert (decoded.info.dtype, decoded.iterations.dtype) == (torch.uint8, torch.int32)
    assert torch.equal(decoded.info, info)
    assert bool(decoded.converged.all())
    assert set(decoded.iterations.tolist()) == {getattr(decoder, "iterations", 0)}


@EVERY
def test_codes_are_linear(code: BlockCode, decoder: BlockDecoder) -> None:  # noqa: ARG001
    info, _ = noisy(code, 20, spread=0)
    coded = code.encode(info)
    assert torch.equal(coded[:10] ^ coded[10:], code.encode(info[:10] ^ info[10:]))
    assert len({tuple(row) for row in coded.tolist()}) == 20


@EVERY
def test_any_leading_dimensions(code: BlockCode, decoder: BlockDecoder) -> None:
    info, llrs = noisy(code, 6, spread=2)
    flat, deep = decoder.decode(llrs), decoder.decode(llrs.reshape(3, 1, 2, code.n))
    assert deep.info.shape == (3, 1, 2, code.k)
    assert torch.equal(deep.info.reshape(6, code.k), flat.info)
    assert torch.equal(deep.converged.reshape(6), flat.converged)
    single = decoder.decode(llrs[2])
    assert torch.equal(single.info, flat.info[2])
    assert single.converged.shape == single.iterations.shape == ()
    assert torch.equal(code.encode(info.reshape(2, 3, code.k)).reshape(6, -1), code.encode(info))
    none = decoder.decode(llrs[:0])
    assert (none.info.shape, none.converged.shape) == ((0, code.k), (0,))
    assert code.encode(info[:0]).shape == (0, code.n)


@EVERY
def test_a_block_does_not_see_its_batch(
    code: BlockCode, decoder: BlockDecoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bit-identical in batches of 1, 3, 16 and 48, in groups of any size, on 1 and 2 threads."""
    _, llrs = noisy(code, 48, spread=4)
    whole = decoder.decode(llrs)
    assert int((whole.info[:-1] != whole.info[1:]).sum()) > 0
    for batch in (1, 3, 16):
        for start in range(0, min(4 * batch, 48), batch):
            part = slice(start, start + batch)
            assert_same(decoder.decode(llrs[part]), whole, part=part)
    threads = torch.get_num_threads()
    try:
        for count in (1, 2):
            torch.set_num_threads(count)
            assert_same(decoder.decode(llrs), whole, part=slice(None))
    finally:
        torch.set_num_threads(threads)
    monkeypatch.setattr(block, "_GROUP_ELEMENTS", 1)
    assert_same(decoder.decode(llrs[:7]), whole, part=slice(7))


@EVERY
def test_erased_blocks_have_not_converged(code: BlockCode, decoder: BlockDecoder) -> None:
    info, llrs = noisy(code, 3, spread=0)
    llrs[1] = 0
    decoded = decoder.decode(llrs)
    assert decoded.converged.tolist() == [True, False, True]
    assert torch.equal(decoded.info[::2], info[::2])
    assert int(decoded.info[1].max()) <= 1


@EVERY
@pytest.mark.parametrize("magnitude", [1e4, 1e30, float("inf")])
def test_certain_llrs(code: BlockCode, decoder: BlockDecoder, magnitude: float) -> None:
    """Also with a tenth of the bits erased, next to certain ones."""
    info, llrs = noisy(code, 4, spread=0)
    llrs = torch.copysign(torch.tensor(magnitude), llrs)
    llrs[:, ::10] = 0
    decoded = decoder.decode(llrs)
    assert torch.equal(decoded.info, info)
    assert bool(decoded.converged.all())


@EVERY
def test_contradictions_give_bits(code: BlockCode, decoder: BlockDecoder) -> None:
    """Certain bits of no codeword: whatever comes out, no NaN turns up and nothing is raised."""
    generator = torch.Generator().manual_seed(9)
    sign = 1.0 - 2.0 * torch.randint(2, (8, code.n), generator=generator)
    decoded = decoder.decode(sign * float("inf"))
    assert int(decoded.info.max()) == 1
    if isinstance(code, Polar):
        assert not bool(decoded.converged.any())


@EVERY
def test_double_precision_llrs(code: BlockCode, decoder: BlockDecoder) -> None:
    info, llrs = noisy(code, 3, spread=1)
    assert torch.equal(decoder.decode(llrs.double()).info, info)


@EVERY
def test_no_global_generator_is_used(code: BlockCode, decoder: BlockDecoder) -> None:
    _, llrs = noisy(code, 2, spread=3)
    legacy = np.random.get_state
    states = torch.get_rng_state(), random.getstate(), legacy()[1].copy()
    first = decoder.decode(llrs)
    code.encode(first.info)
    assert torch.equal(states[0], torch.get_rng_state())
    assert states[1] == random.getstate()
    assert np.array_equal(states[2], legacy()[1])
    assert_same(decoder.decode(llrs), first, part=slice(None))


@EVERY
def test_refused_shapes(code: BlockCode, decoder: BlockDecoder) -> None:
    with pytest.raises(ValueError, match=rf"info must be uint8 bits \[..., {code.k}\], got torch"):
        code.encode(torch.zeros(2, code.k + 1, dtype=torch.uint8))
    with pytest.raises(ValueError, match=r"got torch\.float32"):
        code.encode(torch.zeros(2, code.k))
    with pytest.raises(ValueError, match=rf"llrs must be \[..., {code.n}\], got \[2, {code.k}\]"):
        decoder.decode(torch.zeros(2, code.k))
    with pytest.raises(ValueError, match="llrs must be numbers, got NaN"):
        decoder.decode(torch.full((2, code.n), float("nan")))
