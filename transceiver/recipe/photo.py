"""Recipes of the systems for photographs."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias, assert_never

from pydantic import Field, model_validator

from transceiver.recipe.log import Report
from transceiver.recipe.photographs import PhotographData, read_photographs
from transceiver.recipe.start import find_start
from transceiver.scenario.load import ScenarioError
from transceiver.scenario.section import Number, Section

if TYPE_CHECKING:
    from semcodec.training.photo_task import Subject
    from semcodec.training.picture_loss import PictureLoss
    from semcodec.training.ranks import Ranks
    from semcodec.vgg import Vgg19

Width: TypeAlias = Annotated[Number, Field(gt=0)]
Counts: TypeAlias = Annotated[tuple[int, int, int, int], Field(strict=False)]  # a YAML list
Range: TypeAlias = Annotated[tuple[Number, Number], Field(strict=False)]


class VqDeepScModel(Section):
    """VQ-DeepSC: `semcodec.photo.vq_deepsc.VqDeepScConfig`."""

    kind: Literal["vq_deepsc"]
    codebook_sizes: Counts
    width: Width = 0.25
    quantize_from: Annotated[Number, Field(ge=0, lt=1)] = 0.1
    """Fraction of the steps after which the codebooks are placed and quantisation begins."""
    commitment: Annotated[Number, Field(ge=0)] = 0.25


class UNetJsccModel(Section):
    """UNet-DeepJSCC: `semcodec.photo.unet_jscc.UNetJsccConfig`."""

    kind: Literal["unet_jscc"]
    values_per_cell: Counts
    width: Width = 0.25
    esn0_db: Range = (9.0, 9.0)
    """Least and largest of the AWGN in training."""


class Autoencoder(Section):
    """The autoencoder of MOC-RVQ and JSCC-96: `semcodec.photo.vqgan.VqganConfig`."""

    width: Annotated[int, Field(ge=1)] = 16
    factors: Counts = (1, 1, 4, 8)
    encoder_blocks: Counts = (0, 1, 1, 2)
    decoder_blocks: Counts = (0, 1, 1, 3)
    attention: bool = False


class MocRvqModel(Section):
    """MOC-RVQ, first stage: `semcodec.photo.moc_rvq.MocRvqConfig`."""

    kind: Literal["moc_rvq"]
    autoencoder: Autoencoder = Autoencoder()
    latent_channels: Annotated[int, Field(ge=1)] = 32
    levels: Annotated[int, Field(ge=1, le=8)] = 4
    heads: Annotated[int, Field(ge=1)] = 4
    quantize_from: Annotated[Number, Field(ge=0, lt=1)] = 0.1
    """Fraction of the steps after which the codebooks are placed and quantisation begins."""
    commitment: Annotated[Number, Field(ge=0)] = 0.25
    fewer_levels: Annotated[Number, Field(ge=0, le=1)] = 0.5
    """Share of pictures that are quantised with a random number of levels."""
    guidance: Annotated[Number, Field(ge=0)] = 0.0
    """Of the distance to features of VGG19 (eq. 8, there 0.1); needs the weights of VGG19."""


class NoiseReductionModel(Section):
    """MOC-RVQ, second stage: a block of `semcodec.photo.noise_reduction`, all else frozen."""

    kind: Literal["moc_rvq_noise_reduction"]
    reorder: bool = True
    """Order the codebooks along the amplitudes of 64-QAM first (Algorithm 1)."""
    width: Annotated[int, Field(ge=1)] = 96
    depth: Annotated[int, Field(ge=1)] = 2
    layers: Annotated[int, Field(ge=1)] = 4
    attention_heads: Annotated[int, Field(ge=1)] = 4
    window: Annotated[int, Field(ge=2, multiple_of=2)] = 8
    esn0_db: Range = (-5.0, 30.0)
    weight: Annotated[Number, Field(ge=0)] = 1.0
    """Of eq. 10 beside the loss of the pictures."""
    fewer_levels: Annotated[Number, Field(ge=0, le=1)] = 0.5
    """Share of batches that are sent with a random number of levels."""


class JsccModel(Section):
    """JSCC-96: `semcodec.photo.jscc.JsccNetwork`."""

    kind: Literal["jscc"]
    autoencoder: Autoencoder = Autoencoder()
    latent_channels: Annotated[int, Field(ge=2, multiple_of=2)] = 96
    esn0_db: Range = (-5.0, 30.0)


PhotoModel: TypeAlias = Annotated[
    VqDeepScModel | UNetJsccModel | MocRvqModel | NoiseReductionModel | JsccModel,
    Field(discriminator="kind"),
]

PHOTO_KINDS = ("vq_deepsc", "unet_jscc", "moc_rvq", "moc_rvq_noise_reduction", "jscc")


class LossSection(Section):
    """Weights of what a picture is charged for: `semcodec.training.picture_loss.PictureLoss`."""

    l1: Annotated[Number, Field(ge=0)] = 1.0
    mse: Annotated[Number, Field(ge=0)] = 0.0
    ms_ssim: Annotated[Number, Field(ge=0)] = 0.0
    lpips: Annotated[Number, Field(ge=0)] = 0.0
    lpips_net: Literal["alex", "squeeze"] = "alex"

    @model_validator(mode="after")
    def _something(self) -> "LossSection":
        if not self.l1 + self.mse + self.ms_ssim + self.lpips > 0:
            raise ValueError("loss must have a term with a weight above 0, got none")
        return self


class AdversarialSection(Section):
    """A PatchGAN discriminator."""

    weight: Annotated[Number, Field(gt=0)]
    start: Annotated[Number, Field(ge=0, lt=1)] = 0.5
    """Fraction of the steps after which it counts."""
    learning_rate: Annotated[Number, Field(gt=0)] = 1e-5
    width: Width = 0.25


class PhotoRecipe(Section):
    """What is trained, on what, for how long."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    seed: Annotated[int, Field(ge=0, lt=2**31)]
    model: PhotoModel
    data: PhotographData
    start: str | None = None
    """Weights to begin from: a recipe trained beside this one, a shipped name, or a file."""
    loss: LossSection = LossSection()
    adversarial: AdversarialSection | None = None
    steps: Annotated[int, Field(ge=1)]
    batch: Annotated[int, Field(ge=1)] = 8
    learning_rate: Annotated[Number, Field(gt=0)] = 5e-4
    betas: Range = (0.9, 0.99)
    warm_up: Annotated[Number, Field(ge=0, lt=1)] = 0.02
    average: Annotated[Number, Field(ge=0, lt=1)] = 0.999
    report_every: Annotated[int, Field(ge=1)] = 50
    validate_every: Annotated[int, Field(ge=1)] = 1000
    checkpoint_minutes: Annotated[Number, Field(gt=0)] = 5.0

    @model_validator(mode="after")
    def _crops(self) -> "PhotoRecipe":
        for name in ("crop", "validation_crop"):
            if self.loss.ms_ssim and getattr(self.data, name) < 88:
                raise ValueError(
                    f"data.{name} must be at least 88 for loss.ms_ssim, "
                    f"got {getattr(self.data, name)}"
                )
        return self


