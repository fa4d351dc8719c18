"""Workers on a Ray cluster: what is wrong is said before anything runs; rows as of one process.

The cluster is real: a head without CPUs and two nodes, each with processes of its own, and a node
is killed by SIGKILL. `make test-ray` installs Ray and runs this.
"""

import importlib
import math
import os
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from transceiver import ray_cluster
from transceiver.execution import Execution
from transceiver.pictures import open_pictures
from transceiver.ray_cluster import RayCluster, connected
from transceiver.scenario import ScenarioError, parse
from transceiver.store import Store, open_run
from transceiver.sweep import run
from transceiver.workers import Job, WorkerError

Run = Callable[..., Store]

with_ray = pytest.mark.skipif(find_spec("ray") is None, reason="needs Ray: make test-ray")

MODULE = """
import os, signal, time
from dataclasses import dataclass
from pathlib import Path

@dataclass(frozen=True)
class Task:
    folder: str
    def open(self, say):
        if (Path(self.folder) / "locked").exists():
            raise PermissionError(f"weights must be readable, got {self.folder}/locked")
        say("opened")
        def work(order):
            kind, value = order
            mark = Path(self.folder) / f"mark{value}"
            if kind == "once" and not mark.exists():
                mark.touch()
                os.kill(os.getpid(), signal.SIGKILL)
            if kind == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            if kind == "memory":
                raise MemoryError
            if kind == "bad":
                raise ValueError(f"value must be even, got {value}")
            if kind == "see":
                time.sleep(0.2)
                return os.environ.get("CUDA_VISIBLE_DEVICES")
            return value * value
        return work
"""


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """As many threads in one process as in each worker."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A head that carries no work and two nodes of one CPU; workers find modules in ``PATH``.

    The second node has a GPU as far as Ray knows, which torch does not find.
    """
    from ray.cluster_utils import Cluster

    modules = tmp_path_factory.mktemp("modules")
    (modules / "trouble_on_ray.py").write_text(MODULE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("PYTHONPATH", os.pathsep.join([*sys.path, str(modules)]))
        patch.syspath_prepend(modules)
        quick = {"health_check_initial_delay_ms": 0, "health_check_period_ms": 500}
        found = Cluster(
            initialize_head=True,
            head_node_args={"num_cpus": 0, "_system_config": quick, "include_dashboard": False},
        )
        for gpus in (0, 1):
            found.add_node(num_cpus=1, num_gpus=gpus)
        yield found
        found.shutdown()


@pytest.fixture
def task(cluster: Any, tmp_path: Path) -> Any:  # noqa: ARG001 - its folder of modules
    return importlib.import_module("trouble_on_ray").Task(str(tmp_path))


def _do(
    hired: RayCluster, task: Any, orders: list[tuple[str, int]]
) -> tuple[dict[str, int], list[str]]:
    answers: dict[str, int] = {}
    said: list[str] = []
    pending = iter([Job(f"{kind} {value}", (kind, value)) for kind, value in orders])
    hired.hire(task, said.append).work_off(
        lambda _: next(pending, None), lambda job, answer: answers.update({job.name: answer})
    )
    return answers, said


def _left(store: Store) -> dict[str, Any]:
    """Rows, shapes, and what lies in files."""
    files = sorted(p for sub in ("taps", "images") for p in (store.folder / sub).iterdir())
    return {
        "rows": store.rows(),
        "stages": {codec: store.stages(codec) for codec in store.scenario.codecs},
        "files": {path.name: path.read_bytes() for path in files},
    }


@with_ray
def test_orders_are_answered_whatever_dies(cluster: Any, task: Any, tmp_path: Path) -> None:
    with connected(cluster.address, jobs=None, worker_cpus=1) as hired:
        assert hired == RayCluster(2, 1)
        orders = [("square", i) for i in range(6)] + [("once", 6), ("square", 7)]
        answers, said = _do(hired, task, orders)
        assert answers == {f"{kind} {value}": value * value for kind, value in orders}
        (death,) = [line for line in said if "died" in line]
        assert death.startswith("once 6: its worker died (on ")
        assert death.endswith(": its process died); given to another one")

        assert _do(hired, task, []) == ({}, [])
        with pytest.raises(
            WorkerError, match=r"^kill 1: two workers died over it, the last one on"
        ):
            _do(hired, task, [("square", 0), ("kill", 1)])
        with pytest.raises(WorkerError, match=r"^memory 1: two .*: out of memory; what is done is"):
            _do(hired, task, [("memory", 1)])
        with pytest.raises(ValueError, match="value must be even, got 3"):
            _do(hired, task, [("bad", 3)])
        (tmp_path / "locked").touch()
        host = socket.gethostname()
        line = (
            rf"the worker on {host} \(.*\) cannot begin: PermissionError: weights must be .*/locked"
        )
        with pytest.raises(WorkerError, match=line):
            _do(hired, task, [("square", 0)])


@with_ray
def test_the_command_on_two_nodes_leaves_the_rows_of_one_process(
    cluster: Any, base: dict[str, Any], run_in: Run, tmp_path: Path, call: Any
) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(yaml.safe_dump(base, sort_keys=False))
    folder = tmp_path / "far"
    code, out, err = call(
        "run", path, "--out", folder, "--engine", "ray", "--address", cluster.address,
        "--batch", 2, "--no-cache", "--no-figures",
    )  # fmt: skip
    assert code == 0, err
    assert "Es/N0" in out
    here = run_in(base)
    assert _left(open_run(folder)) == _left(here)
    assert open_run(folder).facts() == here.facts()


@with_ray
def test_a_gpu_is_for_the_workers_that_have_one(
    cluster: Any, task: Any, base: dict[str, Any], run_in: Run, tmp_path: Path, call: Any
) -> None:
    with connected(cluster.address, jobs=None, worker_cpus=1, worker_gpus=0.5) as hired:
        assert hired == RayCluster(2, 1, gpus=0.5, on_gpus=1)
        answers, _ = _do(hired, task, [("see", i) for i in range(12)])
        assert set(answers.values()) == {"0", ""}
    ours = {"jobs": None, "worker_cpus": 1, "all_on_gpus": True}
    with connected(cluster.address, worker_gpus=1, **ours) as hired:
        assert hired == RayCluster(1, 1, gpus=1, on_gpus=1)
        answers, _ = _do(hired, task, [("see", i) for i in range(3)])
        assert set(answers.values()) == {"0"}
    with (
        pytest.raises(
            ScenarioError, match=r"^--device: cuda needs a node of the cluster with 2 GP"
        ),
        connected(cluster.address, worker_gpus=2, **ours),
    ):
        pass

    path, folder = tmp_path / "s.yaml", tmp_path / "far"
    path.write_text(yaml.safe_dump(base, sort_keys=False))
    options = ("--engine", "ray", "--address", cluster.address, "--no-cache", "--no-figures")
    code, _, err = call("run", path, "--out", folder, *options, "--device", "cuda")
    assert code == 2
    assert " cannot begin: CodecError: device must be cpu where torch finds no GPU, got cuda" in err
    code, _, err = call("run", path, "--out", folder, *options, "--device", "auto", "--fresh")
    assert code == 0, err
    assert f"networks compute on: {torch.backends.cpu.get_cpu_capability()}" in err
    assert _left(open_run(folder)) == _left(run_in(base))


@with_ray
def test_a_node_killed_in_the_middle_changes_no_row(
    cluster: Any, change: Any, run_in: Run, tmp_path: Path
) -> None:
    import ray

    data = change(**{"stop.trials": 40})  # long enough that the node dies before the end
    scenario = parse(data)
    assert scenario.images is not None
    said: list[str] = []
    killed: list[threading.Timer] = []

    def kill() -> None:
        """The node of the only worker, and all its processes."""
        (place,) = [
            actor["Address"]["NodeID"]
            for actor in ray._private.state.actors().values()
            if actor["State"] == "ALIVE"
        ]
        (node,) = [node for node in cluster.worker_nodes if node.node_id == place]
        cluster.remove_node(node, allow_graceful=False)

    def progress(label: str, fraction: float) -> None:  # noqa: ARG001
        if fraction > 0 and not killed:
            killed.append(threading.Timer(0.05, kill))
            killed[0].start()

    with connected(cluster.address, jobs=1, worker_cpus=1) as engine:
        run(
            scenario, open_pictures(scenario.images, folder=tmp_path), folder=tmp_path / "run",
            batch=1, progress=progress, engine=engine, say=said.append,
        )  # fmt: skip
    killed[0].join()
    assert len(cluster.worker_nodes) == 1
    (death,) = [line for line in said if "died" in line]
    assert ", pictures " in death
    # Ray hears of the end of the process or of that of its node first
    assert ": its node died)" in death or ": its process died)" in death
    assert _left(open_run(tmp_path / "run")) == _left(run_in(data))


@with_ray
def test_a_cluster_of_its_own(bits: Any, tmp_path: Path, call: Any) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(yaml.safe_dump(bits(**{"sweep.esn0_db": [2.0]})))
    code, _, err = call(
        "run", path, "--out", tmp_path / "run", "--engine", "ray", "--address", "local",
        "--jobs", 1, "--no-figures",
    )  # fmt: skip
    assert code == 0, err
    assert open_run(tmp_path / "run").rows()


def _refused(call: Any, tmp_path: Path, bits: Any, *options: object) -> str:
    """The line of a command that ends before it has made its folder."""
    path, folder = tmp_path / "s.yaml", tmp_path / "run"
    path.write_text(yaml.safe_dump(bits()))
    code, out, err = call("run", path, "--out", folder, *options)
    assert (code, out) == (2, "")
    assert not folder.exists()
    (line,) = err.splitlines()
    return str(line)


def test_without_ray_it_is_said(
    call: Any, tmp_path: Path, bits: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_cluster, "find_spec", lambda _: None)
    line = _refused(call, tmp_path, bits, "--engine", "ray")
    assert line.startswith("error: --engine ray needs Ray: pip install 'semantic-transceiver[ray]'")


def _speak(server: socket.socket) -> None:
    """A server of something else."""
    connection, _ = server.accept()
    with connection:
        connection.sendall(b"220 mail ready")
        connection.recv(100)


def test_addresses_that_are_none_or_do_not_answer(
    call: Any, tmp_path: Path, bits: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_cluster, "find_spec", lambda _: True)  # it is not reached
    for address in ("somewhere", "ray://host:10001", "host:0", ":6379"):
        line = _refused(call, tmp_path, bits, "--engine", "ray", "--address", address)
        assert line == f"error: --address: must be auto, local or HOST:PORT, got {address}"
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{closed.getsockname()[1]}"
        line = _refused(call, tmp_path, bits, "--engine", "ray", "--address", address)
    start = "error: --address: must be that of a running Ray cluster, got 127.0.0.1:"
    assert line.startswith(start)
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        thread = threading.Thread(target=_speak, args=(other,))
        thread.start()
        address = f"127.0.0.1:{other.getsockname()[1]}"
        line = _refused(call, tmp_path, bits, "--engine", "ray", "--address", address)
        thread.join()
    assert line == f"{start}{address.partition(':')[2]}: what answers is not Ray"


@with_ray
def test_workers_must_fit_and_a_cluster_must_be_there(
    cluster: Any, call: Any, tmp_path: Path, bits: Any
) -> None:
    here = ("--engine", "ray", "--address", cluster.address)
    line = _refused(call, tmp_path, bits, *here, "--worker-cpus", 9)
    assert line == (
        "error: --worker-cpus: must be at most the CPUs of a node of the cluster, got 9"
    )


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({"engine": "dask"}, "--engine must be local or ray, got dask"),
        ({"address": "auto"}, "--address: must be left out without --engine ray"),
        ({"worker_cpus": 2}, "--worker-cpus: must be left out without --engine ray"),
        ({"engine": "ray", "threads": 2}, "--threads: must be left out with --engine ray"),
        ({"device": "tpu"}, "--device must be cpu, cuda or auto, got tpu"),
        (
            {"device": "cuda", "worker_gpus": 1.0},
            "--worker-gpus: must be left out without --engine",
        ),
        ({"engine": "ray", "worker_gpus": 1.0}, "--worker-gpus: must be left out without"),
        ({"device": "cuda", "worker_gpus": 1.5}, "--worker-gpus must be a share of a GPU or"),
        ({"device": "cuda", "worker_gpus": math.nan}, "--worker-gpus must be a share of a GPU"),
        ({"device": "cuda", "worker_gpus": math.inf}, "--worker-gpus must be a share of a GPU"),
    ],
)
def test_options_that_do_not_go_together(given: dict[str, Any], line: str) -> None:
    with pytest.raises(ScenarioError, match=line):
        Execution(**given)
