"""Training pictures: folders of photographs, held in memory as bytes, cropped on demand."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image as PillowImage
from torch import Tensor

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".ppm", ".tif", ".tiff"})


@dataclass(frozen=True)
class Photos:
    """Photographs of any size, each uint8 ``[H, W, 3]``, H and W at least ``crop``.

    Attributes:
        pictures: The photographs.
        crop: Side of the square that training sees.
    """

    pictures: tuple[Tensor, ...]
    crop: int

    @staticmethod
    def read(folders: Sequence[Path], *, crop: int) -> "Photos":
        """Read every picture of the folders, in the order of their names.

        Raises:
            ValueError: A folder is missing, holds no picture, or a picture is too small.
        """
        pictures = []
        for folder in folders:
            paths = sorted(p for p in folder.glob("*") if p.suffix.lower() in SUFFIXES)
            if not paths:
                raise ValueError(f"training folder must hold pictures, got {folder}")
            for path in paths:
                with PillowImage.open(path) as picture:
                    pixels = torch.from_numpy(np.array(picture.convert("RGB")))
                if min(pixels.shape[:2]) < crop:
                    raise ValueError(
                        f"pictures must be at least {crop} pixels wide and high, "
                        f"got {path} of {pixels.shape[1]} x {pixels.shape[0]}"
                    )
                pictures.append(pixels)
        return Photos(tuple(pictures), crop)

    def batch(self, size: int, *, generator: torch.Generator) -> Tensor:
        """Random crops, half of them mirrored: ``[size, 3, crop, crop]`` in [0, 1]."""
        draws = torch.rand(size, 4, generator=generator, dtype=torch.float64).tolist()
        crops = []
        for which, top, left, mirror in draws:
            picture = self.pictures[int(which * len(self.pictures))]
            y = int(top * (picture.shape[0] - self.crop + 1))
            x = int(left * (picture.shape[1] - self.crop + 1))
            crop = picture[y : y + self.crop, x : x + self.crop]
            crops.append(crop.flip(1) if mirror < 0.5 else crop)
        return torch.stack(crops).movedim(-1, 1).float() / 255

    def centres(self) -> Tensor:
        """The middle of every photograph, ``[n, 3, crop, crop]`` in [0, 1]."""
        crops = []
        for picture in self.pictures:
            y, x = ((side - self.crop) // 2 for side in picture.shape[:2])
            crops.append(picture[y : y + self.crop, x : x + self.crop])
        return torch.stack(crops).movedim(-1, 1).float() / 255