def train_photo(recipe: PhotoRecipe, *, folder: Path, report: Report, ranks: "Ranks") -> float:
    """Train, or go on training; return the least validation loss."""
    from semcodec.training.loop import Schedule, train
    from semcodec.training.photo_task import PhotoTask, PhotoTraining

    photos, held_out = read_photographs(recipe.data)
    adversarial = recipe.adversarial
    training = PhotoTraining(
        batch=recipe.batch,
        learning_rate=recipe.learning_rate,
        betas=recipe.betas,
        warm_up=recipe.warm_up,
        average=recipe.average,
    )
    if adversarial is not None:
        training = replace(
            training,
            adversarial=adversarial.weight,
            adversarial_start=adversarial.start,
            discriminator_rate=adversarial.learning_rate,
            discriminator_width=adversarial.width,
        )
    start = None if recipe.start is None else find_start(recipe.start, folder)
    try:
        subject = _subject(recipe.model, seed=recipe.seed, start=start)
    except ValueError as error:
        raise ScenarioError(f"model: {error}") from None
    task = PhotoTask(
        subject,
        _loss(recipe.loss),
        training,
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
        keep="latest",
    )
    facts: dict[str, Any] = {
        "recipe": recipe.model_dump(exclude={"data": {"root"}}),
        "data": ", ".join(recipe.data.train),
        "pictures": len(photos.pictures),
        "validation_pictures": len(held_out.pictures),
    }
    return train(task, schedule, folder=folder, training=facts, report=report, ranks=ranks)


