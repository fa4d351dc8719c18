"""Workers on the machines of a Ray cluster (Moritz et al., "Ray", OSDI 2018).

::

    driver, this process                       actor, on any node
      |--- begin: task, pickled ---------------> |  task.open
      | <--------------- node, or why it cannot -|
      |--- work: order, pickled ---------------> |
      | <------------------- answered | refused -|

The driver alone decides what is done next and keeps what comes of it. An order goes to an actor
that has begun only, so that one for which there is no room in the cluster holds nothing up. An
actor that dies, alone or with its node, is replaced, and its order is given out once more.

The only module that imports ray.
"""

import logging
import os
import pickle
import socket
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any, Generic, TypeVar

from transceiver.engine import Workers
from transceiver.scenario.load import ScenarioError
from transceiver.workers import Job, Task, WorkerError, portable, wants_memory

if find_spec("ray") is not None:
    import ray
    from ray.exceptions import OutOfMemoryError, RayActorError, RayError, RayTaskError

Order = TypeVar("Order")
Answer = TypeVar("Answer")

_KNOCK_S = 5.0
"""How long an address may take to answer."""

_HELLO = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(3) + b"\x04" + bytes(5)
_SETTINGS = b"\x04"
"""An HTTP/2 connection begins so, and with a frame of this type from the other side (RFC 9113)."""

_ROOM_S = 60.0
"""Without any worker: after how long it is said, and after five of which the run is given up."""

_NOT_BEGUN = 3
"""Actors of one number that may die one after the other before they have begun."""


@dataclass(frozen=True)
class RayCluster:
    """A cluster that this process is connected to; see `transceiver.engine.Engine`.

    Attributes:
        jobs: Actors at most.
        threads: Of torch in each; as many CPUs of its node are reserved for it.
        gpus: What of its node's GPUs is reserved for each of the first `on_gpus`.
        on_gpus: How many actors have one; the others see none.
    """

    jobs: int
    threads: int
    gpus: float = 0
    on_gpus: int = 0

    def hire(self, task: Task[Order, Answer], say: Callable[[str], None]) -> Workers[Order, Answer]:
        """Actors, spread over the nodes."""
        return RayCrew(task, self.jobs, self.threads, say, self.gpus, self.on_gpus)


