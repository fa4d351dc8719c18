"""Training recipes: one YAML file, one trained model."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from pydantic import ValidationError

from transceiver.recipe.log import Report
from transceiver.recipe.photo import PHOTO_KINDS, PhotoRecipe, train_photo
from transceiver.recipe.system32 import SystemRecipe, train_system
from transceiver.recipe.vqvae import VqVaeRecipe, train_vqvae
from transceiver.scenario.load import ScenarioError, describe, load_section

if TYPE_CHECKING:
    from semcodec.training.ranks import Ranks

__all__ = ["AnyRecipe", "check_ranks", "load_recipe", "train_recipe"]

AnyRecipe: TypeAlias = VqVaeRecipe | SystemRecipe | PhotoRecipe

_BY_KIND: Mapping[str, type[AnyRecipe]] = {
    "vqvae": VqVaeRecipe,
    "system32": SystemRecipe,
    **dict.fromkeys(PHOTO_KINDS, PhotoRecipe),
}


def load_recipe(path: Path, assignments: Sequence[str] = ()) -> AnyRecipe:
    """Read and check a recipe; `ScenarioError` with a line for each problem."""
    return load_section(path, assignments, _parse)


def _parse(data: dict[str, Any]) -> AnyRecipe:
    model = data.get("model")
    kind = model.get("kind") if isinstance(model, dict) else None
    if isinstance(kind, str) and kind not in _BY_KIND:
        raise ScenarioError(f"model.kind: must be one of {', '.join(_BY_KIND)}, got {kind}")
    recipe = _BY_KIND[kind] if isinstance(kind, str) else VqVaeRecipe
    try:
        return recipe.model_validate(data)
    except ValidationError as error:
        raise ScenarioError("\n".join(describe(error, data))) from None


def check_ranks(recipe: AnyRecipe, size: int) -> None:
    """Raise `ScenarioError` if so many processes cannot share a batch."""
    if recipe.batch % size:
        raise ScenarioError(
            f"batch: must be a multiple of the {size} processes that share it, got {recipe.batch}"
        )


def train_recipe(
    recipe: AnyRecipe, *, folder: Path, report: Report, ranks: "Ranks | None" = None
) -> float:
    """Train, or go on training; return the least validation loss.

    Args:
        recipe: What is trained.
        folder: The training's.
        report: Called with (step, values) whenever a line is logged.
        ranks: The processes that train together; None for this one alone.
    """
    from semcodec.training.ranks import ALONE

    ranks = ranks or ALONE
    check_ranks(recipe, ranks.size)
    match recipe:
        case SystemRecipe():
            return train_system(recipe, folder=folder, report=report, ranks=ranks)
        case PhotoRecipe():
            return train_photo(recipe, folder=folder, report=report, ranks=ranks)
        case VqVaeRecipe():
            return train_vqvae(recipe, folder=folder, report=report, ranks=ranks)
