"""Disks that are full or cannot be written: one line, and the same rows once there is space."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from transceiver.store import Store, open_run

pytestmark = pytest.mark.endurance


def _arguments(file: Path, folder: Path, *more: object) -> tuple[object, ...]:
    return "run", file, "--out", folder, "--batch", 2, *more


def _filled(disk: Path, left_kib: int) -> Path:
    """A file that leaves so much of a disk."""
    space = os.statvfs(disk)
    ballast = disk / "ballast"
    ballast.write_bytes(bytes(space.f_bavail * space.f_frsize - left_kib * 1024))
    return ballast


def _said(errors: str) -> list[str]:
    """Without what is said when kernels are compiled and fonts are found for the first time."""
    first = ("compiling ", "Matplotlib is building")
    return [line for line in errors.splitlines() if not line.startswith(first)]


def _one_line(errors: str, folder: Path) -> str:
    """The only line of an error that names a file of the run and the rule."""
    lines = _said(errors)
    assert len(lines) == 1, errors
    assert lines[0].startswith(f"error: {folder}"), errors
    assert "must be writable, with space on its disk, got: " in lines[0]
    return lines[0]


@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize("left_kib", [4, 64, 160])
def test_a_full_disk(
    left_kib: int,
    jobs: int,
    finished: Store,
    start: Any,
    base: dict[str, Any],
    scenario_file: Callable[[dict[str, Any]], Path],
    small_disk: Callable[[int], Path],
) -> None:
    """It is full before the database is begun, in the middle, or among the last files."""
    disk = small_disk(1024)
    file, folder = scenario_file(base), disk / "run"
    ballast = _filled(disk, left_kib)
    words = _arguments(file, folder, "--jobs", jobs, "--no-figures")
    code, _, errors = start(*words).end()
    assert code == 2, errors
    _one_line(errors, folder)
    ballast.unlink()
    code, _, errors = start(*words).end()
    assert code == 0, errors
    assert open_run(folder).rows() == finished.rows()
    assert not list(folder.rglob("*.partial"))


def test_no_space_for_figures_page_and_table(
    finished: Store,
    start: Any,
    base: dict[str, Any],
    scenario_file: Callable[[dict[str, Any]], Path],
    small_disk: Callable[[int], Path],
) -> None:
    """What is done stays done; what was drawn before stays as it was."""
    disk = small_disk(16 * 1024)
    file, folder = scenario_file(base), disk / "run"
    shutil.copytree(finished.folder, folder)
    ballast = _filled(disk, 20)
    for words, wanted in (
        (("show", folder), "figures/psnr.png"),
        (("report", folder), "report.html"),
        (("export", folder), "results.csv"),
        (_arguments(file, folder), "run.sqlite"),
    ):
        if words[0] == "export":
            ballast.write_bytes(ballast.read_bytes() + bytes(16 * 1024))
        code, out, errors = start(*words).end()
        assert code == 2, errors
        assert wanted in _one_line(errors, folder)
        assert ("BLER" in out) == (words[0] == "show")  # the table is printed all the same
        assert not list(folder.rglob("*.partial"))
    ballast.unlink()
    code, out, errors = start(*_arguments(file, folder)).end()
    assert (code, _said(errors)) == (0, [])
    assert str(folder / "figures" / "psnr.png") in out
    assert open_run(folder).rows() == finished.rows()


def test_a_cache_that_cannot_be_written_ends_nothing(
    finished: Store,
    start: Any,
    base: dict[str, Any],
    scenario_file: Callable[[dict[str, Any]], Path],
    small_disk: Callable[[int], Path],
    read_only: Callable[[Path], Any],
    tmp_path: Path,
) -> None:
    """Full, then read-only, with and without a folder of that name."""
    disk, file = small_disk(64), scenario_file(base)
    (disk / "kept").mkdir()
    _filled(disk, 0)

    def run(name: str, cache: Path, jobs: int) -> None:
        words = _arguments(file, tmp_path / name, "--no-figures", "--cache", cache, "--jobs", jobs)
        code, _, errors = start(*words, XDG_CACHE_HOME=str(disk)).end()
        assert code == 0, errors
        assert open_run(tmp_path / name).rows() == finished.rows()

    run("full", disk / "kept", 2)
    with read_only(disk):
        run("read-only", disk / "new", 1)


def test_a_folder_that_cannot_be_written(
    finished: Store,
    start: Any,
    base: dict[str, Any],
    scenario_file: Callable[[dict[str, Any]], Path],
    small_disk: Callable[[int], Path],
    read_only: Callable[[Path], Any],
) -> None:
    """A new run, one that is done, and what reads: tables are printed, figures refused."""
    disk, file = small_disk(16 * 1024), scenario_file(base)
    shutil.copytree(finished.folder, disk / "done")
    (disk / "empty").mkdir()
    before = (disk / "done" / "run.sqlite").read_bytes()
    with read_only(disk):
        for name in ("new", "empty", "done"):
            code, _, errors = start(*_arguments(file, disk / name)).end()
            assert code == 2, errors
            assert "Read-only file system" in _one_line(errors, disk / name)
        code, out, errors = start("show", disk / "done").end()
        assert code == 2
        assert "BLER" in out
        assert "figures" in _one_line(errors, disk / "done")
        code, out, errors = start("taps", disk / "done").end()
        assert (code, _said(errors)) == (0, [])
        for words in (("report", disk / "done"), ("export", disk / "done")):
            code, _, errors = start(*words).end()
            assert code == 2
            _one_line(errors, disk / "done")
    assert (disk / "done" / "run.sqlite").read_bytes() == before


def test_a_user_without_rights(
    start: Any,
    base: dict[str, Any],
    scenario_file: Callable[[dict[str, Any]], Path],
    tmp_path: Path,
) -> None:
    """Root may write everywhere, and so gives that right up."""
    through: tuple[str, ...] = ()
    if os.getuid() == 0:
        through = ("setpriv", "--bounding-set=-dac_override", "--inh-caps=-dac_override")
    folder = tmp_path / "owned"
    folder.mkdir(mode=0o500)
    arguments = _arguments(scenario_file(base), folder / "run")
    code, _, errors = start(*arguments, through=through).end()
    assert code == 2, errors
    assert "Permission denied" in _one_line(errors, folder / "run")
    assert list(folder.iterdir()) == []
