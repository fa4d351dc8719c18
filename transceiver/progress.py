"""A progress bar that shows itself only on a terminal, and only for what takes over two seconds."""

import time
from types import TracebackType

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

_PATIENCE_S = 2.0


def compiling(kernel: str) -> str:
    """What is said while a kernel is compiled, which takes seconds the first time only.

    >>> compiling("decode")
    'compiling decode (once; kept for later runs)'
    """
    return f"compiling {kernel} (once; kept for later runs)"


class _Rate(ProgressColumn):
    """Units per second since the bar began."""

    def render(self, task: Task) -> Text:
        units, seconds = task.fields["units"], time.monotonic() - task.fields["began"]
        return Text(f"{units / max(seconds, 1e-9):.1f}/s", style="progress.data.speed")


class Bar:
    """Call it after each unit with a label and the fraction that is done."""

    def __init__(self, console: Console) -> None:
        """Draw on ``console`` if it is a terminal."""
        self._console = console
        self._began = time.monotonic()
        self._units = 0
        self._progress: Progress | None = None

    def __enter__(self) -> "Bar":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._progress:
            self._progress.stop()

    def __call__(self, label: str, fraction: float) -> None:
        """Note that a unit is done."""
        self._units += 1
        if not self._console.is_terminal:
            return
        if self._progress is None:
            if time.monotonic() - self._began < _PATIENCE_S:
                return
            self._progress = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                TaskProgressColumn(),
                _Rate(),
                TimeElapsedColumn(),
                TimeRemainingColumn(),
                console=self._console,
                transient=True,
            )
            self._progress.start()
            self._task = self._progress.add_task(label, total=1.0, units=0, began=self._began)
        self._progress.update(self._task, description=label, completed=fraction, units=self._units)
