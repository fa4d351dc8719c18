import json
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from PIL import Image as PillowImage
from skimage import data

from semcodec.training.loop import Schedule, step_generator, train
from semcodec.training.photos import Photos
from semcodec.training.vqvae_task import VqVaeTask, VqVaeTraining
from semcodec.vq.codec import VqVaeCodec
from semcodec.vq.vqvae import VqVaeConfig


@pytest.fixture(scope="module")
def photos() -> Photos:
    return Photos((torch.from_numpy(data.astronaut()), torch.from_numpy(data.coffee().copy())), 32)


def task(photos: Photos, seed: int = 7) -> VqVaeTask:
    return VqVaeTask(
        VqVaeConfig(16, 4, (8, 8, 16), (1, 1), (1, 1, 1)),
        VqVaeTraining(batch=4, learning_rate=3e-3, codebook_start=0.1, revive_every=5),
        train=photos,
        validation=photos,
        seed=seed,
    )


def run(
    photos: Photos, folder: Path, steps: int, stop_after: int | None = None
) -> list[dict[str, float]]:
    lines: list[dict[str, float]] = []

    def report(step: int, values: Mapping[str, float]) -> None:
        lines.append({"step": step, **values})
        if stop_after is not None and step >= stop_after:
            raise KeyboardInterrupt

    schedule = Schedule(steps, seed=7, report_every=5, validate_every=20, checkpoint_minutes=0.0)
    train(task(photos), schedule, folder=folder, training={"pictures": 2}, report=report)
    return lines


def test_loss_falls_and_the_best_weights_make_a_codec(photos: Photos, tmp_path: Path) -> None:
    lines = run(photos, tmp_path, 160)
    errors = [line["mse"] for line in lines if "mse" in line]
    assert errors[-1] < 0.6 * errors[0]
    validations = [line["validation_loss"] for line in lines if "validation_loss" in line]
    assert len(validations) == 8
    codec = VqVaeCodec.load(str(tmp_path / "best.safetensors"))
    image = photos.pictures[0][:64, :64].movedim(-1, 0).contiguous()
    decoded = codec.decode(codec.encode(image), 64, 64)
    mse = (decoded.float() - image.float()).square().mean() / 255**2
    flat = (image.float() - image.float().mean(dim=(1, 2), keepdim=True)).square().mean() / 255**2
    assert mse < flat
    assert len((tmp_path / "log.jsonl").read_text().splitlines()) == len(lines)
    assert json.loads((tmp_path / "log.jsonl").read_text().splitlines()[0])["step"] == 5


def test_interrupted_training_ends_with_the_same_weights(photos: Photos, tmp_path: Path) -> None:
    whole = run(photos, tmp_path / "whole", 40)
    with pytest.raises(KeyboardInterrupt):
        run(photos, tmp_path / "parts", 40, stop_after=15)
    rest = run(photos, tmp_path / "parts", 40)
    assert rest[-1] == pytest.approx(whole[-1], rel=1e-6)
    a, b = (torch.load(tmp_path / f / "checkpoint.pt") for f in ("whole", "parts"))
    for name, tensor in a["task"]["network"].items():
        assert torch.equal(tensor, b["task"]["network"][name]), name


def test_a_finished_training_is_not_trained_again(photos: Photos, tmp_path: Path) -> None:
    run(photos, tmp_path, 10)
    assert run(photos, tmp_path, 10) == []


def test_seed_decides_the_network_and_leaves_the_global_generator_alone(photos: Photos) -> None:
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    first, again, other = task(photos), task(photos), task(photos, seed=8)
    assert torch.equal(torch.rand(1), expected)
    weight = "encoder.1.weight"
    assert torch.equal(first.network.state_dict()[weight], again.network.state_dict()[weight])
    assert not torch.equal(first.network.state_dict()[weight], other.network.state_dict()[weight])


def test_batches_are_crops_of_the_pictures(photos: Photos) -> None:
    batch = photos.batch(6, generator=step_generator(1, 0))
    assert batch.shape == (6, 3, 32, 32)
    assert 0 <= float(batch.min()) <= float(batch.max()) <= 1
    one = Photos(
        (
            torch.arange(32 * 32 * 3, dtype=torch.int64)
            .remainder(251)
            .to(torch.uint8)
            .reshape(32, 32, 3),
        ),
        32,
    )
    crop = one.batch(1, generator=step_generator(1, 1))[0].mul(255).round().to(torch.uint8)
    picture = one.pictures[0].movedim(-1, 0)
    assert torch.equal(crop, picture) or torch.equal(crop, picture.flip(2))
    assert torch.equal(one.centres()[0].mul(255).round().to(torch.uint8), picture)


def test_folders_are_read_in_order_and_refused_when_unfit(tmp_path: Path) -> None:
    for name, shade in (("b.png", 200), ("a.png", 100)):
        PillowImage.new("RGB", (40, 36), (shade, 0, 0)).save(tmp_path / name)
    photos = Photos.read([tmp_path], crop=32)
    assert [int(p[0, 0, 0]) for p in photos.pictures] == [100, 200]
    with pytest.raises(
        ValueError, match=r"at least 37 pixels wide and high, got .*a\.png of 40 x 36"
    ):
        Photos.read([tmp_path], crop=37)
    with pytest.raises(ValueError, match=r"must hold pictures, got .*empty"):
        Photos.read([tmp_path / "empty"], crop=8)


def test_schedule_refuses_counts_that_never_come_round() -> None:
    with pytest.raises(ValueError, match="report_every must be at least 1, got 0"):
        Schedule(10, 1, report_every=0)
