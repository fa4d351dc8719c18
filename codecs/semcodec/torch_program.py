"""Programs saved by ``torch.export.save``: a network without the Python that made it.

A program is code. Loading one unpickles parts of the file and evaluates expressions in it
(https://docs.pytorch.org/docs/stable/export.html): load only those of people you trust.
"""

import hashlib
import zipfile
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from semcodec.errors import WeightsError
from semcodec.program import Program


def load_torch_program(encoder: Path, decoder: Path, *, name: str, multiple: int) -> Program:
    """The program of two ``.pt2`` files.

    Args:
        encoder: Takes float32 ``[1, 3, H, W]`` in [0, 1], returns one tensor ``[1, ...]``.
        decoder: Takes such a tensor, returns float32 ``[1, 3, H, W]``.
        name: Of the codec, for errors.
        multiple: Of the sides: see `Program`.

    Raises:
        WeightsError: A file is absent, or no program that this version of torch reads.
    """
    digest = hashlib.sha256()
    for path in (encoder, decoder):
        if not path.is_file() or not zipfile.is_zipfile(path):
            raise WeightsError(f"{path} must be a file of torch.export.save (.pt2), got none")
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return Program(name, _load(encoder), _load(decoder), digest.hexdigest(), multiple)


def _load(path: Path) -> Callable[[Tensor], Tensor]:
    try:
        module: Callable[[Tensor], Tensor] = torch.export.load(path).module()
    except Exception as error:  # its readers raise whatever damaged files lead them to
        reason = " ".join(str(error).split())[:200]
        raise WeightsError(
            f"{path} must be a program of torch.export.save that torch {torch.__version__} reads, "
            f"got {type(error).__name__}: {reason}"
        ) from error
    return module