def _subject(model: PhotoModel, *, seed: int, start: Path | None) -> "Subject":
    from phy.qam import pam_levels
    from semcodec import weights
    from semcodec.photo import jscc_codec, unet_jscc_codec
    from semcodec.photo.jscc import JsccNetwork
    from semcodec.photo.moc_rvq import MocRvqConfig
    from semcodec.photo.moc_rvq_codec import MODEL as MOC_RVQ
    from semcodec.photo.noise_reduction import NoiseReductionConfig
    from semcodec.photo.unet_jscc import UNetJsccConfig, UNetJsccNetwork
    from semcodec.photo.vq_deepsc import VqDeepScConfig
    from semcodec.photo.vqgan import VqganConfig
    from semcodec.training.analog_subject import AnalogSubject
    from semcodec.training.moc_rvq_subject import MocRvqSubject
    from semcodec.training.noise_reduction_subject import NoiseReductionSubject
    from semcodec.training.vq_deepsc_subject import VqDeepScSubject

    match model:
        case VqDeepScModel():
            return VqDeepScSubject(
                VqDeepScConfig(model.codebook_sizes, model.width),
                quantize_from=model.quantize_from,
                commitment=model.commitment,
                seed=seed,
                start=start,
            )
        case MocRvqModel():
            autoencoder = VqganConfig(
                latent_channels=model.latent_channels, **model.autoencoder.model_dump()
            )
            return MocRvqSubject(
                MocRvqConfig(autoencoder, model.levels, model.heads),
                quantize_from=model.quantize_from,
                commitment=model.commitment,
                fewer_levels=model.fewer_levels,
                guide=(_vgg19(), model.guidance) if model.guidance else None,
                seed=seed,
                start=start,
            )
        case NoiseReductionModel():
            if start is None:
                raise ValueError("moc_rvq_noise_reduction needs the weights of a start, got none")
            first = weights.load(start, model=MOC_RVQ)
            block = NoiseReductionConfig(
                channels=first.config["autoencoder"]["latent_channels"],
                width=model.width,
                depth=model.depth,
                layers=model.layers,
                heads=model.attention_heads,
                window=model.window,
            )
            return NoiseReductionSubject(
                start=start,
                block=block,
                labels=pam_levels(3).argsort(),
                reorder=model.reorder,
                esn0_db=model.esn0_db,
                weight=model.weight,
                fewer_levels=model.fewer_levels,
                seed=seed,
            )
        case UNetJsccModel():
            unet = UNetJsccConfig(model.values_per_cell, model.width)
            return AnalogSubject(
                lambda: UNetJsccNetwork(unet),
                model=unet_jscc_codec.MODEL,
                esn0_db=model.esn0_db,
                seed=seed,
                start=start,
            )
        case JsccModel():
            shape = VqganConfig(
                latent_channels=model.latent_channels, **model.autoencoder.model_dump()
            )
            return AnalogSubject(
                lambda: JsccNetwork(shape),
                model=jscc_codec.MODEL,
                esn0_db=model.esn0_db,
                seed=seed,
                start=start,
            )
        case _:
            assert_never(model)


def _vgg19() -> "Vgg19":
    from semcodec.errors import WeightsError
    from semcodec.vgg import Vgg19
    from semcodec.weights_path import find_vgg19_weights

    try:
        return Vgg19.load(find_vgg19_weights())
    except WeightsError as error:
        raise ScenarioError(f"model.guidance: {error}") from None


def _loss(section: LossSection) -> "PictureLoss":
    from semcodec.errors import WeightsError
    from semcodec.lpips import Lpips
    from semcodec.training.picture_loss import PictureLoss
    from semcodec.weights_path import find_lpips_weights

    metric = None
    if section.lpips:
        try:
            metric = Lpips.load(section.lpips_net, find_lpips_weights(section.lpips_net))
        except WeightsError as error:
            raise ScenarioError(f"loss.lpips: {error}") from None
    return PictureLoss(section.l1, section.mse, section.ms_ssim, section.lpips, metric)
