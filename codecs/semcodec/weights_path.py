"""Where weights of LPIPS and VGG19 lie. Without torch: a scenario is checked without it."""

import os
from pathlib import Path
from typing import Literal, TypeAlias

from semcodec.errors import WeightsError

LpipsNet: TypeAlias = Literal["alex", "squeeze"]

WEIGHTS_VARIABLE = "SEMANTIC_TRANSCEIVER_WEIGHTS"
SUFFIXES = (".npz", ".safetensors", ".pth")
_BACKBONES: dict[LpipsNet, str] = {"alex": "alexnet-owt-*.pth", "squeeze": "squeezenet1_1-*.pth"}


def find_lpips_weights(net: LpipsNet, path: Path | None = None) -> Path:
    """The file with the weights of LPIPS v0.1.

    The first of: ``path``; the folder that the environment variable SEMANTIC_TRANSCEIVER_WEIGHTS
    names; ``hub/checkpoints`` of torch's cache. In the folders the file is called
    ``lpips_alex_v0.1`` or ``lpips_squeeze_v0.1`` with the suffix .npz, .safetensors or .pth.

    Raises:
        WeightsError: There is no such file, or ``net`` is none of the two.

    >>> find_lpips_weights("alex", Path("nowhere.npz"))
    Traceback (most recent call last):
    ...
    semcodec.errors.WeightsError: LPIPS weights must exist, got no file nowhere.npz
    """
    if net not in _BACKBONES:
        raise WeightsError(f"LPIPS net must be 'alex' or 'squeeze', got {net!r}")
    if path is not None:
        if not path.is_file():
            raise WeightsError(f"LPIPS weights must exist, got no file {path}")
        return path
    named = os.environ.get(WEIGHTS_VARIABLE)
    folders = [Path(named), torch_checkpoints()] if named else [torch_checkpoints()]
    for folder in folders:
        for suffix in SUFFIXES:
            if (file := folder / f"lpips_{net}_v0.1{suffix}").is_file():
                return file
    raise WeightsError(
        f"LPIPS weights must lie in the folder that {WEIGHTS_VARIABLE} names or in "
        f"{torch_checkpoints()}, got no lpips_{net}_v0.1.npz, .safetensors or .pth there"
    )


def find_backbone(net: LpipsNet, beside: Path) -> Path:
    """ImageNet weights of torchvision, beside a file of linear layers or in torch's cache."""
    for folder in (beside.parent, torch_checkpoints()):
        if files := sorted(folder.glob(_BACKBONES[net])):
            return files[0]
    raise WeightsError(
        f"LPIPS weights {beside} hold only the linear layers: torchvision's {_BACKBONES[net]} must "
        f"lie beside it or in {torch_checkpoints()}, got neither"
    )


def find_vgg19_weights() -> Path:
    """Torchvision's ImageNet weights of VGG19, or the same tensors as .safetensors.

    The first of ``vgg19-*`` in the folder that SEMANTIC_TRANSCEIVER_WEIGHTS names and in
    ``hub/checkpoints`` of torch's cache.

    Raises:
        WeightsError: There is no such file.
    """
    named = os.environ.get(WEIGHTS_VARIABLE)
    for folder in [Path(named), torch_checkpoints()] if named else [torch_checkpoints()]:
        for suffix in (".pth", ".safetensors"):
            if files := sorted(folder.glob(f"vgg19-*{suffix}")):
                return files[0]
    raise WeightsError(
        f"VGG19 weights must lie in the folder that {WEIGHTS_VARIABLE} names or in "
        f"{torch_checkpoints()}, got no vgg19-*.pth or .safetensors there"
    )


def torch_checkpoints() -> Path:
    """``hub/checkpoints`` of torch's cache, where TORCH_HOME or XDG_CACHE_HOME puts it."""
    cache = os.environ.get("XDG_CACHE_HOME", "~/.cache")
    home = os.environ.get("TORCH_HOME", f"{cache}/torch")
    return Path(home).expanduser() / "hub" / "checkpoints"
