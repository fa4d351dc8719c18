"""Two processes that share every batch train as one does, whatever the whole batch decides.

The processes are those of ``python test_ranks.py FOLDER``, connected over gloo. Batches are of four
pictures, so that each process has two.
"""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import torch
from skimage import data
from torch import Tensor, nn

from semcodec.photo.moc_rvq import MocRvqConfig
from semcodec.photo.noise_reduction import NoiseReductionConfig
from semcodec.photo.unet_jscc import UNetJsccConfig, UNetJsccNetwork
from semcodec.photo.unet_jscc_codec import MODEL as UNET_JSCC
from semcodec.photo.vq_deepsc import VqDeepScConfig
from semcodec.photo.vqgan import VqganConfig
from semcodec.system32.entropy_constrained import EntropyConstrained
from semcodec.system32.grounded import Grounded
from semcodec.system32.learned_flips import FlipRange, LearnedFlips
from semcodec.system32.system import SystemConfig
from semcodec.training.analog_subject import AnalogSubject
from semcodec.training.loop import Schedule, Task, train
from semcodec.training.moc_rvq_subject import MocRvqSubject
from semcodec.training.noise_reduction_subject import NoiseReductionSubject
from semcodec.training.photo_task import PhotoTask, PhotoTraining, Subject
from semcodec.training.photos import Photos
from semcodec.training.picture_loss import PictureLoss
from semcodec.training.rank_norm import RankBatchNorm, share_batch_norm
from semcodec.training.ranks import ALONE, Ranks, RanksError, connected, launched
from semcodec.training.system32_task import SystemTask, SystemTraining
from semcodec.training.vq_deepsc_subject import VqDeepScSubject
from semcodec.training.vqvae_task import VqVaeTask, VqVaeTraining
from semcodec.vq.vqvae import VqVaeConfig

STEPS = 8
PHOTOS = Photos((torch.from_numpy(data.astronaut()), torch.from_numpy(data.coffee().copy())), 32)


def _vqvae(folder: Path, ranks: Ranks) -> Task:  # noqa: ARG001
    return VqVaeTask(
        VqVaeConfig(16, 4, (8, 8, 16), (1, 1), (1, 1, 1)),
        VqVaeTraining(batch=4, learning_rate=3e-3, codebook_start=0.2, revive_every=2),
        train=PHOTOS,
        validation=PHOTOS,
        seed=7,
        ranks=ranks,
    )


def _photo(subject: Subject, ranks: Ranks, *, adversarial: float = 0.0) -> Task:
    training = PhotoTraining(
        batch=4,
        learning_rate=3e-3,
        average=0.9,
        adversarial=adversarial,
        discriminator_rate=1e-3,
        discriminator_width=1 / 16,
    )
    return PhotoTask(
        subject, PictureLoss(l1=1.0), training, train=PHOTOS, validation=PHOTOS, seed=3,
        ranks=ranks,
    )  # fmt: skip


def _vq_deepsc(folder: Path, ranks: Ranks) -> Task:  # noqa: ARG001
    """Batch normalisation in network and discriminator, codebooks of three scales."""
    subject = VqDeepScSubject(VqDeepScConfig((0, 8, 4, 2), 1 / 32), quantize_from=0.2, seed=3)
    return _photo(subject, ranks, adversarial=0.1)


MOC = MocRvqConfig(VqganConfig(width=8, latent_channels=8), levels=2)


def _moc_rvq(folder: Path, ranks: Ranks) -> Task:  # noqa: ARG001
    return _photo(MocRvqSubject(MOC, quantize_from=0.2, seed=3), ranks)


def _noise_reduction(folder: Path, ranks: Ranks) -> Task:
    subject = NoiseReductionSubject(
        start=folder / "start.safetensors",
        block=NoiseReductionConfig(channels=8, width=8, depth=1, layers=2, heads=2, window=4),
        labels=torch.tensor([0, 1, 3, 2, 6, 7, 5, 4]),
        reorder=True,
        fewer_levels=0.5,
        seed=4,
    )
    return _photo(subject, ranks)


