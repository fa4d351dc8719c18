"""Commands as processes of their own, and what is left of them."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

DEADLINE_S = 900.0
"""For whatever is waited for; some seconds on a machine that is free."""


@dataclass(frozen=True)
class Command:
    """A command that runs, in a session of its own."""

    process: "subprocess.Popen[str]"

    def end(self) -> tuple[int, str, str]:
        """Exit code, standard output, standard error."""
        out, err = self.process.communicate(timeout=DEADLINE_S)
        return self.process.returncode, out, err

    def others(self) -> list[int]:
        """What it has started and what still lives, itself left out."""
        found = []
        for entry in Path("/proc").iterdir():
            with suppress(OSError, ValueError):
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                state, session = fields[0], int(fields[3])
                if session == self.process.pid != int(entry.name) and state != "Z":
                    found.append(int(entry.name))
        return sorted(found)

    def workers(self) -> list[int]:
        """Its worker processes, known by the words of `multiprocessing`."""
        found = []
        for other in self.others():
            with suppress(OSError):
                words = Path(f"/proc/{other}/cmdline").read_bytes()
                if b"spawn_main" in words:
                    found.append(other)
        return found


Start = Callable[..., Command]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start ``transceiver ARGUMENTS``; none outlives the test."""
    begun: list[Command] = []

    def go(*arguments: object, through: tuple[str, ...] = (), **environment: str) -> Command:
        words = [*through, sys.executable, "-m", "transceiver.cli", *map(str, arguments)]
        paths = os.pathsep.join(filter(None, sys.path))
        process = subprocess.Popen(
            words,
            cwd=tmp_path,
            env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": paths} | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        begun.append(Command(process))
        return begun[-1]

    yield go
    for command in begun:
        for process in (command.process.pid, *command.others()):
            with suppress(ProcessLookupError):
                os.kill(process, 9)
        command.process.communicate()


@pytest.fixture
def scenario_file(tmp_path: Path) -> Callable[[dict[str, Any]], Path]:
    """A scenario's data as a file."""

    def write(data: dict[str, Any]) -> Path:
        path = tmp_path / "scenario.yaml"
        path.write_text(yaml.safe_dump(data, sort_keys=False))
        return path

    return write


def wait_until(happened: Callable[[], bool], what: str) -> None:
    until = time.monotonic() + DEADLINE_S
    while not happened():
        assert time.monotonic() < until, f"waited in vain until {what}"
        time.sleep(0.02)


@pytest.fixture
def wait() -> Callable[[Callable[[], bool], str], None]:
    """Wait until something has happened."""
    return wait_until


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[int], Path]]:
    """A disk of so many KiB in memory: full as a disk is, which limits and quotas are not."""
    mounted: list[Path] = []

    def make(kib: int) -> Path:
        folder = tmp_path / f"disk{len(mounted)}"
        folder.mkdir()
        _mount("-t", "tmpfs", "-o", f"size={kib}k", "tmpfs", str(folder))
        mounted.append(folder)
        return folder

    yield make
    for folder in mounted:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@contextmanager
def read_only_again(folder: Path) -> Iterator[None]:
    _mount("-o", "remount,ro", str(folder))
    try:
        yield
    finally:
        _mount("-o", "remount,rw", str(folder))


@pytest.fixture
def read_only() -> Callable[[Path], Any]:
    """A small disk that cannot be written, not even by root, while a context lasts."""
    return read_only_again


def _mount(*words: str) -> None:
    done = subprocess.run(["mount", *words], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"a disk of its own needs the right to mount: {done.stderr.strip()}")
