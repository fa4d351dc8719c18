"""Training of the systems for photographs, in miniature."""

from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from skimage import data

from semcodec.metrics import psnr
from semcodec.photo.moc_rvq import MocRvqConfig
from semcodec.photo.moc_rvq_codec import MocRvqCodec
from semcodec.photo.noise_reduction import NoiseReductionConfig
from semcodec.photo.unet_jscc import UNetJsccConfig, UNetJsccNetwork
from semcodec.photo.unet_jscc_codec import MODEL as UNET_JSCC
from semcodec.photo.unet_jscc_codec import UNetJsccCodec
from semcodec.photo.vq_deepsc import VqDeepScConfig
from semcodec.photo.vq_deepsc_codec import VqDeepScCodec
from semcodec.photo.vqgan import VqganConfig
from semcodec.training.analog_subject import AnalogSubject
from semcodec.training.loop import Schedule, train
from semcodec.training.moc_rvq_subject import MocRvqSubject
from semcodec.training.noise_reduction_subject import NoiseReductionSubject
from semcodec.training.photo_task import PhotoTask, PhotoTraining, Subject
from semcodec.training.photos import Photos
from semcodec.training.picture_loss import PictureLoss
from semcodec.training.vq_deepsc_subject import VqDeepScSubject

WIDTH = 1 / 32


@pytest.fixture(scope="module")
def photos() -> Photos:
    return Photos((torch.from_numpy(data.astronaut()), torch.from_numpy(data.coffee().copy())), 32)


def _vq(seed: int = 3, start: Path | None = None) -> VqDeepScSubject:
    config = VqDeepScConfig((0, 8, 4, 2), WIDTH)
    return VqDeepScSubject(config, quantize_from=0.2, seed=seed, start=start)


def _jscc(seed: int = 3) -> AnalogSubject:
    config = UNetJsccConfig((0, 1, 3, 4), WIDTH)
    return AnalogSubject(
        lambda: UNetJsccNetwork(config), model=UNET_JSCC, esn0_db=(9.0, 9.0), seed=seed
    )


def _train(
    subject: Subject,
    photos: Photos,
    folder: Path,
    *,
    steps: int = 40,
    adversarial: float = 0.0,
    stop_after: int | None = None,
) -> list[dict[str, float]]:
    lines: list[dict[str, float]] = []

    def report(step: int, values: Mapping[str, float]) -> None:
        lines.append({"step": step, **values})
        if stop_after is not None and step >= stop_after:
            raise KeyboardInterrupt

    training = PhotoTraining(
        batch=4,
        learning_rate=3e-3,
        average=0.9,
        adversarial=adversarial,
        adversarial_start=0.5,
        discriminator_rate=1e-3,
        discriminator_width=1 / 16,
    )
    task = PhotoTask(
        subject, PictureLoss(l1=1.0), training, train=photos, validation=photos, seed=3
    )
    schedule = Schedule(
        steps, seed=7, report_every=5, validate_every=20, checkpoint_minutes=0.0, keep="latest"
    )
    train(task, schedule, folder=folder, training={"pictures": 2}, report=report)
    return lines


def _column(lines: list[dict[str, float]], name: str) -> list[float]:
    return [line[name] for line in lines if name in line]


def _psnr(codec: VqDeepScCodec, photos: Photos) -> float:
    """Mean over the pictures that the training validates with."""
    values = []
    for picture in (photos.centres() * 255).round().to(torch.uint8):
        decoded = codec.decode(codec.encode(picture), photos.crop, photos.crop)
        values.append(psnr(picture, decoded))
    return sum(values) / len(values)


