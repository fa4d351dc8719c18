"""Weight files: safetensors with what is needed to rebuild the model, and a checked SHA-256.

Beside ``NAME.safetensors`` lies ``NAME.sha256`` with the digest of the file. Metadata keys:
``model`` (the kind of network), ``version`` (of this layout), ``config`` and ``training`` (JSON).
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from semcodec.errors import WeightsError

VERSION = "1"
SHIPPED = Path(__file__).parent / "pretrained"


@dataclass(frozen=True)
class Weights:
    """The content of a weight file.

    Attributes:
        tensors: By the names of the network's state dict, float32.
        config: The constructor arguments of the network's config class.
        training: What it was trained on, how long, and the validation result.
        sha256: Digest of the file.
    """

    tensors: Mapping[str, Tensor]
    config: Mapping[str, Any]
    training: Mapping[str, Any]
    sha256: str


def locate(name_or_path: str) -> Path:
    """The file of shipped weights by name, or a path to a ``.safetensors`` file as it is."""
    if name_or_path.endswith(".safetensors"):
        path = Path(name_or_path).expanduser()
    else:
        path = SHIPPED / f"{name_or_path}.safetensors"
    if not path.is_file():
        shipped = ", ".join(sorted(p.stem for p in SHIPPED.glob("*.safetensors"))) or "none"
        raise WeightsError(
            f"weights must be a .safetensors file or one of: {shipped}; got {name_or_path}"
        )
    return path


def save(
    path: Path,
    tensors: Mapping[str, Tensor],
    *,
    model: str,
    config: Mapping[str, Any],
    training: Mapping[str, Any],
) -> str:
    """Write weights as float16 (integers as they are) and their digest; return the digest."""
    packed = {
        name: (t.half() if t.is_floating_point() else t).detach().cpu().contiguous()
        for name, t in tensors.items()
    }
    metadata = {
        "model": model,
        "version": VERSION,
        "config": json.dumps(dict(config), sort_keys=True),
        "training": json.dumps(dict(training), sort_keys=True),
    }
    partial = path.with_suffix(".partial")
    save_file(packed, partial, metadata)
    partial.chmod(0o644)
    digest = hashlib.sha256(partial.read_bytes()).hexdigest()
    path.with_suffix(".sha256").write_text(f"{digest}  {path.name}\n")
    partial.replace(path)
    return digest


def load(path: Path, *, model: str | None) -> Weights:
    """Read and check a weight file; ``model`` None takes that of any network.

    Raises:
        WeightsError: The file is damaged, its digest is not the one written beside it, or it
            holds another kind of network.
    """
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    beside = path.with_suffix(".sha256")
    words = beside.read_text(errors="replace").split() if beside.is_file() else [digest]
    if words[:1] != [digest]:
        expected = words[0] if words else f"that {beside.name} lacks"
        raise WeightsError(f"{path.name} must have SHA-256 {expected}, got {digest}")
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise WeightsError(f"{path.name} must be a safetensors file, got: {error}") from error
    found = (metadata.get("model"), metadata.get("version"))
    if found != (found[0] if model is None else model, VERSION):
        raise WeightsError(
            f"{path.name} must hold model {model} version {VERSION}, got "
            f"{found[0]} version {found[1]}"
        )
    return Weights(
        {n: t.float() if t.dtype == torch.float16 else t for n, t in tensors.items()},
        _mapping(path, metadata, "config"),
        _mapping(path, metadata, "training"),
        digest,
    )


def _mapping(path: Path, metadata: Mapping[str, str], key: str) -> Mapping[str, Any]:
    """A mapping that a file's metadata hold as JSON."""
    try:
        found: object = json.loads(metadata.get(key, "null"))
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise WeightsError(f"{path.name} must have {key} in its metadata, got none")
    return found
