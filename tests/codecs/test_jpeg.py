"""JPEG files: Pillow's decoder beside ours, headers marker by marker, damage."""

import io
import random

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data

from semcodec.errors import BudgetError, DecodeError
from semcodec.jpeg import Jpeg
from semcodec.metrics import psnr


def photo(height: int = 80, width: int = 112) -> torch.Tensor:
    crop = data.coffee()[100 : 100 + height, 200 : 200 + width]
    return torch.from_numpy(crop.copy()).permute(2, 0, 1).contiguous()


@pytest.mark.parametrize("chroma", ["444", "420"])
@pytest.mark.parametrize("size", [(80, 112), (32, 32), (17, 9), (1, 1)])
def test_round_trip_and_pillow_reads_the_same(chroma: str, size: tuple[int, int]) -> None:
    image = photo(*size)
    file = Jpeg(chroma).encode(image, 95)
    image_hat = Jpeg(chroma).decode(file, *size)
    theirs = np.asarray(Image.open(io.BytesIO(file)).convert("RGB"))
    assert np.array_equal(image_hat.permute(1, 2, 0).numpy(), theirs)
    assert psnr(image, image_hat) > (36 if chroma == "444" else 28)


@pytest.mark.parametrize(("chroma", "sampling"), [("444", 0x11), ("420", 0x22)])
def test_file_is_baseline_with_the_chroma_sampling_asked_for(chroma: str, sampling: int) -> None:
    file = Jpeg(chroma).encode(photo(), 50)
    frame = file.index(b"\xff\xc0")  # SOF0
    assert file[frame + 5 : frame + 9] == bytes([0, 80, 0, 112])
    assert file[frame + 11] == sampling


def test_huffman_tables_are_optimised() -> None:
    default = io.BytesIO()
    pixels = photo().permute(1, 2, 0).numpy()
    Image.fromarray(pixels).save(default, format="JPEG", quality=50, subsampling=0)
    assert len(Jpeg("444").encode(photo(), 50)) < len(default.getvalue())


def test_header_ends_with_the_scan_header() -> None:
    for quality in (5, 50, 100):
        file = Jpeg().encode(photo(), quality)
        scan = file.index(b"\xff\xda")
        assert Jpeg().header_bytes(file) == scan + 2 + int.from_bytes(
            file[scan + 2 : scan + 4], "big"
        )


def test_quality_grows_with_the_number() -> None:
    image = photo()
    files = [Jpeg().encode(image, quality) for quality in (1, 10, 40, 75, 90, 100)]
    assert sorted(files, key=len) == files
    values = [psnr(image, Jpeg().decode(file, 80, 112)) for file in files]
    assert sorted(values) == values


def test_budget_is_kept_by_the_best_quality_that_fits() -> None:
    image = photo(32, 32)
    sizes = [len(Jpeg().encode(image, quality)) for quality in range(1, 101)]
    for budget in range(sizes[0], sizes[-1] + 200, 97):
        file = Jpeg().encode_to_budget(image, budget)
        assert len(file) == max(size for size in sizes if size <= budget)
    with pytest.raises(BudgetError, match=f"at least {sizes[0]}, .*, got 100"):
        Jpeg().encode_to_budget(image, 100)


def test_wrong_size_truncation_and_other_files_are_refused() -> None:
    file = Jpeg().encode(photo(), 60)
    with pytest.raises(DecodeError, match="must be 80 x 112, got 112 x 80"):
        Jpeg().decode(file, 112, 80)
    for length in (0, 1, 2, 3, 50, len(file) // 2):
        with pytest.raises(DecodeError, match="JPEG"):
            Jpeg().decode(file[:length], 80, 112)
        with pytest.raises(DecodeError, match="JPEG file must hold a scan"):
            Jpeg().header_bytes(file[: min(length, 100)])
    png = io.BytesIO()
    Image.new("RGB", (112, 80)).save(png, format="PNG")
    with pytest.raises(DecodeError, match="must begin with ffd8, got 8950"):
        Jpeg().decode(png.getvalue(), 80, 112)


def test_a_huge_size_is_refused_before_it_is_decoded() -> None:
    file = bytearray(Jpeg().encode(photo(), 60))
    frame = file.index(b"\xff\xc0")
    file[frame + 5 : frame + 9] = b"\xff\xff\xff\xff"
    with pytest.raises(DecodeError, match="JPEG"):
        Jpeg().decode(bytes(file), 80, 112)


def test_damaged_files_give_a_picture_or_a_decode_error() -> None:
    rng = random.Random(4)
    file = Jpeg().encode(photo(32, 40), 40)
    pictures = 0
    for _ in range(500):
        damaged = bytearray(file)
        for _ in range(rng.randrange(1, 5)):
            damaged[rng.randrange(len(file))] ^= 1 << rng.randrange(8)
        try:
            image_hat = Jpeg().decode(bytes(damaged), 32, 40)
        except DecodeError:
            continue
        assert image_hat.shape == (3, 32, 40)
        pictures += 1
    assert 0 < pictures < 500


def test_codec_refuses_unknown_settings() -> None:
    with pytest.raises(ValueError, match="chroma must be '444' or '420', got '422'"):
        Jpeg("422")  # type: ignore[arg-type]
    for quality in (0, 101):
        with pytest.raises(ValueError, match=rf"quality must be in \[1, 100\], got {quality}"):
            Jpeg().encode(photo(), quality)
    with pytest.raises(ValueError, match="image must be uint8"):
        Jpeg().encode(photo()[:1], 50)
