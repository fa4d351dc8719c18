"""Taps: look at what passes between two stages without changing it."""

import time
from collections.abc import Sequence
from typing import Protocol

from torch import Tensor


class Tap(Protocol):
    """Called after each stage with its name and its output, one tensor for each frame."""

    def __call__(self, name: str, frames: Sequence[Tensor]) -> None:
        """Observe; never modify."""
        ...


def no_tap(name: str, frames: Sequence[Tensor]) -> None:
    """Observe nothing."""


class Recorder:
    """Keep what passes, and the time since the stage before.

    Attributes:
        frames: By tap name, a tensor for each frame of the batch.
        seconds: By tap name, what the stage that ends there took.
    """

    def __init__(self) -> None:
        """Start the clock."""
        self.frames: dict[str, Sequence[Tensor]] = {}
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def __call__(self, name: str, frames: Sequence[Tensor]) -> None:
        """Keep references; nothing is copied or changed."""
        now = time.perf_counter()
        self.frames[name] = frames
        self.seconds[name] = now - self._last
        self._last = now
