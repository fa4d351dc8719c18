"""The SQLite file of a run: its tables, what may be wrong with it, and sums over its rows.

A file is examined over a connection that cannot write before anything else is done with it, so
that what is damaged, or is another program's, stays as it is.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from transceiver.counters import NAMES, Counters
from transceiver.files import GOES_ON
from transceiver.scenario import ScenarioError

LAYOUT = 2
"""Kept as SQLite's user_version; raise it with every change of the tables."""

SCHEMA = f"""
PRAGMA user_version = {LAYOUT};
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

_TABLES = {"run", "unit", "metric", "stage", "timing"}

_WIDE = {"displacement", "symbol_power", "gain_power", "noise_power", "error_power"}
"""Counters in units of 2^-20, whose sums may exceed 63 bits."""

_DISK = {
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PERM,
}


@contextmanager
def told(path: Path) -> Iterator[None]:
    """What SQLite refuses becomes one line with the file and the rule."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in _DISK:
            raise ScenarioError(
                f"{path}: must be writable, with space on its disk, got: {error}; {GOES_ON}"
            ) from error
        raise ScenarioError(f"{path}: must be the database of a run: {error}") from error


def open_for_reading(path: Path) -> sqlite3.Connection:
    """The database of a run, over a connection that cannot write.

    Raises:
        ScenarioError: There is none, it is damaged, or of another layout.
    """
    if not path.is_file():
        raise ScenarioError(f"{path.parent}: must be the folder of a run (with {path.name})")
    connection = _connect(path)
    try:
        if not _examined(path, connection):
            raise ScenarioError(f"{path}: must be the database of a run, got an empty one")
    except ScenarioError:
        connection.close()
        raise
    return connection


def is_begun(path: Path) -> bool:
    """Whether a file holds a run; not if there is none, or one in which nothing was begun.

    Raises:
        ScenarioError: It is something else, is damaged, or of another layout.
    """
    if not path.is_file():
        return False
    with closing(_connect(path)) as connection:
        return _examined(path, connection)


def is_foreign(path: Path) -> bool:
    """Whether a file is an undamaged database, but no run's."""
    with closing(_connect(path)) as connection:
        try:
            tables = _tables(connection)
        except sqlite3.DatabaseError:
            return False
    return bool(tables) and not {"run", "unit"} <= tables


def _connect(path: Path) -> sqlite3.Connection:
    with told(path):
        return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)


def _tables(connection: sqlite3.Connection) -> set[str]:
    found = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
    return {name for (name,) in found}


def _examined(path: Path, connection: sqlite3.Connection) -> bool:
    """Whether the database is a run's; False if it is empty."""
    with told(path):
        tables = _tables(connection)
        (layout,) = connection.execute("PRAGMA user_version").fetchone()
        if not tables and layout == 0:
            return False
        if not {"run", "unit"} <= tables:
            raise ScenarioError(
                f"{path}: must be the database of a run, got one of another program, with "
                f"{', '.join(sorted(tables)[:3]) or 'no table'}"
            )
        if layout != LAYOUT:
            raise ScenarioError(
                f"{path}: the tables must be of layout {LAYOUT}, got {layout}: "
                "another version of transceiver made this run"
            )
        (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        if verdict != "ok" or not tables >= _TABLES:
            missing = ", ".join(sorted(_TABLES - tables))
            reason = " ".join(verdict.split()) if verdict != "ok" else f"no table {missing}"
            raise ScenarioError(f"{path}: must be the undamaged database of a run, got: {reason}")
    return True


@dataclass(frozen=True)
class Totals:
    """Sums over the units of a codec at a point.

    Attributes:
        units: How many there are.
        samples_sent: 3 H W of those that were sent, summed.
        failures, outages: How many of them.
        counters: Sums.
    """

    units: int
    samples_sent: int
    failures: int
    outages: int
    counters: Counters


def totals(connection: sqlite3.Connection, codec: str, point: int) -> Totals:
    """Sums over the units of a codec at a point, exact whatever their size.

    SQLite adds in 64 bits; what may need more is added in two halves.
    """
    columns = [
        f"SUM({name} >> 31), SUM({name} & 2147483647)" if name in _WIDE else f"SUM({name})"
        for name in NAMES
    ]
    found = connection.execute(
        "SELECT COUNT(*), SUM(samples * (1 - outage)), SUM(failure), SUM(outage), "
        f"{', '.join(columns)} FROM unit WHERE codec = ? AND point = ?",
        (codec, point),
    ).fetchone()
    units, *sums = found
    if not units:
        return Totals(0, 0, 0, 0, Counters())
    parts = iter(sums)
    samples, failures, outages = next(parts), next(parts), next(parts)
    counts = [(next(parts) << 31) + next(parts) if name in _WIDE else next(parts) for name in NAMES]
    return Totals(units, samples, failures, outages, Counters(*counts))
