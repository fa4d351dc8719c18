"""Twenty runs are killed at random moments and gone on with: the same rows, and nobody left."""

import os
import random
import signal
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

from transceiver.store import Store, open_run

pytestmark = pytest.mark.endurance

KINDS = [(1, "group"), (1, "parent"), (2, "group"), (2, "parent"), (2, "worker")]


@pytest.fixture(scope="module")
def data(base: dict[str, Any]) -> dict[str, Any]:
    """Fading, failures that show the last good picture, and an outage at every point."""
    fading = {"kind": "rayleigh", "fading": {"block": 20}}
    return base | {
        "phy": base["phy"] | {"channel": fading},
        "sweep": {"esn0_db": [5, 7]},
        "stop": {"trials": 12},
        "failure": "last_good",
    }


def _left(store: Store) -> dict[str, Any]:
    folder = store.folder
    files = {p.relative_to(folder): p.read_bytes() for p in folder.glob("[ti]*/*")}
    return {"rows": store.rows(), "files": files}


@pytest.fixture(scope="module")
def whole() -> dict[str, Any]:
    """What the undisturbed run left; filled by the first test."""
    return {}


def _undisturbed(whole: dict[str, Any], start: Any, file: Path, folder: Path) -> dict[str, Any]:
    if not whole:
        code, _, errors = start(*_arguments(file, folder, 1)).end()
        assert code == 0, errors
        whole |= _left(open_run(folder))
    return whole


def _units(folder: Path) -> int:
    """How many are done; -1 before the first table is there."""
    path = folder / "run.sqlite"
    with (
        suppress(sqlite3.Error),
        closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as db,
    ):
        return int(db.execute("SELECT COUNT(*) FROM unit").fetchone()[0])
    return -1


def _arguments(file: Path, folder: Path, jobs: int) -> tuple[object, ...]:
    return "run", file, "--out", folder, "--jobs", jobs, "--batch", 2, "--no-figures", "--no-cache"


@pytest.mark.parametrize("number", range(20))
def test_a_killed_run_ends_with_the_same_rows(
    number: int,
    data: dict[str, Any],
    whole: dict[str, Any],
    start: Any,
    wait: Callable[[Callable[[], bool], str], None],
    scenario_file: Callable[[dict[str, Any]], Path],
    tmp_path: Path,
) -> None:
    jobs, victim = KINDS[number % len(KINDS)]
    file, folder = scenario_file(data), tmp_path / "killed"
    wanted = _undisturbed(whole, start, file, tmp_path / "whole")
    rng = random.Random(number)
    moment = rng.randint(-1, 3 * 2 * 3 * 12 - 1)  # codecs, points, pictures, trials
    command = start(*_arguments(file, folder, jobs))

    def is_time() -> bool:
        begun = (folder / ".lock").exists() and _units(folder) >= moment
        return begun or command.process.poll() is not None

    wait(is_time, f"{moment} units are done")
    if victim == "worker":
        wait(lambda: bool(command.workers()) or command.process.poll() is not None, "it has one")
    time.sleep(rng.uniform(0, 0.1))
    with suppress(ProcessLookupError):
        match victim:
            case "group":
                os.killpg(command.process.pid, signal.SIGKILL)
            case "parent":
                os.kill(command.process.pid, signal.SIGKILL)
            case _:
                for worker in command.workers()[:1]:
                    os.kill(worker, signal.SIGKILL)
    code, _, errors = command.end()
    wait(lambda: not command.others(), "all that it had started has ended")
    if victim == "worker":
        assert code == 0, errors  # another worker has done the work
    else:
        assert code in (0, -signal.SIGKILL), errors
        again = start(*_arguments(file, folder, jobs))
        code, _, errors = again.end()
        assert (code, errors) == (0, "")
        wait(lambda: not again.others(), "nobody is left")
    found = _left(open_run(folder))
    assert found["rows"] == wanted["rows"]
    assert found["files"] == wanted["files"]
    assert sorted(p.name for p in folder.iterdir()) == [".lock", "images", "run.sqlite", "taps"]
