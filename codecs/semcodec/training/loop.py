"""The training loop: what every system is trained with.

A run is a folder: ``log.jsonl`` (a line per report and validation), ``checkpoint.pt`` (everything
needed to go on), ``best.safetensors`` (the weights with the least validation loss so far, or the
latest ones). Killed at any moment, the same call goes on from the last checkpoint and ends with the
same weights as an uninterrupted run: each step draws from a generator of its own, seeded by
(seed, step). Several processes may train together (`semcodec.training.ranks`); the first one reads
and writes the folder and validates.
"""

import json
import math
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import torch

from semcodec.training.ranks import ALONE, Ranks


class Task(Protocol):
    """What is trained: networks, optimisers and data behind five verbs."""

    def train_step(self, *, progress: float, generator: torch.Generator) -> Mapping[str, float]:
        """One optimiser step, ``progress`` in [0, 1) through the schedule; values for the log."""
        ...

    def validate(self) -> Mapping[str, float]:
        """Measurements on held-out data; ``loss`` decides which weights are the best."""
        ...

    def export(self, path: Path, *, training: Mapping[str, Any]) -> None:
        """Write the weights that a codec loads."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """Everything that changes while training."""
        ...

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """The inverse of `state_dict`."""
        ...


@dataclass(frozen=True)
class Schedule:
    """How long to train, and how often to look up.

    Attributes:
        steps: Optimiser steps in all.
        seed: Seed of every draw.
        report_every: Steps between lines of training values.
        validate_every: Steps between validations.
        checkpoint_minutes: Time between checkpoints; one is also written at the end.
        keep: Which weights are written: the best of the validations, those of the last step, or
            at every validation the latest.
    """

    steps: int
    seed: int
    report_every: int = 50
    validate_every: int = 500
    checkpoint_minutes: float = 5.0
    keep: Literal["best", "last", "latest"] = "best"

    def __post_init__(self) -> None:
        """Refuse counts that never come round."""
        for name in ("steps", "report_every", "validate_every"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")


def step_generator(seed: int, step: int) -> torch.Generator:
    """The generator of one step."""
    return torch.Generator().manual_seed((seed * 1_000_003 + step) % 2**32)


def train(
    task: Task,
    schedule: Schedule,
    *,
    folder: Path,
    training: Mapping[str, Any],
    report: Callable[[int, Mapping[str, float]], None],
    ranks: Ranks = ALONE,
) -> float:
    """Train, or go on training, in ``folder``; return the least validation loss.

    Args:
        task: Networks and data, freshly built.
        schedule: Length, seed and intervals.
        folder: The run; made if absent, resumed if it holds a checkpoint.
        training: What the exported weights shall say of their training.
        report: Called with (step, values) whenever a line is logged, on the first rank.
        ranks: The processes that train together; the task must know of them too.
    """
    if ranks.first:
        folder.mkdir(parents=True, exist_ok=True)
    checkpoint = folder / "checkpoint.pt"
    state = ranks.from_first(lambda: _begin(task, checkpoint, ranks))
    if state["task"] is not None:
        task.load_state_dict(state["task"])
    step: int = state["step"]
    best: float = state["best"]
    sums: dict[str, tuple[float, int]] = state.get("sums", {})  # since the last report: sum, number
    saved_at = time.monotonic()
    with (folder / "log.jsonl").open("a", buffering=1) if ranks.first else nullcontext() as log:

        def note(values: Mapping[str, float]) -> None:
            if log is not None:
                log.write(json.dumps({"step": step, **values}) + "\n")
                report(step, values)

        while step < schedule.steps:
            generator = step_generator(schedule.seed, step)
            values = task.train_step(progress=step / schedule.steps, generator=generator)
            step += 1
            for name, value in ranks.mean_values(values).items():
                total, count = sums.get(name, (0.0, 0))
                sums[name] = total + value, count + 1
            if step % schedule.report_every == 0:
                note({name: total / count for name, (total, count) in sums.items()})
                sums = {}
            if step % schedule.validate_every == 0 or step == schedule.steps:
                measured = ranks.from_first(task.validate)
                note({f"validation_{name}": value for name, value in measured.items()})
                better = measured["loss"] < best
                best = min(best, measured["loss"])
                wanted = {"best": better, "last": step == schedule.steps, "latest": True}
                if wanted[schedule.keep] and ranks.first:
                    facts = {**training, "step": step, **measured}
                    task.export(folder / "best.safetensors", training=facts)
            overdue = time.monotonic() - saved_at > 60 * schedule.checkpoint_minutes
            if ranks.first and (overdue or step == schedule.steps):
                partial = checkpoint.with_suffix(".partial")
                state = {"task": task.state_dict(), "step": step, "best": best, "sums": sums}
                torch.save(state, partial)
                partial.replace(checkpoint)
                saved_at = time.monotonic()
    return ranks.from_first(lambda: best)  # and so no rank leaves before everything is written


def _begin(task: Task, checkpoint: Path, ranks: Ranks) -> dict[str, Any]:
    """Where a run stands; ``task`` is None where a single process begins with what it has."""
    if checkpoint.exists():
        found: dict[str, Any] = torch.load(checkpoint, weights_only=True)
        return found
    return {"task": task.state_dict() if ranks.size > 1 else None, "step": 0, "best": math.inf}
