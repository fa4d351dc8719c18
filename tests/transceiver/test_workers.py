"""Worker processes: all answers come whatever dies, and what cannot be done is said."""

import importlib
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from transceiver.workers import Crew, Job, WorkerError

MODULE = '''
import os, signal, sys, time
from dataclasses import dataclass
from pathlib import Path

class TwoArguments(Exception):
    def __init__(self, first, second):
        super().__init__(first)

@dataclass(frozen=True)
class Task:
    """Squares numbers; the other orders are for trouble."""
    folder: str
    def open(self, say):
        if (Path(self.folder) / "locked").exists():
            raise PermissionError("locked must not exist, got a file")
        say(f"opened by {os.getpid()}")
        def work(order):
            kind, value = order
            mark = Path(self.folder) / f"mark{value}"
            if kind == "once" and not mark.exists():
                mark.touch()
                os.kill(os.getpid(), signal.SIGKILL)
            if kind == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            if kind == "exit":
                os._exit(3)
            if kind == "memory":
                raise MemoryError
            if kind == "torch":
                raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried ...")
            if kind == "bad":
                raise ValueError(f"value must be even, got {value}")
            if kind == "odd":
                raise TwoArguments("first", "second")
            if kind == "sleep":
                time.sleep(value)
            return os.getpid(), value * value
        return work

def parent(folder):
    """For a process of its own: workers that sleep until something happens."""
    from transceiver.workers import Crew, Job
    jobs = iter([Job("long", ("sleep", 100))] * 2)
    say = lambda text: print(text, flush=True)
    Crew(Task(folder), 2, say).work_off(lambda _: next(jobs, None), lambda *_: None)
'''


@pytest.fixture
def task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A task that fresh processes can import."""
    (tmp_path / "trouble_task.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module("trouble_task").Task(str(tmp_path))
    sys.modules.pop("trouble_task")
    assert multiprocessing.active_children() == []


def _do(task: Any, orders: list[tuple[str, int]], jobs: int) -> tuple[dict[str, Any], list[str]]:
    """The answers by the names of the jobs, also where the last of them raises."""
    answers: dict[str, Any] = {}
    said: list[str] = []
    pending = iter([Job(f"{kind} {value}", (kind, value)) for kind, value in orders])
    crew: Crew[Any, Any] = Crew(task, jobs, said.append)
    try:
        crew.work_off(
            lambda _: next(pending, None), lambda job, answer: answers.update({job.name: answer})
        )
    finally:
        task_answers.clear()
        task_answers.update(answers)
    return answers, said


task_answers: dict[str, Any] = {}
"""What had come when an error was raised."""


@pytest.mark.parametrize("jobs", [1, 3])
def test_every_order_is_answered_by_processes_of_their_own(task: Any, jobs: int) -> None:
    answers, said = _do(task, [("square", i) for i in range(20)], jobs)
    assert {name: value for name, (_, value) in answers.items()} == {
        f"square {i}": i * i for i in range(20)
    }
    processes = {process for process, _ in answers.values()}
    assert 1 <= len(processes) <= jobs
    assert os.getpid() not in processes
    assert len(said) <= jobs
    assert {f"opened by {process}" for process in processes} <= set(said)


def test_no_process_without_work(task: Any) -> None:
    assert _do(task, [], 2) == ({}, [])
    _, said = _do(task, [("square", 1)], 3)
    assert len(said) == 1


def test_jobs_that_wait_for_others_are_done(task: Any) -> None:
    """The second job is there once the first is done, and then both workers are asked again."""
    ready, names = [Job("first", ("square", 1))], []

    def done(job: Job[Any], _: Any) -> None:
        names.append(job.name)
        if job.name == "first":
            ready.extend(Job(f"then {i}", ("square", i)) for i in range(3))

    crew: Crew[Any, Any] = Crew(task, 2, lambda _: None)
    crew.work_off(lambda _: ready.pop(0) if ready else None, done)
    assert sorted(names) == ["first", "then 0", "then 1", "then 2"]


def test_the_work_of_a_dead_worker_is_done_by_another(task: Any) -> None:
    orders = [("square", 1), ("once", 2), ("square", 3), ("once", 4)]
    answers, said = _do(task, orders, 2)
    assert {name: value for name, (_, value) in answers.items()} == {
        "square 1": 1, "once 2": 4, "square 3": 9, "once 4": 16,
    }  # fmt: skip
    deaths = sorted(line for line in said if not line.startswith("opened"))
    assert deaths == [
        f"once {i}: its worker died (killed by SIGKILL, perhaps for want of memory); "
        "given to a new one"
        for i in (2, 4)
    ]


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("kill", "killed by SIGKILL, perhaps for want of memory"),
        ("exit", "exit code 3"),
        ("memory", "out of memory"),
        ("torch", "out of memory"),
    ],
)
def test_an_order_that_kills_two_workers_is_refused(task: Any, kind: str, reason: str) -> None:
    with pytest.raises(WorkerError) as error:
        _do(task, [("square", 5), (kind, 1)], 1)
    assert str(error.value) == (
        f"{kind} 1: two workers died over it, the last one: {reason}; "
        "what is done is kept; fewer --jobs or a smaller --batch take less memory"
    )
    assert task_answers["square 5"][1] == 25


def test_what_a_worker_raises_is_raised(task: Any, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="value must be even, got 3") as error:
        _do(task, [("bad", 3)], 2)
    assert "in a worker:\n" in error.value.__notes__[0]
    assert "trouble_task.py" in error.value.__notes__[0]
    with pytest.raises(RuntimeError, match="TwoArguments: first"):
        _do(task, [("odd", 1)], 1)
    (tmp_path / "locked").touch()
    with pytest.raises(PermissionError, match="locked must not exist"):
        _do(task, [("square", 1)], 1)


def _parent(folder: Path) -> "tuple[subprocess.Popen[str], list[int]]":
    """A process with two workers in a group of their own, and the workers' ids."""
    code = f"import trouble_task; trouble_task.parent({str(folder)!r})"
    paths = os.pathsep.join([str(folder), *filter(None, sys.path)])
    process = subprocess.Popen(
        [sys.executable, "-c", code], env=os.environ | {"PYTHONPATH": paths}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip
    assert process.stdout is not None
    return process, [int(process.stdout.readline().split()[-1]) for _ in range(2)]


def _wait_until_gone(workers: list[int]) -> None:
    until = time.monotonic() + 60
    while not all(_is_gone(w) for w in workers) and time.monotonic() < until:
        time.sleep(0.01)
    assert all(_is_gone(w) for w in workers)


def _is_gone(worker: int) -> bool:
    """Ended; whoever inherited it may not have looked yet."""
    try:
        state = Path(f"/proc/{worker}/stat").read_text().rpartition(")")[2].split()[0]
    except (ProcessLookupError, FileNotFoundError):
        return True
    return state == "Z"


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc")
def test_an_interrupt_ends_workers_without_a_word_of_theirs(task: Any) -> None:
    """As a terminal does, the whole group is interrupted."""
    process, workers = _parent(Path(task.folder))
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert errors.count("Traceback") == errors.count("KeyboardInterrupt") == 1
    _wait_until_gone(workers)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc")
def test_workers_end_when_the_parent_is_killed(task: Any) -> None:
    """In the middle of their work, and the pipes that they shared with it are closed."""
    process, workers = _parent(Path(task.folder))
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    _wait_until_gone(workers)
