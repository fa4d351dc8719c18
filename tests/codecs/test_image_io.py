"""Image files to tensors and back."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps
from skimage import data

from semcodec.image_io import from_pillow, read_image, require_image, to_pillow, write_png


def photo() -> torch.Tensor:
    return torch.from_numpy(data.rocket()[:37, :53].copy()).permute(2, 0, 1)


def test_png_round_trip_is_lossless(tmp_path: Path) -> None:
    write_png(tmp_path / "image.png", photo())
    image = read_image(tmp_path / "image.png")
    assert torch.equal(image, photo())
    assert image.is_contiguous()
    assert np.array_equal(np.asarray(Image.open(tmp_path / "image.png")), data.rocket()[:37, :53])


@pytest.mark.parametrize("suffix", ["jpg", "webp", "bmp", "tiff", "gif"])
def test_other_formats_read_as_pillow_reads_them(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"image.{suffix}"
    to_pillow(photo()).save(path)
    with Image.open(path) as picture:
        expected = np.asarray(picture.convert("RGB"))
    assert np.array_equal(read_image(path).permute(1, 2, 0).numpy(), expected)


def test_pillow_round_trip() -> None:
    assert torch.equal(from_pillow(to_pillow(photo())), photo())


def test_grey_becomes_three_equal_channels(tmp_path: Path) -> None:
    levels = np.arange(12, dtype=np.uint8).reshape(3, 4)
    Image.fromarray(levels).save(tmp_path / "grey.png")
    image = read_image(tmp_path / "grey.png")
    assert image.shape == (3, 3, 4)
    assert (image == torch.from_numpy(levels)).all()


def test_orientation_of_the_camera_is_applied(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned by 90 degrees
    to_pillow(photo()).save(tmp_path / "turned.png", exif=exif)
    assert torch.equal(read_image(tmp_path / "turned.png"), photo().transpose(1, 2).flip(2))


def test_opaque_alpha_is_dropped_and_transparency_refused(tmp_path: Path) -> None:
    picture = to_pillow(photo())
    picture.putalpha(255)
    picture.save(tmp_path / "opaque.png")
    assert torch.equal(read_image(tmp_path / "opaque.png"), photo())
    picture.putpixel((3, 4), (1, 2, 3, 254))
    picture.save(tmp_path / "transparent.png")
    with pytest.raises(ValueError, match="image must be opaque, got transparent pixels in"):
        read_image(tmp_path / "transparent.png")


def test_other_files_are_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"image file must exist, got .*absent\.png"):
        read_image(tmp_path / "absent.png")
    (tmp_path / "text.png").write_text("no image\nat all")
    with pytest.raises(ValueError, match=r"image file must be readable, got .*text\.png") as error:
        read_image(tmp_path / "text.png")
    assert "\n" not in str(error.value)
    write_png(tmp_path / "whole.png", photo())
    (tmp_path / "cut.png").write_bytes((tmp_path / "whole.png").read_bytes()[:1000])
    with pytest.raises(ValueError, match="image file must be readable"):
        read_image(tmp_path / "cut.png")
    Image.fromarray(np.full((4, 4), 4000, np.uint16)).save(tmp_path / "deep.png")
    with pytest.raises(ValueError, match="image must have 8 bits a channel, got mode I;16"):
        read_image(tmp_path / "deep.png")
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "blue")]
    frames[0].save(tmp_path / "moving.gif", save_all=True, append_images=frames[1:])
    with pytest.raises(ValueError, match="image file must hold one frame, got 2"):
        read_image(tmp_path / "moving.gif")


@pytest.mark.parametrize(
    "image",
    [torch.zeros(3, 4, 4), torch.zeros(1, 4, 4, dtype=torch.uint8),
     torch.zeros(4, 4, dtype=torch.uint8), torch.zeros(3, 0, 4, dtype=torch.uint8)],
)  # fmt: skip
def test_images_are_uint8_with_three_channels(image: torch.Tensor, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"image must be uint8 \[3, H, W\], got"):
        require_image(image)
    with pytest.raises(ValueError, match="image must be uint8"):
        write_png(tmp_path / "image.png", image)


def test_a_picture_too_large_for_the_memory_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not unreadable."""
    path = tmp_path / "large.png"
    Image.new("RGB", (4, 4)).save(path)

    def no_memory(_: Image.Image) -> None:
        raise MemoryError

    monkeypatch.setattr(ImageOps, "exif_transpose", no_memory)
    with pytest.raises(MemoryError):
        read_image(path)
