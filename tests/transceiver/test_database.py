"""What is damaged or another program's is refused in one line and stays as it is."""

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from transceiver.counters import NAMES, Counters, total
from transceiver.database import LAYOUT, open_for_reading, totals
from transceiver.html.page import report
from transceiver.results import rows
from transceiver.scenario import ScenarioError
from transceiver.store import Store, create_or_resume, open_run, remove_run

Run = Callable[..., Store]


def _flipped(content: bytes, places: range) -> bytes:
    changed = bytearray(content)
    for place in places:
        changed[place] ^= 0xFF
    return bytes(changed)


def _other_program(_: bytes, path: Path) -> None:
    path.unlink()
    with closing(sqlite3.connect(path)) as other, other:
        other.execute("CREATE TABLE recipe (name TEXT)")
        other.execute("INSERT INTO recipe VALUES ('soup')")


def _with(statement: str) -> Callable[[bytes, Path], None]:
    def change(_: bytes, path: Path) -> None:
        with closing(sqlite3.connect(path)) as database, database:
            database.execute(statement)

    return change


def _bytes(make: Callable[[bytes], bytes]) -> Callable[[bytes, Path], None]:
    return lambda content, path: path.write_bytes(make(content)) and None


DAMAGE: dict[str, tuple[Callable[[bytes, Path], None], str]] = {
    "text": (_bytes(lambda _: b"no database at all\n" * 300), "must be the database of a run"),
    "short": (_bytes(lambda c: c[:50]), "must be the database of a run"),
    "half": (_bytes(lambda c: c[: len(c) // 2]), "must be the"),
    "header": (_bytes(lambda c: _flipped(c, range(16))), "must be the database of a run"),
    "page size": (_bytes(lambda c: _flipped(c, range(16, 18))), "must be the"),
    "pages": (_bytes(lambda c: _flipped(c, range(4096, len(c), 97))), "must be the"),
    "other program": (_other_program, "got one of another program, with recipe"),
    "future": (_with(f"PRAGMA user_version = {LAYOUT + 1}"), f"of layout {LAYOUT}, got 3"),
    "table": (_with("DROP TABLE timing"), "got: no table timing"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_is_one_line_and_changes_nothing(
    damage: str, finished: Store, tmp_path: Path, call: Any
) -> None:
    folder = tmp_path / "r"
    shutil.copytree(finished.folder, folder)
    path, (change, words) = folder / "run.sqlite", DAMAGE[damage]
    change(path.read_bytes(), path)
    left = path.read_bytes()
    for command in ("show", "taps", "export", "report"):
        code, out, err = call(command, folder)
        assert (code, out, err.count("\n")) == (2, "", 1), err
        assert err.startswith(f"error: {path}: ")
        assert words in err
    with (
        pytest.raises(ScenarioError, match=words),
        create_or_resume(folder, finished.scenario, finished.facts()),
    ):
        pass
    assert path.read_bytes() == left
    assert not list(folder.glob("run.sqlite-*"))


def test_a_foreign_database_is_not_deleted_either(tmp_path: Path) -> None:
    path = tmp_path / "run.sqlite"
    path.touch()
    _other_program(b"", path)
    with pytest.raises(ScenarioError, match=r"--fresh: .* must hold a run .*; nothing was deleted"):
        remove_run(tmp_path)
    path.write_bytes(b"what a damaged disk has made of a run")
    remove_run(tmp_path)
    assert not path.exists()


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("UPDATE run SET value = '{' WHERE key = 'scenario'", "must hold a scenario"),
        ("DELETE FROM run WHERE key = 'scenario'", "must hold a scenario"),
        ("DELETE FROM run WHERE key LIKE 'nominal%'", "must hold counts of a run"),
        ("UPDATE unit SET block_errors = blocks + 1", "errors must be from 0"),
        ("UPDATE unit SET symbols = -symbols", "must hold counts of a run"),
    ],
)
def test_values_that_no_run_has(
    statement: str, words: str, finished: Store, tmp_path: Path
) -> None:
    shutil.copytree(finished.folder, tmp_path / "r")
    _with(statement)(b"", tmp_path / "r" / "run.sqlite")
    with pytest.raises(ScenarioError, match=words):
        list(rows(open_run(tmp_path / "r")))
    with pytest.raises(ScenarioError, match=words):
        report([tmp_path / "r"])


def test_sums_are_those_of_the_units(finished: Store) -> None:
    for point in (0, 1):
        for codec in ("vq", "bpg", "jpeg"):
            units = list(finished.units(codec, point))
            sums = finished.totals(codec, point)
            assert sums.counters == total([u.counters for u in units])
            assert sums.units == finished.count(codec, point) == len(units) == 6
            assert sums.failures == sum(u.failure for u in units)
            assert sums.outages == sum(u.outage for u in units)
            assert sums.samples_sent == sum(u.samples for u in units if not u.outage)
            assert [finished.unit(u.key) for u in units] == units
            values = finished.values(codec, point, "psnr")
            assert values == {
                i: [u.metrics["psnr"] for u in units if u.key.image == i] for i in range(3)
            }
    assert finished.totals("vq", 2).counters == Counters()
    assert finished.unit(units[0].key.__class__("vq", 9, 0, 0)) is None


def test_sums_beyond_64_bits(finished: Store, tmp_path: Path) -> None:
    path = tmp_path / "run.sqlite"
    shutil.copy(finished.path, path)
    most = 2**63 - 1
    _with(f"UPDATE unit SET noise_power = {most}, displacement = {most}")(b"", path)
    with closing(open_for_reading(path)) as database:
        counters = totals(database, "vq", 0).counters
    assert counters.noise_power == counters.displacement == 6 * most
    assert len(vars(counters)) == len(NAMES)
