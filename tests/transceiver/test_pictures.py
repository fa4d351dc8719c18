"""The pictures of a scenario: which, in what order, and what is refused."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image as PillowImage

from transceiver.pictures import Pictures, open_pictures
from transceiver.scenario import ScenarioError
from transceiver.scenario.source import Cifar10Images, FolderImages, SampleImages


def _folder(path: Path, *, limit: int | None = None) -> Pictures:
    return open_pictures(FolderImages(kind="folder", path=str(path), limit=limit), folder=path)


def test_samples_are_the_photographs_of_scikit_image() -> None:
    pictures = open_pictures(SampleImages(kind="samples"), folder=Path())
    assert [p.name for p in pictures] == ["astronaut", "chelsea", "coffee", "rocket"]
    assert [tuple(p.pixels.shape) for p in pictures] == [
        (3, 512, 512), (3, 300, 451), (3, 400, 600), (3, 427, 640),
    ]  # fmt: skip
    assert {p.pixels.dtype for p in pictures} == {torch.uint8}
    section = SampleImages(kind="samples", names=["rocket", "coffee"], limit=1)
    assert [p.name for p in open_pictures(section, folder=Path())] == ["rocket"]


def test_folder_in_the_order_of_names(picture_folder: Path) -> None:
    pictures = _folder(picture_folder)
    assert [(p.key, p.name) for p in pictures] == [(0, "a-face"), (1, "b-coffee"), (2, "c-grey")]
    assert [tuple(p.pixels.shape[1:]) for p in pictures] == [(40, 48), (50, 33), (48, 40)]
    grey = pictures[2].pixels
    assert torch.equal(grey[0], grey[1])
    assert torch.equal(grey[0], grey[2])
    assert len(_folder(picture_folder, limit=2)) == 2
    assert len(_folder(picture_folder, limit=99)) == 3
    for key in (3, -1):
        with pytest.raises(IndexError, match=f"picture must be from 0 to 2, got {key}"):
            pictures[key]


def test_relative_folder_starts_at_the_scenario(picture_folder: Path) -> None:
    section = FolderImages(kind="folder", path=picture_folder.name)
    assert len(open_pictures(section, folder=picture_folder.parent)) == 3


def test_digest_is_of_names_and_contents(tmp_path: Path) -> None:
    def save(name: str, value: int) -> None:
        PillowImage.new("RGB", (8, 8), (value, value, value)).save(tmp_path / name)

    save("a.png", 1)
    save("b.png", 2)
    digests = [_folder(tmp_path).digest, _folder(tmp_path, limit=1).digest]
    assert _folder(tmp_path).digest == digests[0]
    save("b.png", 3)
    digests.append(_folder(tmp_path).digest)
    assert _folder(tmp_path, limit=1).digest == digests[1]
    (tmp_path / "b.png").rename(tmp_path / "c.png")
    digests.append(_folder(tmp_path).digest)
    assert len(set(digests)) == 4


@pytest.mark.parametrize(
    ("mode", "line"), [("I;16", "must have 8 bits a channel"), ("RGBA", "must be opaque")]
)
def test_unfit_pictures_are_refused_in_words(tmp_path: Path, mode: str, line: str) -> None:
    PillowImage.new(mode, (8, 8)).save(tmp_path / "a.png")
    with pytest.raises(ScenarioError, match=rf"^images\.path: image {line}, got .*a\.png$"):
        _folder(tmp_path)[0]


def test_cifar10_as_array_and_as_binary_version(tmp_path: Path) -> None:
    array = np.random.default_rng(0).integers(0, 256, (5, 32, 32, 3), np.uint8)
    np.save(tmp_path / "c.npy", array)
    planes = array.transpose(0, 3, 1, 2).reshape(5, -1)
    records = np.concatenate([np.full((5, 1), 7, np.uint8), planes], axis=1)
    (tmp_path / "test_batch.bin").write_bytes(records.tobytes())
    for path in ("c.npy", "."):
        section = Cifar10Images(kind="cifar10", path=path, limit=4)
        pictures = open_pictures(section, folder=tmp_path)
        assert [p.name for p in pictures] == ["00000", "00001", "00002", "00003"]
        for picture in pictures:
            assert np.array_equal(picture.pixels.movedim(0, -1).numpy(), array[picture.key])


def test_cifar10_refusals(tmp_path: Path) -> None:
    def opened(path: str) -> Pictures:
        return open_pictures(Cifar10Images(kind="cifar10", path=path), folder=tmp_path)

    np.save(tmp_path / "float.npy", np.zeros((1, 32, 32, 3)))
    np.save(tmp_path / "empty.npy", np.zeros((0, 32, 32, 3), np.uint8))
    (tmp_path / "text.npy").write_text("x")
    for name in ("float.npy", "empty.npy"):
        with pytest.raises(ScenarioError, match=r"must be uint8 \[n, 32, 32, 3\], got"):
            opened(name)
    with pytest.raises(ScenarioError, match=r"must be a \.npy array, got"):
        opened("text.npy")
    with pytest.raises(ScenarioError, match=r"must hold test_batch\.bin .* got"):
        opened(".")
    (tmp_path / "test_batch.bin").write_bytes(b"12345")
    with pytest.raises(ScenarioError, match="must be records of 3073 bytes, got 5 bytes"):
        opened(".")
