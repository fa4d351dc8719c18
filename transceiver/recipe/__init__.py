"""Training recipes: one YAML file, one trained model."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from pydantic import ValidationError

from transceiver.recipe.photo import PHOTO_KINDS, PhotoRecipe, train_photo
from transceiver.recipe.system32 import SystemRecipe, train_system
from transceiver.recipe.vqvae import VqVaeRecipe, train_vqvae
from transceiver.scenario.load import ScenarioError, describe, load_section

__all__ = ["AnyRecipe", "load_recipe", "train_recipe"]

AnyRecipe: TypeAlias = VqVaeRecipe | SystemRecipe | PhotoRecipe

_BY_KIND: Mapping[str, type[AnyRecipe]] = {
    "system32": SystemRecipe,
    **dict.fromkeys(PHOTO_KINDS, PhotoRecipe),
}
"""Every other kind is left to `VqVaeRecipe`."""


def load_recipe(path: Path, assignments: Sequence[str] = ()) -> AnyRecipe:
    """Read and check a recipe; `ScenarioError` with a line for each problem."""
    return load_section(path, assignments, _parse)


def _parse(data: dict[str, Any]) -> AnyRecipe:
    model = data.get("model")
    kind = model.get("kind") if isinstance(model, dict) else None
    recipe = _BY_KIND.get(kind, VqVaeRecipe) if isinstance(kind, str) else VqVaeRecipe
    try:
        return recipe.model_validate(data)
    except ValidationError as error:
        raise ScenarioError("\n".join(describe(error, data))) from None


def train_recipe(
    recipe: AnyRecipe, *, folder: Path, report: Callable[[int, Mapping[str, float]], None]
) -> float:
    """Train, or go on training; return the least validation loss."""
    match recipe:
        case SystemRecipe():
            return train_system(recipe, folder=folder, report=report)
        case PhotoRecipe():
            return train_photo(recipe, folder=folder, report=report)
        case VqVaeRecipe():
            return train_vqvae(recipe, folder=folder, report=report)