def test_vq_deepsc_learns_and_its_weights_make_a_codec(photos: Photos, tmp_path: Path) -> None:
    lines = _train(_vq(), photos, tmp_path, steps=120)
    errors = _column(lines, "l1")
    assert errors[-1] < 0.7 * errors[0]
    assert _column(lines, "commitment")[0] > 0  # from 20 % on
    codec = VqDeepScCodec.load(str(tmp_path / "best.safetensors"))
    image = photos.pictures[0][100:164, 100:180].movedim(-1, 0).contiguous()
    indices = codec.encode(image)
    runs = codec.runs(64, 80)
    assert [run.bits for run in runs] == [1, 2, 3]
    assert [run.count for run in runs] == [4 * 5, 8 * 10, 16 * 20]
    assert len(indices) == sum(run.count for run in runs)
    assert codec.decode(indices, 64, 80).shape == image.shape
    assert _psnr(codec, photos) == pytest.approx(
        _column(lines, "validation_psnr_db_clean")[-1], 0.01
    )
    moved = codec.displacement(indices, torch.zeros_like(indices))
    assert torch.equal(moved == 0, indices == 0)


def test_unet_deepjscc_learns_over_noise(photos: Photos, tmp_path: Path) -> None:
    lines = _train(_jscc(), photos, tmp_path, steps=100)
    errors = _column(lines, "l1")
    assert errors[-1] < 0.7 * errors[0]
    codec = UNetJsccCodec.load(str(tmp_path / "best.safetensors"))
    image = photos.pictures[1][:48, :33].movedim(-1, 0).contiguous()  # padded to 48 x 48
    values = codec.encode(image)
    assert values.shape == (3 * 3 * 4 + 6 * 6 * 3 + 12 * 12,)
    assert codec.decode(values, 48, 33).shape == image.shape
    with pytest.raises(ValueError, match=r"values must be \[288\] for 33 x 48 pixels, got \[2\]"):
        codec.decode(values[:2], 48, 33)


@pytest.mark.parametrize("adversarial", [0.0, 0.1])
def test_interrupted_training_ends_with_the_same_weights(
    photos: Photos, tmp_path: Path, adversarial: float
) -> None:
    whole = _train(_vq(), photos, tmp_path / "whole", adversarial=adversarial)
    with pytest.raises(KeyboardInterrupt):
        _train(_vq(), photos, tmp_path / "parts", adversarial=adversarial, stop_after=25)
    rest = _train(_vq(), photos, tmp_path / "parts", adversarial=adversarial)
    assert rest[-1] == pytest.approx(whole[-1], rel=1e-6)
    a, b = (torch.load(tmp_path / f / "checkpoint.pt") for f in ("whole", "parts"))
    for name, tensor in a["task"]["network"].items():
        assert torch.equal(tensor, b["task"]["network"][name]), name
    one, other = (load_file(tmp_path / f / "best.safetensors") for f in ("whole", "parts"))
    assert all(torch.equal(tensor, other[name]) for name, tensor in one.items())


def test_the_adversary_counts_from_its_start_on(photos: Photos, tmp_path: Path) -> None:
    lines = _train(_vq(), photos, tmp_path, adversarial=0.1)
    with_verdict = [line["step"] for line in lines if "verdict" in line]
    assert with_verdict == [25, 30, 35, 40]
    assert all(0 < value < 5 for value in _column(lines, "discriminator"))


def test_a_training_may_begin_from_other_weights(photos: Photos, tmp_path: Path) -> None:
    _train(_vq(), photos, tmp_path, steps=20)
    begun = _vq(seed=9, start=tmp_path / "best.safetensors").network.state_dict()
    fresh = _vq(seed=9).network.state_dict()
    trained = torch.load(tmp_path / "checkpoint.pt")["task"]["network"]
    name = "encoder.stem.0.weight"
    assert not torch.equal(fresh[name], begun[name])
    assert torch.allclose(begun[name], trained[name], atol=0.05)


def test_the_rate_warms_up_and_falls() -> None:
    training = PhotoTraining(learning_rate=2.0, warm_up=0.1)
    rates = [training.rate(p / 100) for p in range(100)]
    assert rates[0] == 0
    assert max(rates) == rates[10] == 2.0
    assert rates[10:] == sorted(rates[10:], reverse=True)


MOC = MocRvqConfig(
    VqganConfig(8, (1, 1, 2, 2), 8, encoder_blocks=(0, 1, 1, 1), decoder_blocks=(0, 1, 1, 1))
)
LABELS = torch.tensor([7, 6, 4, 5, 1, 0, 2, 3])