def _analog(folder: Path, ranks: Ranks) -> Task:  # noqa: ARG001
    config = UNetJsccConfig((0, 1, 3, 4), 1 / 32)
    subject = AnalogSubject(
        lambda: UNetJsccNetwork(config), model=UNET_JSCC, esn0_db=(0.0, 9.0), seed=3
    )
    return _photo(subject, ranks)


def _system(make: Callable[[], nn.Module], codebooks: int, ranks: Ranks) -> Task:
    smooth = torch.rand(40, 3, 4, 4, generator=torch.Generator().manual_seed(1))
    pictures = nn.functional.interpolate(smooth, scale_factor=4, mode="bilinear").mul(255).byte()
    return SystemTask(
        SystemConfig(8, 4, 4, 4, codebooks, bounded=False, trained_as="any"),
        make,
        SystemTraining(batch=4, learning_rate=4e-3, reconstruction_weight=16.0),
        pictures=pictures[:32],
        held_out=pictures[32:],
        seed=2,
        ranks=ranks,
    )


def _learned_flips(folder: Path, ranks: Ranks) -> Task:  # noqa: ARG001
    """Noise of every index; the second codebook joins half-way."""
    ranges = [FlipRange(0.001, 0.1), FlipRange(0.02, 1.0)]
    return _system(partial(LearnedFlips, ranges, bits=4, dimension=4, cells=16), 2, ranks)


def _grounded(folder: Path, ranks: Ranks) -> Task:  # noqa: ARG001
    """The entropy of the indices in a batch is no mean over its pictures."""
    make = partial(
        Grounded, bits=4, dimension=4, cells=16, flip=0.05, entropy_weight=0.5, channel_weight=0.5
    )
    return _system(make, 1, ranks)


def _entropy_constrained(folder: Path, ranks: Ranks) -> Task:  # noqa: ARG001
    return _system(partial(EntropyConstrained, bits=4, dimension=4, nu=0.01), 1, ranks)


TASKS = {
    "vqvae": _vqvae,
    "vq_deepsc": _vq_deepsc,
    "moc_rvq": _moc_rvq,
    "noise_reduction": _noise_reduction,
    "analog": _analog,
    "learned_flips": _learned_flips,
    "grounded": _grounded,
    "entropy_constrained": _entropy_constrained,
}


def _train_all(folder: Path, out: Path, ranks: Ranks) -> None:
    """All tasks; each rank keeps the state that it ends with."""
    schedule = Schedule(STEPS, seed=7, report_every=1, validate_every=4, keep="latest")
    for name, make in TASKS.items():
        task = make(folder, ranks)
        train(task, schedule, folder=out / name, training={}, report=lambda *_: None, ranks=ranks)
        torch.save(task.state_dict(), out / f"{name}-{ranks.rank}.pt")


