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
from transceiver.database import (
    SCHEMA,
    Totals,
    is_begun,
    is_foreign,
    open_for_reading,
    told,
    totals,
)
from transceiver.files import writable
from transceiver.scenario import Scenario, ScenarioError, parse

FILE = "run.sqlite"

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
    def path(self) -> Path:
        """The database."""
        return self.folder / FILE

    @property
    def scenario(self) -> Scenario:
        """The scenario that made the run."""
        try:
            return parse(json.loads(self.facts()["scenario"]))
        except (KeyError, ValueError) as error:
            reason = " ".join(str(error).split())
            raise ScenarioError(
                f"{self.path}: must hold a scenario that can be read, got: {reason}"
            ) from error

    def facts(self) -> dict[str, str]:
        """Versions, commit, seed and weights."""
        return dict(self._db.execute("SELECT key, value FROM run"))

    def count(self, codec: str, point: int) -> int:
        """How many units of a codec at a point are done."""
        query = "SELECT COUNT(*) FROM unit WHERE codec = ? AND point = ?"
        (found,) = self._db.execute(query, (codec, point)).fetchone()
        return int(found)

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
        """Add units of one codec, their metrics, stages and stage times in one transaction.

        Raises:
            ScenarioError: The database cannot be written; nothing of the units is.
        """
        if not units:
            return
        codec = units[0].key.codec
        heads = [(u.key.codec, u.key.point, u.key.image, u.key.trial) for u in units]
        rows = [
            (*head, u.image_name, u.samples, int(u.failure), int(u.outage), *_values(u.counters))
            for head, u in zip(heads, units, strict=True)
        ]
        with _kept(self.path), self._db:
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
        return self._units("WHERE codec = ? AND point = ?", (codec, point))

    def unit(self, key: UnitKey) -> Unit | None:
        """One row; None if it was not run."""
        where = "WHERE codec = ? AND point = ? AND image = ? AND trial = ?"
        return next(self._units(where, (key.codec, key.point, key.image, key.trial)), None)

    def _units(self, where: str, of: tuple[object, ...]) -> Iterator[Unit]:
        metrics: dict[tuple[int, int], dict[str, float]] = {}
        for image, trial, name, value in self._db.execute(
            f"SELECT image, trial, name, value FROM metric {where}", of
        ):
            metrics.setdefault((image, trial), {})[name] = value
        rows = self._db.execute(
            f"SELECT codec, point, image, trial, image_name, samples, failure, outage, "
            f"{', '.join(NAMES)} FROM unit {where} ORDER BY trial, image",
            of,
        )
        for codec, point, image, trial, image_name, samples, failure, outage, *counts in rows:
            yield Unit(
                UnitKey(codec, point, image, trial),
                image_name,
                samples,
                bool(failure),
                bool(outage),
                Counters(*counts),
                metrics.get((image, trial), {}),
            )

    def totals(self, codec: str, point: int) -> Totals:
        """Sums over the units of a codec at a point."""
        return totals(self._db, codec, point)

    def values(self, codec: str, point: int, metric: str) -> dict[int, list[float]]:
        """A metric of every unit at a point: by image, trial after trial."""
        found: dict[int, list[float]] = {}
        for image, value in self._db.execute(
            "SELECT image, value FROM metric WHERE codec = ? AND point = ? AND name = ?",
            (codec, point, metric),
        ):
            found.setdefault(image, []).append(value)
        return found

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
    return Store(folder, open_for_reading(folder / FILE))


@contextmanager
def create_or_resume(folder: Path, scenario: Scenario, facts: Mapping[str, str]) -> Iterator[Store]:
    """Open a run for writing; the only writer while it lasts.

    A scenario that asks for more of the same, further points behind those of the run or a later
    stop, becomes that of the run: what is there are its first units.

    Raises:
        ScenarioError: The folder holds a run of another scenario, with other weights, plugins,
            mode tables or pictures, or no run's database, or another process is writing to it. What
            lies there is left as it is.
    """
    if folder.exists() and not folder.is_dir():
        raise ScenarioError(f"{folder}: must be a folder, got a file")
    with writable(folder):
        folder.mkdir(parents=True, exist_ok=True)
    path = folder / FILE
    with _locked(folder):
        begun = is_begun(path)
        with told(path):
            connection = sqlite3.connect(path)
        try:
            store = Store(folder, connection)
            if begun:
                _compare(store, scenario, facts)
            with told(path):
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute("PRAGMA synchronous = NORMAL")
                if begun:
                    _grow(connection, scenario)
                else:
                    _begin(connection, scenario, facts)
            with _kept(path):
                yield store
        finally:
            # Back to a single file, unless someone is reading this run just now.
            with suppress(sqlite3.DatabaseError):
                connection.execute("PRAGMA journal_mode = DELETE")
            connection.close()


