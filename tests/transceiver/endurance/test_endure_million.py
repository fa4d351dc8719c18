"""A million units: tables, pages and going on take seconds."""

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from transceiver.scenario import parse
from transceiver.store import Store, create_or_resume, open_run

pytestmark = pytest.mark.endurance

POINTS, TRIALS = 10, 11_112
"""Of 3 codecs and 3 pictures: 1,000,080 units, each with two metrics."""

LIMIT_S = 60.0
"""For each command, of processor time; a fraction of it on the machine of docs/validation.md."""


@pytest.fixture(scope="module")
def million(
    finished: Store, base: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, Any]]:
    """Rows of a real run, multiplied by SQL; the last unit of all is missing."""
    folder = tmp_path_factory.mktemp("million") / "run"
    data = base | {
        "sweep": {"esn0_db": [float(i) for i in range(POINTS)]},
        "stop": {"trials": TRIALS},
    }
    facts = finished.facts()
    facts.pop("scenario")
    with create_or_resume(folder, parse(data), facts) as store:
        for codec in store.scenario.codecs:
            units = [u for u in finished.units(codec, 0) if u.key.trial == 0]
            copies = [replace(u, key=replace(u.key, point=p)) for p in range(POINTS) for u in units]
            store.commit(copies, stages=finished.stages(codec), seconds={"llrs": 1.0})
    with closing(sqlite3.connect(folder / "run.sqlite")) as database, database:
        database.execute("CREATE TEMP TABLE t (trial INTEGER)")
        database.executemany("INSERT INTO t VALUES (?)", [(i,) for i in range(1, TRIALS)])
        for table in ("unit", "metric"):
            names = [row[1] for row in database.execute(f"PRAGMA table_info({table})")]
            chosen = ", ".join("t.trial" if name == "trial" else f"o.{name}" for name in names)
            database.execute(
                f"INSERT INTO {table} SELECT {chosen} FROM {table} o, t WHERE o.trial = 0 "
                "ORDER BY o.codec, o.point, o.image, t.trial"
            )
        last = ("jpeg", POINTS - 1, 2, TRIALS - 1)
        for table in ("unit", "metric"):
            database.execute(
                f"DELETE FROM {table} WHERE codec = ? AND point = ? AND image = ? AND trial = ?",
                last,
            )
        (count,) = database.execute("SELECT COUNT(*) FROM unit").fetchone()
        assert count == 3 * POINTS * 3 * TRIALS - 1 > 1_000_000
    for name in ("taps", "images"):
        (folder / name).mkdir()
        for path in (finished.folder / name).iterdir():
            (folder / name / path.name).write_bytes(path.read_bytes())
    return folder, data


TOOK: list[str] = []
"""What was measured, in words."""


@pytest.fixture(autouse=True)
def _told(capsys: pytest.CaptureFixture[str]) -> Iterator[None]:
    TOOK.clear()
    yield
    with capsys.disabled():
        print("", *TOOK, sep="\n")


@contextmanager
def measured(what: str) -> Iterator[None]:
    began, worked = time.perf_counter(), time.process_time()
    yield
    took, worked = time.perf_counter() - began, time.process_time() - worked
    TOOK.append(f"{what}: {worked:.1f} s of processor time, {took:.1f} s")
    assert worked < LIMIT_S, what


def test_a_million_units_take_seconds(
    million: tuple[Path, dict[str, Any]], call: Any, run_in: Callable[..., Store]
) -> None:
    folder, data = million
    with measured("open"):
        store = open_run(folder)
    for command in ("show", "export", "taps", "report"):
        with measured(command):
            code, _, errors = call(command, folder)
        assert (code, errors) == (0, "")
    with measured("done"):
        assert len(store.done("vq", 0)) == 3 * TRIALS
    with measured("resume"):
        whole = run_in(data, folder=folder)
    assert whole.count("jpeg", POINTS - 1) == 3 * TRIALS


def test_pages_of_a_million_units(million: tuple[Path, dict[str, Any]]) -> None:
    from transceiver.html.serve import ReportServer, runs_in

    folder, _ = million
    with measured("list"):
        assert list(runs_in(folder.parent)) == [folder.name]
    with ReportServer(folder.parent, 0) as server:
        with measured("page"):
            first = server.page([folder.name])
        with measured("page again"):
            assert server.page([folder.name]) == first
