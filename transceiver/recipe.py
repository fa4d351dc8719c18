"""The training recipe: one YAML file, one trained model."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field, ValidationError, model_validator

from transceiver.recipe_system32 import SystemRecipe, train_system
from transceiver.scenario.load import ScenarioError, describe, load_section
from transceiver.scenario.section import Number, Section


class VqVaeModel(Section):
    """The fully convolutional VQ-VAE: `semcodec.vq.vqvae.VqVaeConfig`."""

    kind: Literal["vqvae"]
    codebook_size: Annotated[int, Field(ge=2)] = 1024
    latent_channels: Annotated[int, Field(ge=1)] = 32

    @model_validator(mode="after")
    def _whole_bits(self) -> "VqVaeModel":
        if self.codebook_size & (self.codebook_size - 1):
            raise ValueError(f"codebook_size must be a power of two, got {self.codebook_size}")
        return self


class Data(Section):
    """Folders of photographs below ``root``."""

    root: str
    train: Annotated[list[str], Field(min_length=1)]
    validation: Annotated[list[str], Field(min_length=1)]
    crop: Annotated[int, Field(ge=16, multiple_of=8)] = 96
    validation_crop: Annotated[int, Field(ge=16, multiple_of=8)] = 256


class Recipe(Section):
    """What is trained, on what, for how long."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    seed: Annotated[int, Field(ge=0, lt=2**31)]
    model: VqVaeModel
    data: Data
    steps: Annotated[int, Field(ge=1)]
    batch: Annotated[int, Field(ge=1)]
    learning_rate: Annotated[Number, Field(gt=0)]
    report_every: Annotated[int, Field(ge=1)] = 50
    validate_every: Annotated[int, Field(ge=1)] = 500
    checkpoint_minutes: Annotated[Number, Field(gt=0)] = 5.0


AnyRecipe: TypeAlias = Recipe | SystemRecipe


def load_recipe(path: Path, assignments: Sequence[str] = ()) -> AnyRecipe:
    """Read and check a recipe; `ScenarioError` with a line for each problem."""
    return load_section(path, assignments, _parse)


def _parse(data: dict[str, Any]) -> AnyRecipe:
    model = data.get("model")
    small = isinstance(model, dict) and model.get("kind") == "system32"
    kind = SystemRecipe if small else Recipe
    try:
        return kind.model_validate(data)
    except ValidationError as error:
        raise ScenarioError("\n".join(describe(error, data))) from None


def train_recipe(
    recipe: AnyRecipe, *, folder: Path, report: Callable[[int, Mapping[str, float]], None]
) -> float:
    """Train, or go on training; return the least validation loss."""
    if isinstance(recipe, SystemRecipe):
        return train_system(recipe, folder=folder, report=report)
    from semcodec.training.loop import Schedule, train
    from semcodec.training.photos import Photos
    from semcodec.training.vqvae_task import VqVaeTask, VqVaeTraining
    from semcodec.vq.vqvae import VqVaeConfig

    root = Path(recipe.data.root).expanduser()

    def read(folders: Sequence[str], crop: int) -> Photos:
        try:
            return Photos.read([root / f for f in folders], crop=crop)
        except ValueError as error:
            raise ScenarioError(f"data: {error}") from None

    photos = read(recipe.data.train, recipe.data.crop)
    held_out = read(recipe.data.validation, recipe.data.validation_crop)
    task = VqVaeTask(
        VqVaeConfig(recipe.model.codebook_size, recipe.model.latent_channels),
        VqVaeTraining(batch=recipe.batch, learning_rate=recipe.learning_rate),
        train=photos,
        validation=held_out,
        seed=recipe.seed,
    )
    schedule = Schedule(
        recipe.steps,
        recipe.seed,
        recipe.report_every,
        recipe.validate_every,
        recipe.checkpoint_minutes,
    )
    training: dict[str, Any] = {
        "recipe": recipe.model_dump(exclude={"data": {"root"}}),
        "pictures": len(photos.pictures),
        "validation_pictures": len(held_out.pictures),
    }
    return train(task, schedule, folder=folder, training=training, report=report)
