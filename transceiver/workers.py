"""Worker processes: orders out, answers back, and no harm done if one of them dies.

::

    parent                                     worker, a fresh process (`spawn`)
      |--- task, pickled ------------------------> |
      | <--------------------------------- ready --|
      |--- order --------------------------------> |  task.open, once; then the work
      | <-------- said | answered | refused -------|

The parent alone decides what is done next and keeps what comes of it. A worker that dies (killed,
out of memory) is replaced, and its order is given out once more.
"""

import os
import pickle
import signal
import threading
import traceback
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing import get_context, parent_process, resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any, Generic, Protocol, TypeAlias, TypeVar

Order = TypeVar("Order")
Answer = TypeVar("Answer")
_OrderIn = TypeVar("_OrderIn", contravariant=True)
_AnswerOut = TypeVar("_AnswerOut", covariant=True)

_OUT_OF_MEMORY = 71
"""Exit code of a worker that could not get memory."""

_PATIENCE_S = 10.0
"""How long a worker that was told to end may take."""


class WorkerError(Exception):
    """Two workers died over the same order."""


class Task(Protocol[_OrderIn, _AnswerOut]):
    """What workers do. It is pickled, as orders and answers are."""

    def open(self, say: Callable[[str], None]) -> Callable[[_OrderIn], _AnswerOut]:
        """Load what the work needs, in the worker; ``say`` brings a line to the parent."""
        ...


@dataclass(frozen=True)
class Job(Generic[Order]):
    """An order and its name, for the user's eyes."""

    name: str
    order: Order


@dataclass(frozen=True)
class _Ready:
    pass


@dataclass(frozen=True)
class _Said:
    text: str


@dataclass(frozen=True)
class _Answered:
    value: Any


@dataclass(frozen=True)
class _Refused:
    error: Exception


_Message: TypeAlias = _Ready | _Said | _Answered | _Refused


@dataclass
class _Worker(Generic[Order]):
    """A process and the job it has; the order is sent once the process is ready."""

    process: SpawnProcess
    connection: Connection
    job: Job[Order] | None = None
    ready: bool = False

    def give(self, job: Job[Order]) -> None:
        self.job = job
        if self.ready:
            self._send(job)

    def receive(self) -> _Message | None:
        """What the worker sends; None if it is dead."""
        try:
            message: _Message = pickle.loads(self.connection.recv_bytes())
        except (EOFError, OSError):
            return None
        if isinstance(message, _Ready) and self.job:
            self.ready = True
            self._send(self.job)
        return message

    def _send(self, job: Job[Order]) -> None:
        with suppress(OSError):  # it has died: `receive` will tell
            self.connection.send_bytes(pickle.dumps(job.order))

    def end(self) -> str:
        """End the process if it has not, and say how it ended."""
        self.process.join(0.2)
        if self.process.exitcode is None:
            self.process.terminate()
            self.process.join(_PATIENCE_S)
        if self.process.exitcode is None:
            self.process.kill()
            self.process.join()
        code = self.process.exitcode
        self.connection.close()
        self.process.close()
        if code == _OUT_OF_MEMORY:
            return "out of memory"
        if code is not None and code < 0:
            return f"killed by {signal.Signals(-code).name}, perhaps for want of memory"
        return f"exit code {code}"


@dataclass
class Crew(Generic[Order, Answer]):
    """Worker processes that are started when there is something to do.

    Attributes:
        task: What they do.
        jobs: How many there are at most.
        say: Takes lines for the user.
    """

    task: Task[Order, Answer]
    jobs: int
    say: Callable[[str], None]
    _workers: dict[int, _Worker[Order]] = field(default_factory=dict)
    _again: deque[Job[Order]] = field(default_factory=deque)
    _died: set[int] = field(default_factory=set)
    """Identities of jobs that are not done yet and over which a worker died."""

    def work_off(
        self,
        take: Callable[[int], Job[Order] | None],
        done: Callable[[Job[Order], Answer], None],
    ) -> None:
        """See `transceiver.engine.Workers`; all processes have ended when this returns."""
        try:
            while True:
                self._hand_out(take)
                busy = {w.connection: n for n, w in self._workers.items() if w.job}
                if not busy:
                    return
                for connection in wait(list(busy)):
                    assert isinstance(connection, Connection)
                    self._hear(busy[connection], done)
        finally:
            for worker in self._workers.values():
                worker.process.terminate()
            for worker in self._workers.values():
                worker.end()
            self._workers.clear()

    def _hand_out(self, take: Callable[[int], Job[Order] | None]) -> None:
        for number in range(self.jobs):
            worker = self._workers.get(number)
            if worker and worker.job:
                continue
            job = self._again.popleft() if self._again else take(number)
            if job is None:
                return
            if worker is None:
                worker = self._workers[number] = _start(self.task)
            worker.give(job)

    def _hear(self, number: int, done: Callable[[Job[Order], Answer], None]) -> None:
        worker = self._workers[number]
        job = worker.job
        assert job is not None
        match worker.receive():
            case _Ready():
                pass
            case _Said(text):
                self.say(text)
            case _Answered(value):
                worker.job = None
                self._died.discard(id(job))
                done(job, value)
            case _Refused(error):
                raise error
            case None:
                reason = self._workers.pop(number).end()
                if id(job) in self._died:
                    raise WorkerError(
                        f"{job.name}: two workers died over it, the last one: {reason}; "
                        "what is done is kept; fewer --jobs or a smaller --batch take less memory"
                    )
                self._died.add(id(job))
                self._again.append(job)
                self.say(f"{job.name}: its worker died ({reason}); given to a new one")


def _start(task: Task[Order, Answer]) -> _Worker[Order]:
    """A process that never sees Ctrl-C: the parent does, and ends it."""
    context = get_context("spawn")
    mine, its = context.Pipe()
    process = context.Process(target=_serve, args=(its, task), daemon=True)
    resource_tracker.ensure_running()  # which would unblock the signal
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        process.start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        its.close()
    return _Worker(process, mine)


def _serve(connection: Connection, task: Task[Any, Any]) -> None:
    """A worker's life."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    threading.Thread(target=_end_with_parent, daemon=True).start()

    def send(message: _Message) -> None:
        connection.send_bytes(pickle.dumps(message))

    work: Callable[[Any], Any] | None = None
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):  # the parent is gone
        send(_Ready())
        while True:
            order = pickle.loads(connection.recv_bytes())
            message: _Message
            try:
                work = work or task.open(lambda text: send(_Said(text)))
                message = _Answered(work(order))
            except Exception as error:
                if wants_memory(error):
                    os._exit(_OUT_OF_MEMORY)
                message = _Refused(portable(error))
            send(message)


def _end_with_parent() -> None:
    """However it ends, and in the middle of work: nobody would take the answer."""
    parent = parent_process()
    assert parent is not None
    parent.join()
    os._exit(0)


def wants_memory(error: BaseException) -> bool:
    """Whether memory is what an error is for want of, also in torch's own words and others'."""
    words = ("can't allocate memory", "can't start new thread", "bad_alloc")
    return isinstance(error, MemoryError) or any(word in str(error) for word in words)


def portable(error: Exception) -> Exception:
    """An exception that survives pickling, with the place where it was raised as a note."""
    note = "in a worker:\n" + "".join(traceback.format_exception(error))
    try:
        same: Exception = pickle.loads(pickle.dumps(error))
    except Exception:
        same = RuntimeError(f"{type(error).__name__}: {error}")
    same.add_note(note)
    return same
