"""A training step of one process, and of several that share its batch.

    OMP_NUM_THREADS=1 python benchmarks/bench_ranks.py
    torchrun --nproc-per-node 2 benchmarks/bench_ranks.py

The system for 32x32 pictures at the width and batch of `recipes/cifar`, with plain VQ and with the
five codebooks of ESC-MVQ, on noise. The least and the median time of 20 steps, and of the message
that averages the gradients alone. A machine with fewer free cores than processes shows nothing.
"""

import statistics
import time
from collections.abc import Callable
from functools import partial

import torch
from torch import nn

from semcodec.system32.learned_flips import LEAST_FLIP, REGULARIZATION, FlipRange, LearnedFlips
from semcodec.system32.plain import Plain
from semcodec.system32.system import SystemConfig
from semcodec.training.loop import step_generator
from semcodec.training.ranks import Ranks, connected, launched
from semcodec.training.system32_task import SystemTask, SystemTraining

STEPS = 20


def task(name: str, ranks: Ranks) -> SystemTask:
    """By the name of the quantiser."""
    pictures = torch.randint(256, (256, 3, 32, 32), generator=step_generator(1, 0)).byte()
    ranges = [FlipRange(*pair) for pair in zip(LEAST_FLIP, REGULARIZATION, strict=True)]
    make: Callable[[], nn.Module] = {
        "plain": partial(Plain, bits=9, dimension=4),
        "ESC-MVQ": partial(LearnedFlips, ranges, bits=9, dimension=4, cells=64),
    }[name]
    books = 5 if name == "ESC-MVQ" else 1
    config = SystemConfig(64, 4, 4, 9, books, bounded=False, trained_as=name)
    return SystemTask(
        config, make, SystemTraining(batch=64), pictures=pictures, held_out=pictures, seed=1,
        ranks=ranks,
    )  # fmt: skip


def timed(work: Callable[[int], object]) -> str:
    """Of `STEPS` calls after a first one."""
    times = []
    for step in range(STEPS + 1):
        began = time.perf_counter()
        work(step)
        times.append(1e3 * (time.perf_counter() - began))
    return f"least {min(times[1:]):7.1f} ms, median {statistics.median(times[1:]):7.1f} ms"


def main() -> None:
    """Print from the first rank."""
    ranks = launched()
    with connected(ranks):
        for name in ("plain", "ESC-MVQ"):
            trained = task(name, ranks)
            step = partial(trained.train_step, progress=0.99)
            trained.train_step(progress=0.99, generator=step_generator(1, 0))
            found = timed(lambda i, step=step: step(generator=step_generator(1, i)))
            message = timed(lambda _, t=trained: ranks.average_gradients(t.backbone.parameters()))
            if ranks.first:
                print(f"{ranks.size} x {name:8s} step: {found}; gradients: {message}", flush=True)


if __name__ == "__main__":
    main()
