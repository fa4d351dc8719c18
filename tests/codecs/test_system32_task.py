"""Training of the systems for small pictures: a few dozen steps of each quantiser."""

import json
from collections.abc import Callable, Mapping
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from semcodec.errors import WeightsError
from semcodec.system32.codec import SystemCodec
from semcodec.system32.entropy_constrained import EntropyConstrained
from semcodec.system32.fixed_flips import FixedFlips
from semcodec.system32.gaussian import Gaussian
from semcodec.system32.grounded import Grounded
from semcodec.system32.learned_flips import FlipRange, LearnedFlips
from semcodec.system32.plain import Plain
from semcodec.system32.subvectors import split
from semcodec.system32.system import SystemConfig, load_system
from semcodec.system32.uniform import UniformFixedFlips, UniformLearnedFlips
from semcodec.training.loop import Schedule, train
from semcodec.training.system32_task import SystemTask, SystemTraining, initial_backbone

RANGES = [FlipRange(0.001, 0.125), FlipRange(0.02, 0.25)]
QUANTIZERS: dict[str, tuple[int, Callable[[int], nn.Module]]] = {
    "gaussian": (4, lambda _: Gaussian(dimension=4, deviation=0.1, power_weight=0.01)),
    "plain": (4, lambda _: Plain(bits=4, dimension=4)),
    "fixed_flips": (4, lambda n: FixedFlips(bits=4, dimension=4, cells=n, flip=0.02)),
    "learned_flips": (4, lambda n: LearnedFlips(RANGES, bits=4, dimension=4, cells=n)),
    "grounded": (4, lambda n: Grounded(bits=4, dimension=4, cells=n, flip=0.02,
                                       entropy_weight=0.001, channel_weight=0.01)),
    "entropy_constrained": (4, lambda _: EntropyConstrained(bits=4, dimension=4, nu=0.001)),
    "uniform_fixed_flips": (1, lambda n: UniformFixedFlips(bits=3, cells=n, flip=0.02)),
    "uniform_learned_flips": (1, lambda n: UniformLearnedFlips(bits=3, cells=n, flips=RANGES[0])),
}  # fmt: skip


def smooth_pictures(count: int, height: int, width: int, *, seed: int = 1) -> Tensor:
    """Grey, dark or bright with slow changes, uint8 ``[count, 3, height, width]``."""
    generator = torch.Generator().manual_seed(seed)
    bright = torch.rand(count, 1, 1, 1, generator=generator).round()
    coarse = 0.6 * bright + 0.4 * torch.rand(count, 1, 2, 2, generator=generator)
    fine = F.interpolate(coarse, (height, width), mode="bilinear", align_corners=True)
    return (255 * fine).round().to(torch.uint8).expand(-1, 3, -1, -1).contiguous()


def _task(name: str, *, height: int = 8, width: int = 8, seed: int = 7, **more: Any) -> SystemTask:
    dimension, make = QUANTIZERS[name]
    uniform = name.startswith("uniform")
    config = SystemConfig(
        width=8,
        latent_channels=4,
        dimension=dimension,
        bits_per_index=3 if uniform else 4,
        codebooks=len(RANGES) if name == "learned_flips" else 1,
        bounded=uniform,
        trained_as=name,
    )
    cells = height * width // 16 * config.per_cell
    return SystemTask(
        config,
        partial(make, cells),
        SystemTraining(batch=8, learning_rate=4e-3, reconstruction_weight=50.0),
        pictures=smooth_pictures(64, height, width),
        held_out=smooth_pictures(10, height, width, seed=2),
        seed=seed,
        **more,
    )


def _run(
    task: SystemTask, folder: Path, steps: int, *, keep: Any = "last", stop_after: int | None = None
) -> list[dict[str, float]]:
    lines: list[dict[str, float]] = []

    def report(step: int, values: Mapping[str, float]) -> None:
        lines.append({"step": step, **values})
        if stop_after is not None and step >= stop_after:
            raise KeyboardInterrupt

    schedule = Schedule(
        steps, seed=7, report_every=5, validate_every=20, checkpoint_minutes=0.0, keep=keep
    )
    train(task, schedule, folder=folder, training={"pictures": 64}, report=report)
    return lines


def _stored(tensor: Tensor) -> Tensor:
    """Weight files hold half precision."""
    return tensor.detach().half().float()


