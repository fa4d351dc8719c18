"""What a command meets outside itself is one line: no memory, no space, another writer."""

import errno
import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from transceiver import commands
from transceiver.scenario import ScenarioError, parse
from transceiver.store import Store, create_or_resume

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def file(change: Any, tmp_path: Path) -> Path:
    path = tmp_path / "s.yaml"
    data = change(
        **{"stop.trials": 1, "sweep.esn0_db": [2.0], "codecs.bpg": ..., "images.limit": 1}
    )
    path.write_text(yaml.safe_dump(data, sort_keys=False))
    return path


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
        RuntimeError("can't start new thread"),
    ],
)
def test_no_memory_says_what_takes_less(
    call: Call, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def none_left(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(importlib.import_module("transceiver.sweep.run"), "carry", none_left)
    found = call("run", file, "--out", tmp_path / "run")
    assert found == (
        2,
        "",
        "error: memory must suffice for a batch, got: out of memory; what is done is kept; "
        "a smaller --batch, fewer --jobs or smaller pictures take less\n",
    )


def test_another_runtime_error_is_no_want_of_memory() -> None:
    with pytest.raises(RuntimeError, match="ours"), commands.user_errors():
        raise RuntimeError("a mistake of ours")


def test_a_second_run_is_refused_before_anything_is_loaded(
    call: Call, file: Path, change: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def loaded(*_: object, **__: object) -> None:
        raise AssertionError("it should have been refused before")

    monkeypatch.setattr(commands, "check", loaded)
    monkeypatch.setattr(commands, "open_pictures", loaded)
    with create_or_resume(tmp_path / "run", parse(change()), {"weights": "w", "pictures": "p"}):
        for words in ((), ("--fresh",)):
            code, out, err = call("run", file, "--out", tmp_path / "run", *words)
            assert (code, out) == (2, "")
            assert err == f"error: {tmp_path / 'run'}: another process is writing to this run\n"


def test_a_database_without_space_is_named(finished: Store, change: Any, tmp_path: Path) -> None:
    """SQLite's own limit stands for the disk; what was committed before stays."""
    units = list(finished.units("vq", 0))
    many = [
        type(u)(**{**vars(u), "key": type(u.key)("vq", p, u.key.image, u.key.trial)})
        for p in range(40)
        for u in units
    ]
    with create_or_resume(
        tmp_path / "r", parse(change()), {"weights": "", "pictures": ""}
    ) as store:
        store.commit(many[:6], stages={}, seconds={})
        (pages,) = store._db.execute("PRAGMA page_count").fetchone()
        store._db.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(
            ScenarioError, match=r"run\.sqlite: must be writable, with .* full; what is done"
        ):
            store.commit(many[6:], stages={}, seconds={})
        assert len(store.done("vq", 0)) == 6
        assert store.count("vq", 1) == 0


def test_what_sqlite_refuses_in_the_middle_of_a_run_is_named(change: Any, tmp_path: Path) -> None:
    """Also where it only reads, for which it makes files of its own."""
    facts = {"weights": "", "pictures": ""}
    with (
        pytest.raises(
            ScenarioError, match=r"r/run\.sqlite: must be the database of a run: no such"
        ),
        create_or_resume(tmp_path / "r", parse(change()), facts) as store,
    ):
        store._db.execute("SELECT * FROM absent")


def test_a_cache_that_cannot_be_made_ends_no_run(call: Call, file: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    words = ("--out", tmp_path / "run", "--no-figures")
    code, _, err = call("run", file, *words, "--cache", tmp_path / "file" / "cache")
    assert (code, err) == (0, "")
    code, _, err = call("run", file, *words, "--cache", tmp_path / "file")
    assert (code, err) == (2, f"error: --cache: must be a folder, got {tmp_path / 'file'}\n")


def test_a_full_disk_names_the_file(
    call: Call, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`Path.write_bytes` tells no name when it is the writing that fails."""
    code, _, err = call("run", file, "--out", tmp_path / "run", "--no-figures")
    assert (code, err) == (0, "")

    def full(_: Path, __: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    for words, name in (
        (("show",), "figures/psnr.png"),
        (("export",), "results.csv"),
        (("report",), "report.html"),
    ):
        code, _, err = call(*words, tmp_path / "run")
        assert code == 2
        assert err.startswith(f"error: {tmp_path / 'run' / name}: must be writable, with space")
        assert err.count("\n") == 1