@contextmanager
def connected(
    address: str,
    *,
    jobs: int | None,
    worker_cpus: int,
    worker_gpus: float = 0,
    all_on_gpus: bool = False,
) -> Iterator[RayCluster]:
    """The cluster at an address, as long as this lasts.

    Args:
        address: ``auto`` (RAY_ADDRESS, or a cluster that this machine belongs to), ``HOST:PORT``
            (port 6379 unless chosen otherwise), or ``local`` for one started here and ended here.
        jobs: Actors at most; None for as many as fit into the cluster now.
        worker_cpus: CPUs of each.
        worker_gpus: Share of a GPU, or number of GPUs, of each that has one.
        all_on_gpus: Whether each must have one; else as many as there are GPUs for.

    Raises:
        ScenarioError: Ray is not installed, the address does not answer, or no worker fits.
    """
    if find_spec("ray") is None:
        raise ScenarioError(
            "--engine ray needs Ray: pip install 'semantic-transceiver[ray]', or leave it out"
        )
    _knock(address)
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # a cluster started here tells nobody
    options: dict[str, Any] = {"include_dashboard": False} if address == "local" else {}
    try:
        ray.init(address, log_to_driver=False, logging_level=logging.ERROR, **options)
    except Exception as error:  # of many types, and not all of them documented
        raise ScenarioError(
            f"--address: must be that of a Ray cluster which this machine belongs to, "
            f"got {address}: {_first_line(error)}"
        ) from error
    try:
        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        room = sum(int(node.get("CPU", 0) // worker_cpus) for node in nodes)
        if room == 0:
            raise ScenarioError(
                f"--worker-cpus: must be at most the CPUs of a node of the cluster, "
                f"got {worker_cpus}"
            )
        on_gpus = sum(_with_gpu(node, worker_cpus, worker_gpus) for node in nodes)
        if all_on_gpus and not on_gpus:
            raise ScenarioError(
                f"--device: cuda needs a node of the cluster with {worker_gpus:g} GPU beside "
                f"{worker_cpus} CPU, got none"
            )
        count = jobs or (on_gpus if all_on_gpus else room)
        yield RayCluster(count, worker_cpus, worker_gpus, count if all_on_gpus else on_gpus)
    finally:
        ray.shutdown()


def _with_gpu(node: Mapping[str, float], cpus: int, gpus: float) -> int:
    """Workers with a GPU for which a node has room; one GPU is not shared with another's rest."""
    if not gpus:
        return 0
    there = int(node.get("GPU", 0))
    shares = there * int(1 / gpus + 1e-9) if gpus <= 1 else int(there // gpus)
    return min(shares, int(node.get("CPU", 0) // cpus))


def _knock(address: str) -> None:
    """Whether a gRPC server answers there, as Ray's head is one: Ray would try for minutes."""
    host, colon, port = address.rpartition(":")
    if address in ("auto", "local"):
        return
    if not (colon and host and port.isdigit() and 0 < int(port) < 65536) or "/" in address:
        raise ScenarioError(f"--address: must be auto, local or HOST:PORT, got {address}")
    try:
        with socket.create_connection((host, int(port)), timeout=_KNOCK_S) as connection:
            if os.environ.get("RAY_USE_TLS", "0") != "0":
                return
            connection.sendall(_HELLO)
            if connection.recv(9)[3:4] != _SETTINGS:
                raise OSError("what answers is not Ray")
    except OSError as error:
        raise ScenarioError(
            f"--address: must be that of a running Ray cluster, got {address}: {error}"
        ) from None


@dataclass(frozen=True)
class _Began:
    """An actor is ready on a node, or says why it cannot be."""

    node: str
    said: tuple[str, ...]
    refused: str | None = None


@dataclass(frozen=True)
class _Did:
    """What came of an order: an answer, an error, or neither for want of memory."""

    said: tuple[str, ...]
    answer: Any = None
    error: Exception | None = None
    out_of_memory: bool = False


class _Bench:
    """What an actor is. What comes and goes is pickled here, as for local workers."""

    def begin(self, task: bytes) -> bytes:
        """Load what the work needs."""
        self._said: list[str] = []
        node = f"{socket.gethostname()} ({ray.util.get_node_ip_address()})"
        refused = None
        if not ray.get_gpu_ids():
            os.environ["CUDA_VISIBLE_DEVICES"] = ""  # the node's GPUs are for others
        try:
            self._work = pickle.loads(task).open(self._said.append)
        except Exception as error:
            refused = f"{type(error).__name__}: {' '.join(str(error).split())}"
        return pickle.dumps(_Began(node, self._heard(), refused))

    def work(self, order: bytes) -> bytes:
        """Carry out an order."""
        try:
            found = _Did((), self._work(pickle.loads(order)))
        except Exception as error:
            if wants_memory(error):
                found = _Did((), out_of_memory=True)
            else:
                found = _Did((), error=portable(error))
        return pickle.dumps(_Did(self._heard(), found.answer, found.error, found.out_of_memory))

    def _heard(self) -> tuple[str, ...]:
        said = tuple(self._said)
        self._said.clear()
        return said


@dataclass
class _Worker(Generic[Order]):
    """An actor; ``pending`` is what it was asked for and has not done."""

    number: int
    actor: Any
    pending: Any
    node: str = ""
    job: Job[Order] | None = None

    def give(self, job: Job[Order]) -> None:
        self.job = job
        self.pending = self.actor.work.remote(pickle.dumps(job.order))


@dataclass
class RayCrew(Generic[Order, Answer]):
    """Actors; see `transceiver.engine.Workers`.

    Attributes:
        task: What they do.
        jobs: How many there are at most.
        cpus: Reserved for each.
        say: Takes lines for the user.
        gpus: Reserved for each of the first `on_gpus`.
        on_gpus: How many have one.
    """

    task: Task[Order, Answer]
    jobs: int
    cpus: int
    say: Callable[[str], None]
    gpus: float = 0
    on_gpus: int = 0
    _workers: dict[int, _Worker[Order]] = field(default_factory=dict)
    _again: deque[Job[Order]] = field(default_factory=deque)
    _died: set[int] = field(default_factory=set)
    """Identities of jobs that are not done yet and over which a worker died."""
    _not_begun: dict[int, int] = field(default_factory=dict)
    """By number: actors that died before they had begun, since one has."""

    def work_off(
        self,
        take: Callable[[int], Job[Order] | None],
        done: Callable[[Job[Order], Answer], None],
    ) -> None:
        """See `transceiver.engine.Workers`."""
        first = take(0)
        if first is None:
            return
        self._again.append(first)
        waited = 0
        try:
            for number in range(self.jobs):
                self._start(number)
            while self._hand_out(take):
                asked = {w.pending: w for w in self._workers.values() if w.pending is not None}
                ready, _ = ray.wait(list(asked), timeout=_ROOM_S)
                for reference in ready:
                    self._hear(asked[reference], done)
                waited = 0 if ready or any(w.node for w in self._workers.values()) else waited + 1
                self._complain(waited)
        finally:
            for worker in self._workers.values():
                with suppress(Exception):  # the cluster may be gone
                    ray.kill(worker.actor)
            self._workers.clear()

    def _start(self, number: int) -> None:
        gpus = self.gpus if number < self.on_gpus else 0
        actor = ray.remote(_Bench).options(
            num_cpus=self.cpus, num_gpus=gpus, scheduling_strategy="SPREAD"
        )
        started = actor.remote()
        asked = started.begin.remote(pickle.dumps(self.task))
        self._workers[number] = _Worker(number, started, asked)

    def _hand_out(self, take: Callable[[int], Job[Order] | None]) -> bool:
        """Give jobs to those that are free; whether there is anything to wait for."""
        for number in sorted(self._workers):
            worker = self._workers[number]
            if worker.pending is not None:
                continue
            job = self._again.popleft() if self._again else take(number)
            if job is None:
                return any(w.job for w in self._workers.values())
            worker.give(job)
        return True

    def _hear(self, worker: _Worker[Order], done: Callable[[Job[Order], Answer], None]) -> None:
        job, reference, worker.pending = worker.job, worker.pending, None
        try:
            message: _Began | _Did = pickle.loads(ray.get(reference))
        except RayTaskError as error:  # our own methods let nothing through but what pickle says
            raise WorkerError(f"{worker.node or 'a worker'}: {_first_line(error.cause)}") from error
        except RayError as error:
            self._replace(worker, _cause(error))
            return
        for text in message.said:
            self.say(text)
        match message:
            case _Began(node, _, refused):
                if refused is not None:
                    raise WorkerError(f"the worker on {node} cannot begin: {refused}")
                worker.node = node
                self._not_begun.pop(worker.number, None)
            case _Did(out_of_memory=True):
                self._replace(worker, "out of memory")
            case _Did(error=Exception() as refusal):
                raise refusal
            case _Did(answer=answer):
                assert job is not None
                worker.job = None
                self._died.discard(id(job))
                done(job, answer)

    def _replace(self, worker: _Worker[Order], reason: str) -> None:
        """Another actor in place of a dead one; its job goes to the next that is free."""
        with suppress(Exception):
            ray.kill(worker.actor)
        job, where = worker.job, f"on {worker.node}: {reason}"
        if job is None:
            count = self._not_begun[worker.number] = self._not_begun.get(worker.number, 0) + 1
            if count == _NOT_BEGUN or reason.startswith(_INIT):
                raise WorkerError(f"workers cannot begin on the cluster: {reason}")
        elif id(job) in self._died:
            raise WorkerError(
                f"{job.name}: two workers died over it, the last one {where}; what is done is "
                "kept; fewer --jobs or a smaller --batch take less memory"
            )
        else:
            self._died.add(id(job))
            self._again.append(job)
            self.say(f"{job.name}: its worker died ({where}); given to another one")
        self._start(worker.number)

    def _complain(self, waited: int) -> None:
        """Where no worker is there: nothing has come for ``waited`` minutes."""
        needs = f"{self.cpus} CPU{'s' if self.cpus > 1 else ''}"
        if waited == 1:
            self.say(f"waiting for a node of the cluster with {needs} to spare")
        if waited == 5:
            raise WorkerError(
                f"the cluster must have {needs} to spare for a worker, got none within "
                f"{5 * _ROOM_S:.0f} s; what is done is kept"
            )


_INIT = "cannot be made"


def _cause(error: "RayError") -> str:
    """Why an actor is gone, in a few words."""
    if isinstance(error, RayActorError) and error.actor_init_failed:
        return f"{_INIT}: {_last_line(error)}; the package must be installed on every node"
    if isinstance(error, OutOfMemoryError):
        return "out of memory"
    return "its node died" if "node has died" in str(error) else "its process died"


def _first_line(error: BaseException) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), repr(error))


def _last_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else repr(error)
