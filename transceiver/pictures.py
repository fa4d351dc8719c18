"""The pictures of a scenario: found and checked first, read one at a time."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from semcodec.cifar10 import read_cifar10
from semcodec.image_io import read_image
from transceiver.catalog import picture_paths
from transceiver.scenario.load import ScenarioError, user_path
from transceiver.scenario.source import Cifar10Images, FolderImages, ImagesSection, SampleImages
from transceiver.source import Picture


@dataclass(frozen=True)
class Pictures(Sequence[Picture]):
    """A lazy sequence: the last few pictures used stay in memory.

    Attributes:
        names: For tables and figures.
        read: The pixels ``[3, H, W]`` of a picture by its place.
        digest: Of names and files: a run goes on with the pictures that it began with.
    """

    names: tuple[str, ...]
    read: Callable[[int], torch.Tensor]
    digest: str

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, key: int) -> Picture:  # type: ignore[override]
        if not 0 <= key < len(self.names):
            raise IndexError(f"picture must be from 0 to {len(self.names) - 1}, got {key}")
        return Picture(key, self.names[key], self.read(key))


def open_pictures(section: ImagesSection, *, folder: Path) -> Pictures:
    """The pictures that a section names; relative paths start at ``folder``."""
    names, read, content = _open(section, folder)
    shown = tuple(names[: section.limit])
    digest = blake2b("/".join(shown).encode(), digest_size=16)
    for key in range(len(shown)):
        digest.update(content(key))
    return Pictures(shown, lru_cache(maxsize=64)(read), digest.hexdigest())


def _open(
    section: ImagesSection, folder: Path
) -> tuple[Sequence[str], Callable[[int], torch.Tensor], Callable[[int], bytes]]:
    """Names, and by the place of a picture its pixels and the bytes that it is stored as."""
    match section:
        case SampleImages():
            names = section.names
            return names, lambda key: _sample(names[key]), lambda _: b""
        case FolderImages():
            paths = picture_paths(folder / user_path(section.path))
            return (
                [p.stem for p in paths],
                lambda key: _read(paths[key]),
                lambda key: paths[key].read_bytes(),
            )
        case Cifar10Images():
            pixels = _cifar10(folder / user_path(section.path), section.split)
            return (
                [f"{i:05d}" for i in range(len(pixels))],
                lambda key: pixels[key].clone(),
                lambda key: pixels[key].numpy().tobytes(),
            )


def _read(path: Path) -> torch.Tensor:
    try:
        return read_image(path)
    except ValueError as error:
        raise ScenarioError(f"images.path: {error}") from None


def _sample(name: str) -> torch.Tensor:
    from skimage import data

    return torch.from_numpy(np.ascontiguousarray(getattr(data, name)())).movedim(-1, 0).contiguous()


def _cifar10(path: Path, split: Literal["test", "train"]) -> torch.Tensor:
    try:
        return read_cifar10(path, split)
    except ValueError as error:
        raise ScenarioError(f"images.path: {error}") from None
