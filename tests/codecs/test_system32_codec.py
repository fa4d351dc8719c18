"""A system as a codec: pictures in batches of any size, sides of any length."""

from pathlib import Path

import pytest
import torch
from skimage import data
from torch import Tensor
from torch.nn import functional as F

from semcodec.pixels import to_bytes, to_unit
from semcodec.system32.backbone import Backbone
from semcodec.system32.codec import CHUNK, SystemCodec
from semcodec.system32.system import Codebooks, System, SystemConfig, save_system


def _codec(*, dimension: int = 4, codebooks: int = 3) -> SystemCodec:
    config = SystemConfig(
        8, 4, dimension, 4, codebooks, bounded=False, trained_as="learned_flips"
    )  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(1)
        backbone = Backbone(8, 4, bounded=False)
        with torch.no_grad():
            for weight in backbone.parameters():
                weight *= 2.5 if weight.dim() > 1 else 0.1  # so that outputs depend on inputs
        pictures = _pictures(8, 16, 16).float() / 255
        flat = System(config, backbone, Codebooks(torch.zeros(1), torch.zeros(1))).encode(pictures)
        flat = flat.reshape(-1, dimension)
        draw = torch.randint(len(flat), (codebooks, 16))
    codewords = flat[draw] + 0.01 * flat.std()
    probability = torch.full((codebooks, 16), 1 / 16)
    return SystemCodec(System(config, backbone, Codebooks(codewords, probability)), "")


def _pictures(count: int, height: int, width: int) -> Tensor:
    """Crops of a photograph, uint8."""
    photograph = torch.from_numpy(data.astronaut()).movedim(-1, 0)
    rows = torch.randint(500 - 4 * height, (count,), generator=torch.Generator().manual_seed(3))
    crops = [photograph[:, r : r + 4 * height : 4, 2 * r % 200 :: 4][:, :, :width] for r in rows]
    return torch.stack(crops)


@pytest.mark.parametrize("sides", [(16, 24), (13, 18), (1, 1), (5, 4)])
def test_a_picture_does_not_see_its_batch(sides: tuple[int, int]) -> None:
    """Indices and pictures are bit-identical in batches of 1, 3, 64 and 70."""
    codec, pictures = _codec(), _pictures(70, *sides)
    count = codec.grid(*sides)[0] * codec.grid(*sides)[1]
    whole = codec.encode_batch(pictures)
    assert whole.shape == (70, 3, count)
    books = torch.arange(count) % 3
    chosen = whole.gather(1, books.expand(70, 1, count))[:, 0]
    vectors = codec.vectors(chosen, books)
    decoded = codec.decode_vectors(vectors, *sides)
    assert decoded.shape == (70, 3, *sides)
    assert decoded.dtype == torch.uint8
    assert CHUNK == 64
    for size in (1, 3, 64):
        several = range(0, 70 if size > 1 else 12, size)
        for first in several:
            part = slice(first, first + size)
            assert torch.equal(codec.encode_batch(pictures[part]), whole[part])
            assert torch.equal(codec.decode_vectors(vectors[part], *sides), decoded[part])


def test_a_single_picture_is_that_of_the_first_codebook() -> None:
    codec, pictures = _codec(), _pictures(3, 16, 24)
    every = codec.encode_batch(pictures)
    assert len({tuple(k.tolist()) for k in every[:, 0]}) == 3
    assert not torch.equal(every[:, 0], every[:, 1])
    for picture, indices in zip(pictures, every[:, 0], strict=True):
        assert torch.equal(codec.encode(picture), indices)
        vectors = codec.system.codebooks.codewords[0, indices]
        expected = codec.system.decode(vectors[None], height=16, width=24)
        decoded = codec.decode(indices, 16, 24)
        assert int((decoded.int() - to_bytes(expected)[0].int()).abs().max()) <= 1


def test_indices_are_the_nearest_codewords_of_the_network() -> None:
    codec, pictures = _codec(), _pictures(2, 16, 24)
    vectors = codec.system.encode(to_unit(pictures))
    distances = (
        vectors[:, None, :, None].double() - codec.system.codebooks.codewords[:, None]
    ).pow(2)
    cost = distances.sum(-1).sort(-1)
    clear = cost.values[..., 1] - cost.values[..., 0] > 1e-6  # not by the last bits of the network
    found = codec.encode_batch(pictures)
    assert float(clear.float().mean()) > 0.8  # and not where two codewords are the same
    assert torch.equal(found[clear], cost.indices[..., 0][clear])


@pytest.mark.parametrize("sides", [(13, 18), (16, 21), (3, 2)])
def test_sides_that_are_no_multiples_are_continued(sides: tuple[int, int]) -> None:
    codec, pictures = _codec(), _pictures(2, *sides)
    height, width = sides
    rows, columns = codec.grid(*sides)
    assert (rows, columns) == (-(-height // 4), -(-width // 4))
    padded = F.pad(
        pictures.float(), (0, 4 * columns - width, 0, 4 * rows - height), mode="replicate"
    ).to(torch.uint8)
    indices = codec.encode_batch(pictures)
    assert torch.equal(indices, codec.encode_batch(padded))
    whole = codec.decode(indices[0, 0], 4 * rows, 4 * columns)
    assert torch.equal(codec.decode(indices[0, 0], *sides), whole[:, :height, :width])


def test_scalars_of_a_cell_lie_side_by_side() -> None:
    codec = _codec(dimension=1, codebooks=1)
    assert codec.grid(16, 24) == (4, 24)
    assert codec.encode(_pictures(1, 16, 24)[0]).shape == (96,)
    assert (codec.bits_per_index, codec.codebooks) == (4, 1)


def test_displacement_is_the_distance_of_codewords() -> None:
    codec = _codec()
    sent, received = torch.tensor([0, 3, 7]), torch.tensor([0, 4, 1])
    words = codec.system.codebooks.codewords[0]
    expected = [float((words[a] - words[b]).norm()) for a, b in ((0, 0), (3, 4), (7, 1))]
    assert codec.displacement(sent, received).tolist() == pytest.approx(expected)


def test_indices_of_another_size_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^indices must be \[24\] for 24 x 16 pixels, got \[23\]"):
        _codec().decode(torch.zeros(23, dtype=torch.int64), 16, 24)


def test_a_codec_is_loaded_with_its_digest(tmp_path: Path) -> None:
    codec, picture = _codec(), _pictures(1, 16, 24)[0]
    digest = save_system(tmp_path / "s.safetensors", codec.system, training={})
    loaded = SystemCodec.load(str(tmp_path / "s.safetensors"))
    assert loaded.sha256 == digest
    assert torch.equal(loaded.encode(picture), codec.encode(picture))
    assert (loaded.bits_per_index, loaded.codebooks) == (4, 3)
