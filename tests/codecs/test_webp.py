"""WebP files: Pillow's decoder beside ours, the container, damage."""

import io
import random

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data

from semcodec.errors import BudgetError, DecodeError
from semcodec.metrics import psnr
from semcodec.webp import WebP


def photo(height: int = 80, width: int = 112) -> torch.Tensor:
    crop = data.chelsea()[60 : 60 + height, 120 : 120 + width]
    return torch.from_numpy(crop.copy()).permute(2, 0, 1).contiguous()


def saved(pictures: list[Image.Image], **options: object) -> bytes:
    out = io.BytesIO()
    pictures[0].save(out, format="WEBP", save_all=True, append_images=pictures[1:], **options)
    return out.getvalue()


@pytest.mark.parametrize("size", [(80, 112), (32, 32), (17, 9), (1, 1)])
def test_round_trip_and_pillow_reads_the_same(size: tuple[int, int]) -> None:
    image = photo(*size)
    file = WebP().encode(image, 95)
    image_hat = WebP().decode(file, *size)
    theirs = np.asarray(Image.open(io.BytesIO(file)).convert("RGB"))
    assert np.array_equal(image_hat.permute(1, 2, 0).numpy(), theirs)
    assert psnr(image, image_hat) > 32


def test_file_is_the_simple_format_of_rfc_9649() -> None:
    file = WebP().encode(photo(), 50)
    assert (file[:4], file[8:16]) == (b"RIFF", b"WEBPVP8 ")
    assert int.from_bytes(file[4:8], "little") == len(file) - 8
    assert WebP().header_bytes(file) == 20
    assert file[23:26] == b"\x9d\x01\x2a"  # the start code of a VP8 key frame
    assert file[26:30] == bytes([112, 0, 80, 0])


def test_chunks_before_the_bitstream_count_as_header() -> None:
    picture = Image.fromarray(photo().permute(1, 2, 0).numpy())
    file = saved(
        [picture], icc_profile=b"profile"
    )  # VP8X of 10 bytes, ICCP of 7 and a padding byte
    assert file[12:16] == b"VP8X"
    assert WebP().header_bytes(file) == 12 + (8 + 10) + (8 + 8) + 8
    assert WebP().decode(file, 80, 112).shape == (3, 80, 112)


def test_quality_grows_with_the_number() -> None:
    image = photo()
    files = [WebP().encode(image, quality) for quality in (0, 20, 50, 75, 90, 100)]
    assert sorted(files, key=len) == files
    values = [psnr(image, WebP().decode(file, 80, 112)) for file in files]
    assert sorted(values) == values


def test_budget_is_kept_by_the_best_quality_that_fits() -> None:
    image = photo(32, 32)
    sizes = [len(WebP().encode(image, quality)) for quality in range(101)]
    for budget in range(sizes[0], sizes[-1], 61):
        size = len(WebP().encode_to_budget(image, budget))
        after = max(i for i, known in enumerate(sizes) if known == size) + 1
        assert size <= budget < sizes[min(after, 100)]
    with pytest.raises(BudgetError, match=f"at least {sizes[0]}, .*, got 20"):
        WebP().encode_to_budget(image, 20)


def test_wrong_size_truncation_and_other_files_are_refused() -> None:
    file = WebP().encode(photo(), 60)
    with pytest.raises(DecodeError, match="must be 80 x 112, got 112 x 80"):
        WebP().decode(file, 112, 80)
    for length in (0, 4, 11, 19, 25, len(file) // 2, len(file) - 2):
        with pytest.raises(DecodeError, match=r"WebP|WEBP"):
            WebP().decode(file[:length], 80, 112)
    with pytest.raises(DecodeError, match=r"must begin with RIFF....WEBP, got ffd8"):
        WebP().decode(b"\xff\xd8" + file, 80, 112)
    with pytest.raises(DecodeError, match="must hold a VP8 chunk"):
        WebP().header_bytes(file[:12])


def test_alpha_and_animation_are_refused() -> None:
    pixels = photo().permute(1, 2, 0).numpy()
    frames = [Image.fromarray(pixels), Image.fromarray(255 - pixels)]
    half = Image.new("L", (112, 80), 128)
    transparent = frames[0].copy()
    transparent.putalpha(half)
    for file in (saved(frames), saved([transparent])):
        with pytest.raises(DecodeError, match="one frame and no alpha"):
            WebP().decode(file, 80, 112)


def test_damaged_files_give_a_picture_or_a_decode_error() -> None:
    rng = random.Random(5)
    file = WebP().encode(photo(32, 40), 40)
    pictures = 0
    for _ in range(500):
        damaged = bytearray(file)
        for _ in range(rng.randrange(1, 5)):
            damaged[rng.randrange(len(file))] ^= 1 << rng.randrange(8)
        try:
            image_hat = WebP().decode(bytes(damaged), 32, 40)
        except DecodeError:
            continue
        assert image_hat.shape == (3, 32, 40)
        pictures += 1
    assert 0 < pictures < 500


def test_codec_refuses_unknown_settings() -> None:
    with pytest.raises(ValueError, match=r"method must be in \[0, 6\], got 7"):
        WebP(7)
    with pytest.raises(ValueError, match=r"quality must be in \[0, 100\], got -1"):
        WebP().encode(photo(), -1)
    with pytest.raises(ValueError, match="sides must be at most 16383"):
        WebP().encode(torch.zeros(3, 1, 16384, dtype=torch.uint8), 50)
