"""A run on disk: a folder with ``run.sqlite`` and, beside it, samples and pictures.

One row of ``unit`` for each unit of work (codec, point, image, trial). The units of a batch are
committed with their metrics in one transaction. What a unit leaves in files is written before it is
committed, so that a run killed at any moment goes on with nothing missing and nothing double.
"""

import fcntl
import json
import shutil
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import Any

from transceiver.counters import NAMES, Counters
from transceiver.scenario import Scenario, ScenarioError, parse

_LAYOUT = 2
"""Kept as SQLite's user_version; raise it with every change of the tables."""

_SCHEMA = f"""
PRAGMA user_version = {_LAYOUT};
CREATE TABLE run (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE unit (
  codec TEXT NOT NULL, point INTEGER NOT NULL, image INTEGER NOT NULL, trial INTEGER NOT NULL,
  image_name TEXT NOT NULL, samples INTEGER NOT NULL,
  failure INTEGER NOT NULL, outage INTEGER NOT NULL,
  {", ".join(f"{name} INTEGER NOT NULL" for name in NAMES)},
  PRIMARY KEY (codec, point, image, trial)) WITHOUT ROWID;
CREATE TABLE metric (
  codec TEXT NOT NULL, point INTEGER NOT NULL, image INTEGER NOT NULL, trial INTEGER NOT NULL,
  name TEXT NOT NULL, value REAL NOT NULL,
  PRIMARY KEY (codec, point, image, trial, name)) WITHOUT ROWID;
CREATE TABLE stage (
  codec TEXT NOT NULL, name TEXT NOT NULL, shape TEXT NOT NULL, dtype TEXT NOT NULL,
  PRIMARY KEY (codec, name)) WITHOUT ROWID;
CREATE TABLE timing (
  codec TEXT NOT NULL, stage TEXT NOT NULL, seconds REAL NOT NULL,
  PRIMARY KEY (codec, stage)) WITHOUT ROWID;
"""


_values = attrgetter(*NAMES)
"""The counters as a tuple, in the order of the columns."""


@dataclass(frozen=True)
class UnitKey:
    """What names a unit of work."""

    codec: str
    point: int
    image: int
    trial: int


@dataclass(frozen=True)
class Unit:
    """A row: one image, codec, point and trial.

    Attributes:
        key: What names it.
        image_name: The picture's name.
        samples: 3 H W of the picture, 0 for random bits: the denominator of CBR.
        failure: The receiver knew that it had no picture.
        outage: The codec could not meet its budget; nothing was sent.
        counters: Integer counters.
        metrics: By name.
    """

    key: UnitKey
    image_name: str
    samples: int
    failure: bool
    outage: bool
    counters: Counters
    metrics: Mapping[str, float]


@dataclass(frozen=True)
class StageShape:
    """What passed a tap in a codec's first frame."""

    name: str
    shape: str
    dtype: str


class Store:
    """An open run."""

    def __init__(self, folder: Path, connection: sqlite3.Connection) -> None:
        """Use `create_or_resume` or `open_run`."""
        self.folder = folder
        self._db = connection

    @property
    def scenario(self) -> Scenario:
        """The scenario that made the run."""
        return parse(json.loads(self.facts()["scenario"]))

    def facts(self) -> dict[str, str]:
        """Versions, commit, seed and weights."""
        return dict(self._db.execute("SELECT key, value FROM run"))

    def done(self, codec: str, point: int) -> set[UnitKey]:
        """The units of a codec at a point that are done."""
        query = "SELECT codec, point, image, trial FROM unit WHERE codec = ? AND point = ?"
        return {UnitKey(*row) for row in self._db.execute(query, (codec, point))}

    def arrived(self, codec: str, point: int) -> set[UnitKey]:
        """Those whose picture came through undamaged."""
        query = (
            "SELECT codec, point, image, trial FROM unit WHERE codec = ? AND point = ? "
            "AND NOT (failure OR outage OR source_bit_errors)"
        )
        return {UnitKey(*row) for row in self._db.execute(query, (codec, point))}

    def commit(
        self,
        units: Sequence[Unit],
        *,
        stages: Mapping[str, StageShape],
        seconds: Mapping[str, float],
    ) -> None:
        """Add units of one codec, their metrics, stages and stage times in one transaction."""
        if not units:
            return
        codec = units[0].key.codec
        heads = [(u.key.codec, u.key.point, u.key.image, u.key.trial) for u in units]
        rows = [
            (*head, u.image_name, u.samples, int(u.failure), int(u.outage), *_values(u.counters))
            for head, u in zip(heads, units, strict=True)
        ]
        with self._db:
            marks = ", ".join("?" * len(rows[0]))
            self._db.executemany(f"INSERT INTO unit VALUES ({marks})", rows)
            self._db.executemany(
                "INSERT INTO metric VALUES (?, ?, ?, ?, ?, ?)",
                [
                    (*head, name, value)
                    for head, u in zip(heads, units, strict=True)
                    for name, value in u.metrics.items()
                ],
            )
            self._db.executemany(
                "INSERT OR IGNORE INTO stage VALUES (?, ?, ?, ?)",
                [(codec, s.name, s.shape, s.dtype) for s in stages.values()],
            )
            self._db.executemany(
                "INSERT INTO timing VALUES (?, ?, ?) "
                "ON CONFLICT DO UPDATE SET seconds = seconds + excluded.seconds",
                [(codec, stage, spent) for stage, spent in seconds.items()],
            )

    def units(self, codec: str, point: int) -> Iterator[Unit]:
        """The rows of one codec at one point, by trial and image."""
        where = "WHERE codec = ? AND point = ?"
        metrics: dict[tuple[int, int], dict[str, float]] = {}
        for image, trial, name, value in self._db.execute(
            f"SELECT image, trial, name, value FROM metric {where}", (codec, point)
        ):
            metrics.setdefault((image, trial), {})[name] = value
        rows = self._db.execute(
            f"SELECT image, trial, image_name, samples, failure, outage, {', '.join(NAMES)} "
            f"FROM unit {where} ORDER BY trial, image",
            (codec, point),
        )
        for image, trial, image_name, samples, failure, outage, *counts in rows:
            yield Unit(
                UnitKey(codec, point, image, trial),
                image_name,
                samples,
                bool(failure),
                bool(outage),
                Counters(*counts),
                metrics.get((image, trial), {}),
            )

    def stages(self, codec: str) -> dict[str, StageShape]:
        """The taps that a codec's signal passed."""
        rows = self._db.execute("SELECT name, shape, dtype FROM stage WHERE codec = ?", (codec,))
        return {row[0]: StageShape(*row) for row in rows}

    def seconds(self, codec: str) -> dict[str, float]:
        """Time spent in the stage that ends at each tap."""
        return dict(self._db.execute("SELECT stage, seconds FROM timing WHERE codec = ?", (codec,)))

    def rows(self) -> list[tuple[Any, ...]]:
        """Every row of ``unit`` and ``metric``: what two equal runs have in common."""
        units = self._db.execute("SELECT * FROM unit ORDER BY 1, 2, 3, 4").fetchall()
        return units + self._db.execute("SELECT * FROM metric ORDER BY 1, 2, 3, 4, 5").fetchall()


