"""Weights that a training begins from."""

from pathlib import Path

from transceiver.catalog import weights as shipped_weights
from transceiver.scenario.load import ScenarioError, user_path


def find_start(name: str, folder: Path) -> Path:
    """A recipe trained beside the one in ``folder``, a shipped name, or a file."""
    if name.endswith(".safetensors"):
        candidates = [user_path(name)]
    else:
        candidates = [folder.parent / f"train-{name}" / "best.safetensors"]
        candidates += [path for shipped, path in shipped_weights().items() if shipped == name]
    for path in candidates:
        if path.is_file():
            return path
    raise ScenarioError(
        f"start: must be a .safetensors file, shipped weights, or a recipe trained before (in "
        f"{folder.parent}), got {name}"
    )
