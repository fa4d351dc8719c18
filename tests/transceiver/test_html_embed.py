"""Pictures in a page: the originals where they fit, and never more than the budget."""

import base64
import io
from pathlib import Path

import numpy as np
from PIL import Image as PillowImage

from transceiver.html.embed import Album, Embedded, embed


def png(side: int, seed: int | None = None) -> bytes:
    """Noise, which does not compress, or one colour."""
    pixels = np.full((side, side, 3), 90, np.uint8)
    if seed is not None:
        pixels = np.random.default_rng(seed).integers(0, 256, (side, side, 3), np.uint8)
    file = io.BytesIO()
    PillowImage.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def content(found: Embedded) -> tuple[str, bytes]:
    kind, _, data = found.uri.partition(";base64,")
    return kind, base64.b64decode(data)


def test_all_originals_fit() -> None:
    files = {"a": png(20, 1), "b": png(30, 2)}
    found = embed(files)
    for name, data in files.items():
        assert content(found[name]) == ("data:image/png", data)
        assert found[name].note == ""
    assert (found["b"].width, found["b"].height) == (30, 30)


def test_small_pictures_stay_and_large_ones_share_what_is_left() -> None:
    files = {"plain": png(64), **{f"noise{seed}": png(64, seed) for seed in range(4)}}
    budget = 12_000
    found = embed(files, budget)
    assert content(found["plain"]) == ("data:image/png", files["plain"])
    sizes = []
    for seed in range(4):
        kind, data = content(found[f"noise{seed}"])
        assert kind == "data:image/webp"
        assert found[f"noise{seed}"].note.startswith("WebP of quality ")
        assert (found[f"noise{seed}"].width, found[f"noise{seed}"].height) == (64, 64)
        with PillowImage.open(io.BytesIO(data)) as picture:
            assert picture.format == "WEBP"
            assert picture.size == (64, 64)
        sizes.append(len(data))
    assert sum(sizes) + len(files["plain"]) <= budget
    assert sum(sizes) > budget / 3


def test_a_budget_too_small_for_any_quality_makes_pictures_smaller() -> None:
    found = embed({"a": png(64, 1)}, 400)["a"]
    kind, data = content(found)
    assert kind == "data:image/webp"
    assert len(data) <= 400
    assert "of its size" in found.note
    assert (found.width, found.height) == (64, 64)
    with PillowImage.open(io.BytesIO(data)) as picture:
        assert max(picture.size) < 64


def test_an_album_holds_a_picture_once(tmp_path: Path) -> None:
    album = Album()
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        (tmp_path / name).write_bytes(png(8, seed))
    names = [album.add(tmp_path / name) for name in "abc"]
    assert names[0] == names[1] != names[2]
    assert len(album.files) == 2
    assert album.add(tmp_path / "missing") is None