def open_run(folder: Path) -> Store:
    """Open a finished or interrupted run for reading."""
    path = folder / "run.sqlite"
    if not path.is_file():
        raise ScenarioError(f"{folder}: must be the folder of a run (with run.sqlite)")
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
    try:
        connection.execute("SELECT 1 FROM unit LIMIT 1")
        _check_layout(path, connection)
    except sqlite3.DatabaseError as error:
        raise ScenarioError(f"{path}: must be the database of a run: {error}") from None
    return Store(folder, connection)


@contextmanager
def create_or_resume(folder: Path, scenario: Scenario, facts: Mapping[str, str]) -> Iterator[Store]:
    """Open a run for writing; the only writer while it lasts.

    Raises:
        ScenarioError: The folder holds a run of another scenario, with other weights, plugins,
            mode tables or pictures, or no run's database, or another process is writing to it.
    """
    if folder.exists() and not folder.is_dir():
        raise ScenarioError(f"{folder}: must be a folder, got a file")
    folder.mkdir(parents=True, exist_ok=True)
    with _locked(folder):
        connection = sqlite3.connect(folder / "run.sqlite")
        try:
            store = Store(folder, connection)
            try:
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute("PRAGMA synchronous = NORMAL")
                _claim(store, connection, scenario, facts)
            except sqlite3.DatabaseError as error:
                raise ScenarioError(
                    f"{folder / 'run.sqlite'}: must be the database of a run: {error}"
                ) from None
            yield store
        finally:
            # Back to a single file, unless someone is reading this run just now.
            with suppress(sqlite3.DatabaseError):
                connection.execute("PRAGMA journal_mode = DELETE")
            connection.close()


def remove_run(folder: Path) -> None:
    """Delete a run's own files and nothing else; refused while another process writes to it."""
    if {path.name for path in folder.iterdir()} <= {".lock"}:
        return
    if not (folder / "run.sqlite").is_file():
        raise ScenarioError(f"--fresh: {folder} must hold a run (run.sqlite); nothing was deleted")
    with _locked(folder):
        for name in ("taps", "images", "figures"):
            shutil.rmtree(folder / name, ignore_errors=True)
        for file in (*folder.glob("report.html"), *folder.glob("run.sqlite*")):
            file.unlink()


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Be the only writer of a run."""
    with (folder / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ScenarioError(f"{folder}: another process is writing to this run") from None
        yield


def _claim(
    store: Store,
    connection: sqlite3.Connection,
    scenario: Scenario,
    facts: Mapping[str, str],
) -> None:
    wanted = {"scenario": scenario.model_dump_json(), **facts}
    exists = connection.execute("SELECT name FROM sqlite_master WHERE name = 'run'").fetchone()
    if not exists:
        with connection:
            connection.execute("BEGIN IMMEDIATE")  # all tables and facts at once, or nothing
            for statement in _SCHEMA.split(";"):
                connection.execute(statement)
            connection.executemany("INSERT INTO run VALUES (?, ?)", wanted.items())
        return
    _check_layout(store.folder, connection)
    have = store.facts()
    mine = json.loads(wanted["scenario"])
    for name, differs in (
        ("another scenario", json.loads(have.get("scenario", "null")) != mine),
        ("another version of a plugin", have.get("plugins", "") != wanted.get("plugins", "")),
        ("other weights", have.get("weights") != wanted.get("weights")),
        ("other mode tables", have.get("mode_tables", "") != wanted.get("mode_tables", "")),
        ("other pictures", have.get("pictures") != wanted.get("pictures")),
    ):
        if differs:
            raise ScenarioError(
                f"{store.folder}: holds a run with {name}; "
                "give another --out, or --fresh to start it anew"
            )


def _check_layout(path: Path, connection: sqlite3.Connection) -> None:
    (found,) = connection.execute("PRAGMA user_version").fetchone()
    if found != _LAYOUT:
        raise ScenarioError(
            f"{path}: the tables must be of layout {_LAYOUT}, got {found}: "
            "another version of transceiver made this run"
        )