@pytest.mark.parametrize("name", QUANTIZERS)
def test_the_loss_falls_and_the_weights_make_a_codec(name: str, tmp_path: Path) -> None:
    task = _task(name)
    lines = _run(task, tmp_path, 80)
    errors = [line["mse_0"] for line in lines if "mse_0" in line]
    assert errors[-1] < 0.75 * errors[0]
    validations = [line["validation_loss"] for line in lines if "validation_loss" in line]
    assert len(validations) == 4
    assert validations[-1] < validations[0]
    assert len((tmp_path / "log.jsonl").read_text().splitlines()) == len(lines)
    if name == "gaussian":  # a start for others, and no codec
        with pytest.raises(WeightsError, match=r"must have codewords \[1, 16, 4\]"):
            load_system(str(tmp_path / "best.safetensors"))
        return
    system, content = load_system(str(tmp_path / "best.safetensors"))
    assert system.config == task.config
    assert content.training["step"] == 80
    tables, parts = system.codebooks, task.quantizer
    assert torch.equal(tables.codewords, _stored(parts.codewords))
    for saved, trained in (
        (tables.rate_bias, parts.rate_bias()),
        (tables.flip_probability, parts.flip_probability()),
    ):
        assert (saved is None) == (trained is None)
        if saved is not None:
            assert torch.equal(saved, _stored(trained))
    assert (tables.distortion is None) == (tables.flip_probability is None)
    codec = SystemCodec.load(str(tmp_path / "best.safetensors"))
    pictures = smooth_pictures(10, 8, 8, seed=2)
    shown = torch.stack([codec.decode(codec.encode(p), 8, 8) for p in pictures])
    error = (shown.float() - pictures).square().mean() / 255**2
    if name != "learned_flips":  # there the loss is the last codebook's
        assert float(error) == pytest.approx(validations[-1], rel=0.1)
    flat = (pictures.float() - pictures.float().mean()).square().mean() / 255**2
    assert error < flat


@pytest.mark.parametrize(("height", "width"), [(32, 32), (16, 24)])
def test_pictures_of_other_sizes_train_too(height: int, width: int, tmp_path: Path) -> None:
    lines = _run(_task("learned_flips", height=height, width=width), tmp_path, 40)
    errors = [line["mse_0"] for line in lines if "mse_0" in line]
    assert errors[-1] < errors[0]
    tables = load_system(str(tmp_path / "best.safetensors"))[0].codebooks
    assert tables.distortion is not None
    assert tables.distortion.shape == (2, height * width // 16)


@pytest.mark.parametrize("name", ["learned_flips", "entropy_constrained", "uniform_learned_flips"])
def test_interrupted_training_ends_with_the_same_weights(name: str, tmp_path: Path) -> None:
    """Stopped before the second codebook joins, in the middle, and resumed."""
    whole = _run(_task(name), tmp_path / "whole", 40)
    with pytest.raises(KeyboardInterrupt):
        _run(_task(name), tmp_path / "parts", 40, stop_after=15)
    rest = _run(_task(name), tmp_path / "parts", 40)
    assert rest[-1] == pytest.approx(whole[-1], rel=1e-6)
    first, second = (
        load_system(str(tmp_path / f / "best.safetensors"))[0].tensors() for f in ("whole", "parts")
    )
    assert set(first) == set(second)
    for tensor_name, tensor in first.items():
        assert torch.equal(tensor, second[tensor_name]), tensor_name


def test_keep_says_which_weights_are_written(tmp_path: Path) -> None:
    """The last step's, or those of the least validation loss."""
    for keep in ("last", "best"):
        task = _task("plain")
        measured = iter([0.3, 0.1, 0.2])
        task.validate = lambda m=measured: {"loss": next(m)}  # type: ignore[method-assign, misc]
        _run(task, tmp_path / keep, 60, keep=keep)
        content = load_system(str(tmp_path / keep / "best.safetensors"))[1]
        assert content.training["step"] == {"last": 60, "best": 40}[keep]
        assert content.training["loss"] == {"last": 0.2, "best": 0.1}[keep]


def test_distortion_table_is_that_of_brute_force(tmp_path: Path) -> None:
    """Eq. 30 and 31: mean over pictures of sum_k p(k | sent) ||z - c_k||^2, by single bits."""
    task = _task("learned_flips")
    _run(task, tmp_path, 30)
    task.pictures = task.pictures[:5]
    with torch.no_grad():
        task.quantizer.logits += torch.randn(  # type: ignore[attr-defined]
            task.quantizer.flip_probability().shape, generator=torch.Generator().manual_seed(1)
        )
    task.export(tmp_path / "few.safetensors", training={})
    tables = load_system(str(tmp_path / "few.safetensors"))[0].codebooks
    with torch.no_grad():
        vectors = split(task.backbone.encode(task.pictures.float() / 255), 4).double()
    codewords = task.quantizer.codewords.detach().double()
    flips = task.quantizer.flip_probability()
    expected = torch.zeros(2, 4, dtype=torch.float64)
    counts = torch.zeros(2, 16)
    for v, picture, n in product(range(2), range(5), range(4)):
        squared = (vectors[picture, n] - codewords[v]).square().sum(1)
        sent, mu = int(squared.argmin()), flips[v, n].tolist()
        counts[v, sent] += 1
        for k in range(16):
            probability = 1.0
            for j in range(4):
                probability *= mu[j] if (sent ^ k) >> (3 - j) & 1 else 1 - mu[j]
            expected[v, n] += probability * squared[k] / 5
    assert torch.allclose(tables.distortion.double(), expected, rtol=1e-3, atol=1e-7)
    assert torch.allclose(tables.probability, _stored(counts / 20))


def test_training_goes_on_after_an_export(tmp_path: Path) -> None:
    task = _task("plain")
    generator = torch.Generator().manual_seed(1)
    task.train_step(progress=0.0, generator=generator)
    task.export(tmp_path / "w.safetensors", training={})
    before = {name: p.detach().clone() for name, p in task.backbone.named_parameters()}
    task.train_step(progress=0.1, generator=generator)
    for name, parameter in task.backbone.named_parameters():
        assert not torch.equal(parameter, before[name]), name


def test_validation_measures_every_codebook() -> None:
    task = _task("learned_flips")
    task.train_step(progress=0.9, generator=torch.Generator().manual_seed(1))
    measured = task.validate()
    for v in range(2):
        assert 0 <= measured[f"index_entropy_{v}"] <= 4
        mean = task.quantizer.flip_probability()[v].mean().item()  # type: ignore[union-attr]
        assert measured[f"mean_flip_{v}"] == pytest.approx(mean)
        assert measured[f"psnr_db_{v}"] > 0
    plain = _task("plain").validate()
    assert set(plain) == {"loss", "psnr_db_0", "index_entropy_0"}
    assert set(_task("gaussian").validate()) == {"loss", "psnr_db"}


def test_the_seed_decides_the_fresh_weights() -> None:
    state = torch.get_rng_state()
    first, again, other = (_task("plain", seed=s).state_dict() for s in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), state)
    for part, name in (("backbone", "encoder.0.weight"), ("quantizer", "codewords")):
        assert torch.equal(first[part][name], again[part][name])
        assert not torch.equal(first[part][name], other[part][name])


