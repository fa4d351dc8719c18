"""Who hears of the lines of a training's log."""

from collections.abc import Callable, Mapping
from typing import TypeAlias

Report: TypeAlias = Callable[[int, Mapping[str, float]], None]
"""Called with the step and its values."""
