"""The ``system32`` recipes: systems for small pictures, trained on CIFAR-10."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias, assert_never

from pydantic import Field, model_validator

from transceiver.recipe.log import Report
from transceiver.recipe.start import find_start
from transceiver.scenario.load import ScenarioError, user_path
from transceiver.scenario.section import Number, Section

if TYPE_CHECKING:
    from torch import nn

    from semcodec.training.ranks import Ranks

_Flip: TypeAlias = Annotated[Number, Field(gt=0, lt=0.5)]
_Weight: TypeAlias = Annotated[Number, Field(ge=0)]

PIXELS_PER_CELL = 16
_CELLS = 32 * 32 // PIXELS_PER_CELL


class FlipRange(Section):
    """Learned flip probabilities: at least ``least``, drawn upwards by ``regularization``."""

    least: _Flip
    regularization: _Weight


class Gaussian(Section):
    """No codewords: the common start of the others."""

    kind: Literal["gaussian"]
    deviation: Annotated[Number, Field(gt=0)]
    power_weight: _Weight


class Plain(Section):
    """Plain VQ, trained without errors."""

    kind: Literal["plain"]


class FixedFlips(Section):
    """BSC+VQ."""

    kind: Literal["fixed_flips"]
    flip: _Flip


class LearnedFlips(Section):
    """ESC-MVQ, or ESC-SVQ with one range."""

    kind: Literal["learned_flips"]
    ranges: Annotated[list[FlipRange], Field(min_length=1)]
    decay: Annotated[Number, Field(gt=0, le=1)] = 0.8


class UniformFixedFlips(Section):
    """BSC+SQ."""

    kind: Literal["uniform_fixed_flips"]
    flip: _Flip


class UniformLearnedFlips(Section):
    """BlindSC."""

    kind: Literal["uniform_learned_flips"]
    flips: FlipRange


class Grounded(Section):
    """Index entropy and channel-aware distortion; both weights zero are the plain VQ-VAE."""

    kind: Literal["grounded"]
    flip: _Flip
    entropy_weight: _Weight
    channel_weight: _Weight
    softness: Annotated[Number, Field(gt=0)] = 1.0


class EntropyConstrained(Section):
    """ECVQ."""

    kind: Literal["entropy_constrained"]
    nu: _Weight


QuantizerSection: TypeAlias = Annotated[
    Gaussian
    | Plain
    | FixedFlips
    | LearnedFlips
    | UniformFixedFlips
    | UniformLearnedFlips
    | Grounded
    | EntropyConstrained,
    Field(discriminator="kind"),
]


class SystemModel(Section):
    """The network and its quantiser: `semcodec.system32.system.SystemConfig`."""

    kind: Literal["system32"]
    width: Annotated[int, Field(ge=2, multiple_of=2)] = 64
    latent_channels: Annotated[int, Field(ge=1)] = 4
    bits_per_index: Annotated[int, Field(ge=1, le=12)] = 9
    quantizer: QuantizerSection


class Cifar10Data(Section):
    """CIFAR-10's training split: the folder of its binary version, or a .npy file."""

    cifar10: str
    validation: Annotated[int, Field(ge=1)] = 1000
    """The last so many pictures are held out."""


