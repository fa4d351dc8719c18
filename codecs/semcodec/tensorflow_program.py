"""TensorFlow SavedModels, such as Keras exports, with the signatures ``encode`` and ``decode``.

Pictures are in TensorFlow's order, ``[1, H, W, 3]``. A SavedModel is code, which may read and write
files (https://www.tensorflow.org/guide/saved_model): load only those of people you trust.
"""

import hashlib
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from semcodec.errors import WeightsError
from semcodec.program import Program


def load_tensorflow_model(folder: Path, *, name: str, multiple: int) -> Program:
    """The program of a SavedModel.

    Args:
        folder: With ``saved_model.pb``. Signature ``encode``: float32 ``[1, H, W, 3]`` in [0, 1] to
            one tensor ``[1, ...]``; ``decode``: such a tensor to float32 ``[1, H, W, 3]``.
        name: Of the codec, for errors.
        multiple: Of the sides: see `Program`.

    Raises:
        WeightsError: There is no TensorFlow, no such folder, or it lacks a signature.
    """
    if not (folder / "saved_model.pb").is_file():
        raise WeightsError(f"{folder} must be a SavedModel (with saved_model.pb), got none")
    try:
        tf: Any = import_module("tensorflow")
    except ImportError as error:
        raise WeightsError(
            "a SavedModel needs TensorFlow: pip install 'semantic-transceiver[tensorflow]', "
            f"got {error}"
        ) from error
    try:
        model = tf.saved_model.load(str(folder))
    except Exception as error:  # its readers raise whatever damaged files lead them to
        reason = " ".join(str(error).split())[:200]
        raise WeightsError(
            f"{folder} must be a SavedModel that TensorFlow {tf.__version__} reads, "
            f"got {type(error).__name__}: {reason}"
        ) from error
    encode, decode = (_signature(tf, model, name, folder) for name in ("encode", "decode"))
    return Program(
        name,
        lambda picture: encode(picture.movedim(1, -1)),
        lambda sent: _channels_first(decode(sent)),
        folder_digest(folder),
        multiple,
    )


def tensorflow_version() -> str:
    """Of the TensorFlow that is installed."""
    version: str = import_module("tensorflow").__version__
    return version


def folder_digest(folder: Path) -> str:
    """SHA-256 over names and contents of all files below a folder, in the order of the names."""
    digest = hashlib.sha256()
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        name = path.relative_to(folder).as_posix().encode()
        digest.update(hashlib.sha256(name).digest() + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _signature(tf: Any, model: Any, name: str, folder: Path) -> Callable[[Tensor], Tensor]:
    """A signature of one input and one output as a function of torch's tensors."""
    if name not in model.signatures:
        raise WeightsError(
            f"{folder} must have the signatures encode and decode, "
            f"got {', '.join(sorted(model.signatures)) or 'none'}"
        )
    signature = model.signatures[name]
    inputs = signature.structured_input_signature[1]
    if len(inputs) != 1 or len(signature.structured_outputs) != 1:
        raise WeightsError(
            f"{folder}: {name} must have one input and one output, "
            f"got {len(inputs)} and {len(signature.structured_outputs)}"
        )
    (key,) = inputs

    def call(value: Tensor) -> Tensor:
        given = {key: tf.constant(value.contiguous().numpy())}
        (found,) = model.signatures[name](**given).values()  # a signature does not keep its model
        return torch.from_numpy(found.numpy().copy())

    return call


def _channels_first(picture: Tensor) -> Tensor:
    return picture.movedim(-1, 1).contiguous()