def _processes(folder: Path, size: int) -> list["subprocess.Popen[str]"]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shared = {
        "WORLD_SIZE": str(size),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    return [
        subprocess.Popen(
            [sys.executable, __file__, str(folder)],
            env={**os.environ, **shared, "RANK": str(rank)},
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(size)
    ]  # fmt: skip


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``alone`` and ``together``."""
    folder = tmp_path_factory.mktemp("ranks")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    start = _moc_rvq(folder, ALONE)
    start.export(folder / "start.safetensors", training={})
    (folder / "together").mkdir()
    both = _processes(folder, 2)
    (folder / "alone").mkdir()
    _train_all(folder, folder / "alone", ALONE)
    torch.set_num_threads(before)
    for process in both:
        _, error = process.communicate()
        assert process.returncode == 0, error
    return folder


def _log(folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def _tensors(state: object, name: str = "") -> dict[str, Tensor]:
    """The floating-point tensors within a state, by their places."""
    if isinstance(state, Tensor):
        return {name: state} if state.is_floating_point() else {}
    found: dict[str, Tensor] = {}
    if isinstance(state, dict):
        for key, value in state.items():
            found |= _tensors(value, f"{name}.{key}")
    return found


@pytest.mark.parametrize("name", TASKS)
def test_two_ranks_log_what_one_process_logs(name: str, trained: Path) -> None:
    alone, together = _log(trained / "alone" / name), _log(trained / "together" / name)
    assert len(alone) == STEPS + STEPS // 4
    for one, two in zip(alone, together, strict=True):
        for key, value in one.items():  # an index that flips is a whole cell of a few
            rel = 0.05 if "perplexity" in key else 2e-3
            assert two[key] == pytest.approx(value, rel=rel, abs=1e-5), key
    assert together[0] == pytest.approx(alone[0], rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("name", TASKS)
def test_both_ranks_end_with_the_same_weights(name: str, trained: Path) -> None:
    """With the same optimisers, codebooks and running means too; they have moved."""
    first, second = (
        _tensors(torch.load(trained / "together" / f"{name}-{rank}.pt")) for rank in (0, 1)
    )
    assert list(first) == list(second)
    for key, tensor in first.items():
        assert torch.equal(tensor, second[key]), key
    alone = _tensors(torch.load(trained / "alone" / f"{name}-0.pt"))
    for key, tensor in first.items():
        if "optimizer" not in key:
            assert torch.allclose(tensor, alone[key], rtol=1e-2, atol=2e-3), key
    assert (trained / "together" / name / "best.safetensors").is_file()


def test_one_process_is_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.delenv(name, raising=False)
    assert launched() == ALONE
    for name, value in (("RANK", "1"), ("WORLD_SIZE", "4"), ("MASTER_ADDR", "a")):
        monkeypatch.setenv(name, value)
    assert launched() == ALONE
    monkeypatch.setenv("MASTER_PORT", "1")
    assert launched() == Ranks(1, 4)
    network = nn.Sequential(nn.BatchNorm2d(2))
    share_batch_norm(network, ALONE)
    assert type(network[0]) is nn.BatchNorm2d
    with connected(ALONE):
        assert not torch.distributed.is_initialized()


def test_a_lost_process_is_one_line_and_other_errors_are_not_hidden(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.distributed, "init_process_group", lambda _: None)
    line = r"^rank 1 must reach all 2 processes .* last checkpoint$"
    with pytest.raises(RanksError, match=line), connected(Ranks(1, 2)):
        raise RuntimeError("[gloo/transport/tcp/pair.cc:538] Connection closed by peer")
    with pytest.raises(RuntimeError, match="shapes"), connected(Ranks(1, 2)):
        raise RuntimeError("shapes differ")


def test_shared_batch_norm_is_torchs_own_for_one_batch() -> None:
    """The arithmetic, with the messages between ranks left out."""
    generator = torch.Generator().manual_seed(1)
    plain = nn.BatchNorm2d(3)
    with torch.no_grad():
        plain.weight.uniform_(0.5, 2, generator=generator)
        plain.bias.uniform_(-1, 1, generator=generator)
    shared = RankBatchNorm(3)
    shared.load_state_dict(plain.state_dict())
    shared.ranks = ALONE
    for _ in range(2):
        x = torch.randn(4, 3, 5, 5, generator=generator) * 2 + 1
        inputs = [x.clone().requires_grad_(), x.clone().requires_grad_()]
        outputs = [plain(inputs[0]), shared(inputs[1])]
        assert torch.allclose(outputs[0], outputs[1], atol=1e-5)
        for output in outputs:
            output.pow(3).sum().backward()
        assert torch.allclose(inputs[0].grad, inputs[1].grad, rtol=1e-3, atol=1e-3)  # type: ignore[arg-type]
    for name, tensor in plain.state_dict().items():
        assert torch.allclose(tensor, shared.state_dict()[name], atol=1e-5), name
    assert torch.allclose(plain.eval()(x), shared.eval()(x), atol=1e-5)


if __name__ == "__main__":
    torch.set_num_threads(1)
    here = launched()
    with connected(here):
        _train_all(Path(sys.argv[1]), Path(sys.argv[1]) / "together", here)