class SystemRecipe(Section):
    """What is trained, on what, for how long."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    seed: Annotated[int, Field(ge=0, lt=2**31)]
    model: SystemModel
    data: Cifar10Data
    start: str | None = None
    """Weights to begin from: a recipe trained beside this one, a shipped name, or a file."""
    epochs: Annotated[Number, Field(gt=0)]
    batch: Annotated[int, Field(ge=1)] = 64
    learning_rate: Annotated[Number, Field(gt=0)] = 1e-3
    decay: Annotated[Number, Field(ge=0, le=1)] = 0.3
    reconstruction_weight: Annotated[Number, Field(gt=0)] = 1.0
    latent_scale: Annotated[Number, Field(gt=0)] = 1.0
    compiled: bool = False
    report_every: Annotated[int, Field(ge=1)] = 50
    checkpoint_minutes: Annotated[Number, Field(gt=0)] = 5.0

    @model_validator(mode="after")
    def _scalars(self) -> "SystemRecipe":
        levels = isinstance(self.model.quantizer, UniformFixedFlips | UniformLearnedFlips)
        if levels and self.model.bits_per_index > 8:
            raise ValueError(
                "model.bits_per_index must be at most 8 for uniform levels, "
                f"got {self.model.bits_per_index}"
            )
        return self


def train_system(recipe: SystemRecipe, *, folder: Path, report: Report, ranks: "Ranks") -> float:
    """Train, or go on training; return the least validation loss."""
    from semcodec.cifar10 import read_cifar10
    from semcodec.system32.system import SystemConfig
    from semcodec.training.loop import Schedule, train
    from semcodec.training.system32_task import SystemTask, SystemTraining

    try:
        pictures = read_cifar10(user_path(recipe.data.cifar10), "train")
    except ValueError as error:
        raise ScenarioError(f"data.cifar10: {error}") from None
    if recipe.data.validation >= len(pictures):
        raise ScenarioError(
            f"data.validation: must be fewer than the {len(pictures)} pictures, "
            f"got {recipe.data.validation}"
        )
    used, held_out = pictures[: -recipe.data.validation], pictures[-recipe.data.validation :]
    quantizer = recipe.model.quantizer
    scalar = isinstance(quantizer, UniformFixedFlips | UniformLearnedFlips)
    config = SystemConfig(
        width=recipe.model.width,
        latent_channels=recipe.model.latent_channels,
        dimension=1 if scalar else recipe.model.latent_channels,
        bits_per_index=recipe.model.bits_per_index,
        codebooks=len(quantizer.ranges) if isinstance(quantizer, LearnedFlips) else 1,
        bounded=scalar,
        trained_as=quantizer.kind,
    )
    cells = _CELLS * config.per_cell
    start = None if recipe.start is None else find_start(recipe.start, folder)
    make = partial(_quantizer, quantizer, config.bits_per_index, config.dimension, cells)
    choices = SystemTraining(
        recipe.batch,
        recipe.learning_rate,
        recipe.decay,
        recipe.reconstruction_weight,
        recipe.latent_scale,
        recipe.compiled,
    )
    try:
        task = SystemTask(
            config,
            make,
            choices,
            pictures=used,
            held_out=held_out,
            seed=recipe.seed,
            start=start,
            ranks=ranks,
        )
    except ValueError as error:
        raise ScenarioError(str(error)) from None
    steps = max(1, round(recipe.epochs * len(used) / recipe.batch))
    every = max(1, round(len(used) / recipe.batch))
    schedule = Schedule(
        steps, recipe.seed, recipe.report_every, every, recipe.checkpoint_minutes, keep="last"
    )
    facts: dict[str, Any] = {
        "recipe": recipe.model_dump(exclude={"data": {"cifar10"}, "compiled": True}),
        "data": "CIFAR-10, training split",
        "pictures": len(used),
        "validation_pictures": len(held_out),
    }
    return train(task, schedule, folder=folder, training=facts, report=report, ranks=ranks)


def _quantizer(section: QuantizerSection, bits: int, dimension: int, cells: int) -> "nn.Module":
    from semcodec.system32 import learned_flips as flips
    from semcodec.system32 import uniform
    from semcodec.system32.entropy_constrained import EntropyConstrained as EntropyConstrainedVq
    from semcodec.system32.fixed_flips import FixedFlips as FixedFlipsVq
    from semcodec.system32.gaussian import Gaussian as GaussianNoise
    from semcodec.system32.grounded import Grounded as GroundedVq
    from semcodec.system32.plain import Plain as PlainVq

    match section:
        case Gaussian():
            return GaussianNoise(
                dimension=dimension,
                deviation=section.deviation,
                power_weight=section.power_weight,
            )
        case Plain():
            return PlainVq(bits=bits, dimension=dimension)
        case FixedFlips():
            return FixedFlipsVq(bits=bits, dimension=dimension, cells=cells, flip=section.flip)
        case LearnedFlips():
            return flips.LearnedFlips(
                [flips.FlipRange(r.least, r.regularization) for r in section.ranges],
                bits=bits,
                dimension=dimension,
                cells=cells,
                decay=section.decay,
            )
        case UniformFixedFlips():
            return uniform.UniformFixedFlips(bits=bits, cells=cells, flip=section.flip)
        case UniformLearnedFlips():
            learned = flips.FlipRange(section.flips.least, section.flips.regularization)
            return uniform.UniformLearnedFlips(bits=bits, cells=cells, flips=learned)
        case Grounded():
            return GroundedVq(
                bits=bits,
                dimension=dimension,
                cells=cells,
                flip=section.flip,
                entropy_weight=section.entropy_weight,
                channel_weight=section.channel_weight,
                softness=section.softness,
            )
        case EntropyConstrained():
            return EntropyConstrainedVq(bits=bits, dimension=dimension, nu=section.nu)
        case _:
            assert_never(section)