@pytest.fixture(scope="module")
def moc_folder(photos: Photos, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A first stage of MOC-RVQ, 80 steps."""
    folder = tmp_path_factory.mktemp("moc")
    lines = _train(MocRvqSubject(MOC, quantize_from=0.25, seed=3), photos, folder, steps=80)
    errors = _column(lines, "l1")
    assert errors[-1] < 0.9 * errors[0]
    assert all(_column(lines, f"validation_psnr_db_l{n}") for n in (1, 2, 3, 4))
    network = MocRvqCodec.load(str(folder / "best.safetensors")).network
    with torch.no_grad():
        latents = network.autoencoder.encode(photos.centres())
    left = network.quantizer.quantize(latents).residual_energy.tolist()
    assert left == sorted(left, reverse=True)  # every level comes closer
    assert left[-1] < 0.2 * float(latents.square().mean())
    return folder


def test_moc_rvq_makes_a_codec_for_each_number_of_levels(moc_folder: Path, photos: Photos) -> None:
    path = str(moc_folder / "best.safetensors")
    image = photos.pictures[0][100:164, 100:177].movedim(-1, 0).contiguous()  # padded to 64 x 80
    for levels in (1, 4):
        codec = MocRvqCodec.load(path, levels=levels)
        indices = codec.encode(image)
        runs = codec.runs(64, 77)
        assert [(run.count, run.bits) for run in runs] == [(8 * 10 * 4, 3)] * levels
        assert indices.shape == (8 * 10 * 4 * levels,)
        assert codec.decode(indices, 64, 77).shape == image.shape
        moved = codec.displacement(indices, (indices + 1) % 8)
        assert moved.shape == indices.shape
        assert float(codec.displacement(indices, indices).max()) == 0
        first = codec.network.quantizer.codewords[0]
        assert float(moved[0]) == pytest.approx(
            float((first[0, indices[0]] - first[0, (indices[0] + 1) % 8]).norm()), rel=1e-5
        )
    with pytest.raises(ValueError, match="levels must be 1 to 4, got 5"):
        MocRvqCodec.load(path, levels=5)
    with pytest.raises(ValueError, match="a noise reduction block must be in the weights"):
        MocRvqCodec.load(path, refine=True)


@pytest.mark.parametrize("reorder", [True, False])
def test_the_second_stage_moves_only_its_block(
    moc_folder: Path, photos: Photos, tmp_path: Path, reorder: bool
) -> None:
    start = moc_folder / "best.safetensors"
    subject = NoiseReductionSubject(
        start=start,
        block=NoiseReductionConfig(channels=8, width=8, depth=1, layers=2, heads=2, window=4),
        labels=LABELS,
        reorder=reorder,
        seed=4,
    )
    lines = _train(subject, photos, tmp_path, steps=30)
    assert all(value > 0 for value in _column(lines, "feature"))
    before, after = load_file(start), load_file(tmp_path / "best.safetensors")
    last = [n for n in after if n.startswith("noise_reduction") and n.endswith("bias")][-1]
    assert float(after[last].float().abs().max()) > 0  # zero in a fresh block
    books = "quantizer.codewords"
    for name, tensor in before.items():
        if name != books:
            assert torch.equal(tensor, after[name]), name
    assert torch.equal(before[books], after[books]) is not reorder
    assert torch.equal(
        before[books].sort(2).values, after[books].sort(2).values
    )  # the same words in another order, component by component
    codec = MocRvqCodec.load(str(tmp_path / "best.safetensors"))
    assert codec.refine
    image = photos.pictures[0][:64, :64].movedim(-1, 0).contiguous()
    plain = MocRvqCodec.load(str(tmp_path / "best.safetensors"), refine=False)
    indices = codec.encode(image)
    assert torch.equal(indices, plain.encode(image))
    assert not torch.equal(codec.decode(indices, 64, 64), plain.decode(indices, 64, 64))
