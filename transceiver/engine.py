"""Where the workers of a run are: processes of this machine, or those of a cluster.

What workers do (`transceiver.workers.Task`), how their work is cut and who writes what comes of it
is the same for all engines, and so are the rows.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

from transceiver.workers import Crew, Job, Task

Order = TypeVar("Order")
Answer = TypeVar("Answer")
_AnswerOut = TypeVar("_AnswerOut", covariant=True)


class Workers(Protocol[Order, _AnswerOut]):
    """Workers that are started when there is something to do."""

    def work_off(
        self,
        take: Callable[[int], Job[Order] | None],
        done: Callable[[Job[Order], _AnswerOut], None],
    ) -> None:
        """Have jobs done until there are none; no worker is left when this returns.

        Args:
            take: The next job for a worker, known by its number from 0; None if there is none
                before another one is done.
            done: Gets each job with its answer, as they come.

        Raises:
            WorkerError: Two workers died over the same job, or none can begin.
            Exception: What a worker's task raised.
        """
        ...


class Engine(Protocol):
    """Hires workers."""

    @property
    def jobs(self) -> int:
        """How many there are at most."""
        ...

    @property
    def threads(self) -> int:
        """Of torch, in each of them."""
        ...

    def hire(self, task: Task[Order, Answer], say: Callable[[str], None]) -> Workers[Order, Answer]:
        """Workers for a task; ``say`` takes lines for the user."""
        ...


@dataclass(frozen=True)
class Processes:
    """Processes of this machine."""

    jobs: int
    threads: int

    def __post_init__(self) -> None:
        """Refuse numbers below one."""
        for name in ("jobs", "threads"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")

    def hire(self, task: Task[Order, Answer], say: Callable[[str], None]) -> Workers[Order, Answer]:
        """See `Engine`."""
        return Crew(task, self.jobs, say)