def test_a_training_begins_from_the_weights_of_another(tmp_path: Path) -> None:
    """All layers of the same shape are taken over; those beside other latents stay fresh."""
    task = _task("gaussian")
    task.export(tmp_path / "start.safetensors", training={})
    trained = {key: _stored(tensor) for key, tensor in task.backbone.state_dict().items()}
    for name in ("plain", "uniform_fixed_flips"):
        begun = _task(name, seed=99, start=tmp_path / "start.safetensors").backbone.state_dict()
        assert all(torch.equal(begun[key], tensor) for key, tensor in trained.items())
    config = SystemConfig(8, 2, 2, 4, 1, bounded=False, trained_as="plain")
    fewer = initial_backbone(config, seed=3, start=tmp_path / "start.safetensors").state_dict()
    fresh = initial_backbone(config, seed=3, start=None).state_dict()
    for key, tensor in fewer.items():
        taken = trained if tensor.shape == trained[key].shape else fresh
        assert torch.equal(tensor, taken[key]), key
    assert not torch.equal(fresh["encoder.0.weight"], trained["encoder.0.weight"])


def test_rates_fall_at_the_end() -> None:
    training = SystemTraining(decay=0.25)
    assert [training.factor(p) for p in (0.0, 0.5, 0.75)] == [1.0, 1.0, 1.0]
    assert training.factor(0.875) == pytest.approx(0.02 + 0.98 / 2)
    assert training.factor(1.0) == pytest.approx(0.02)
    assert SystemTraining(decay=0.0).factor(0.99) == 1.0
    task = _task("learned_flips")
    task.train_step(progress=0.99, generator=torch.Generator().manual_seed(1))
    slow, fast = (group["lr"] for group in task.optimizer.param_groups)
    assert slow == pytest.approx(4e-3 * task.training.factor(0.99))
    assert fast == pytest.approx(1e-2 * task.training.factor(0.99))


def test_the_log_is_what_was_reported(tmp_path: Path) -> None:
    lines = _run(_task("plain"), tmp_path, 10)
    assert [json.loads(x) for x in (tmp_path / "log.jsonl").read_text().splitlines()] == lines
