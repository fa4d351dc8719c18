"""CIFAR-10: the folder of its binary version, or an array of pixels as ``.npy``.

Source: Krizhevsky, "Learning multiple layers of features from tiny images" (2009).
"""

import pickle
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

_IMAGE_BYTES = 3 * 32 * 32


def read_cifar10(path: Path, split: Literal["test", "train"]) -> Tensor:
    """The pictures of a split: uint8 ``[n, 3, 32, 32]``.

    Args:
        path: The folder with ``data_batch_1.bin`` to ``data_batch_5.bin`` and ``test_batch.bin``,
            or a ``.npy`` file of uint8 ``[n, 32, 32, 3]``, which is taken for the split.
        split: Which of the two.

    Raises:
        ValueError: There is no such data.
    """
    if path.suffix == ".npy":
        try:
            array = np.load(path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, pickle.UnpicklingError) as error:
            raise ValueError(f"{path} must be a .npy array, got: {error}") from None
        if array.dtype != np.uint8 or array.shape[1:] != (32, 32, 3) or not len(array):
            raise ValueError(
                f"{path} must be uint8 [n, 32, 32, 3], got {array.dtype} {list(array.shape)}"
            )
        return torch.from_numpy(np.array(array)).movedim(-1, 1)
    names = ["test_batch.bin"] if split == "test" else [f"data_batch_{i}.bin" for i in range(1, 6)]
    records = []
    for name in names:
        file = path / name
        if not file.is_file():
            raise ValueError(
                f"must hold {name} (the binary version of CIFAR-10) or be a .npy file, got {path}"
            )
        data = np.frombuffer(file.read_bytes(), np.uint8)
        if data.size == 0 or data.size % (_IMAGE_BYTES + 1):
            raise ValueError(
                f"{file} must be records of {_IMAGE_BYTES + 1} bytes, got {data.size} bytes"
            )
        records.append(data.reshape(-1, _IMAGE_BYTES + 1)[:, 1:])
    return torch.from_numpy(np.concatenate(records).reshape(-1, 3, 32, 32))