def refuse_second_writer(folder: Path) -> None:
    """`ScenarioError` if another process is writing to the run in a folder."""
    if (folder / ".lock").is_file():
        with _locked(folder):
            pass


def remove_run(folder: Path) -> None:
    """Delete a run's own files and nothing else; refused while another process writes to it."""
    if {path.name for path in folder.iterdir()} <= {".lock"}:
        return
    if not (folder / FILE).is_file() or is_foreign(folder / FILE):
        raise ScenarioError(f"--fresh: {folder} must hold a run ({FILE}); nothing was deleted")
    with _locked(folder):
        for name in ("taps", "images", "figures"):
            shutil.rmtree(folder / name, ignore_errors=True)
        for file in (*folder.glob("report.html"), *folder.glob("run.sqlite*")):
            file.unlink()


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Be the only writer of a run."""
    with writable(folder):
        lock = (folder / ".lock").open("w")
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ScenarioError(f"{folder}: another process is writing to this run") from None
        yield


def _begin(connection: sqlite3.Connection, scenario: Scenario, facts: Mapping[str, str]) -> None:
    with connection:
        connection.execute("BEGIN IMMEDIATE")  # all tables and facts at once, or nothing
        for statement in SCHEMA.split(";"):
            connection.execute(statement)
        made_by = {"scenario": scenario.model_dump_json(), **facts}
        connection.executemany("INSERT INTO run VALUES (?, ?)", made_by.items())


def is_part(run: Scenario, wanted: Scenario) -> bool:
    """Whether every unit of a run is one of another scenario, or of the same.

    A unit's random numbers are known by the number of its point, and which units a stop leaves is
    decided one after the other: so there may be further points at the end, and a later stop.
    """
    ran, now = run.sweep, wanted.sweep
    stops = [(before, getattr(wanted.stop, name)) for name, before in run.stop.model_dump().items()]
    others = [
        {k: v for k, v in json.loads(one.model_dump_json()).items() if k not in ("sweep", "stop")}
        for one in (run, wanted)
    ]
    return (
        others[0] == others[1]
        and ran.quantity == now.quantity
        and ran.values == now.values[: len(ran.values)]
        and all(old == new or (None not in (old, new) and old < new) for old, new in stops)
    )


def _grow(connection: sqlite3.Connection, scenario: Scenario) -> None:
    with connection:
        connection.execute(
            "UPDATE run SET value = ?1 WHERE key = 'scenario' AND value != ?1",
            (scenario.model_dump_json(),),
        )


def _compare(store: Store, scenario: Scenario, facts: Mapping[str, str]) -> None:
    """Refuse to go on with a run that something else made."""
    have = store.facts()
    for name, differs in (
        ("another scenario", not is_part(store.scenario, scenario)),
        ("another version of a plugin", have.get("plugins", "") != facts.get("plugins", "")),
        ("other weights", have.get("weights") != facts.get("weights")),
        ("other mode tables", have.get("mode_tables", "") != facts.get("mode_tables", "")),
        ("other pictures", have.get("pictures") != facts.get("pictures")),
    ):
        if differs:
            raise ScenarioError(
                f"{store.folder}: holds a run with {name}; "
                "give another --out, or --fresh to start it anew"
            )


@contextmanager
def _kept(path: Path) -> Iterator[None]:
    """As `told`, but what the tables themselves refuse is a mistake of ours."""
    try:
        with told(path):
            yield
    except ScenarioError as error:
        if isinstance(error.__cause__, sqlite3.IntegrityError):
            raise error.__cause__ from None
        raise
