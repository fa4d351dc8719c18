"""Recipes of the fully convolutional VQ-VAE for photographs."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, model_validator

from transceiver.recipe.log import Report
from transceiver.recipe.photographs import PhotographData, read_photographs
from transceiver.scenario.section import Number, Section

if TYPE_CHECKING:
    from semcodec.training.ranks import Ranks


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


class VqVaeRecipe(Section):
    """What is trained, on what, for how long."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    seed: Annotated[int, Field(ge=0, lt=2**31)]
    model: VqVaeModel
    data: PhotographData
    steps: Annotated[int, Field(ge=1)]
    batch: Annotated[int, Field(ge=1)]
    learning_rate: Annotated[Number, Field(gt=0)]
    report_every: Annotated[int, Field(ge=1)] = 50
    validate_every: Annotated[int, Field(ge=1)] = 500
    checkpoint_minutes: Annotated[Number, Field(gt=0)] = 5.0


def train_vqvae(recipe: VqVaeRecipe, *, folder: Path, report: Report, ranks: "Ranks") -> float:
    """Train, or go on training; return the least validation loss."""
    from semcodec.training.loop import Schedule, train
    from semcodec.training.vqvae_task import VqVaeTask, VqVaeTraining
    from semcodec.vq.vqvae import VqVaeConfig

    photos, held_out = read_photographs(recipe.data)
    task = VqVaeTask(
        VqVaeConfig(recipe.model.codebook_size, recipe.model.latent_channels),
        VqVaeTraining(batch=recipe.batch, learning_rate=recipe.learning_rate),
        train=photos,
        validation=held_out,
        seed=recipe.seed,
        ranks=ranks,
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
    return train(task, schedule, folder=folder, training=training, report=report, ranks=ranks)
