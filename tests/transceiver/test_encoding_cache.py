"""The folder of encodings: whole entries or none, and no more than allowed."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from transceiver.encodings import EncodingCache, default_folder

KEY = "0123456789abcdef" * 4


@pytest.fixture
def cache(tmp_path: Path) -> EncodingCache:
    return EncodingCache(tmp_path / "cache")


def _entries(cache: EncodingCache) -> list[Path]:
    return sorted(path for path in cache.folder.rglob("*") if path.is_file())


def test_an_entry_is_kept_and_replaced(cache: EncodingCache) -> None:
    assert cache.get(KEY) is None
    cache.put(KEY, b"first")
    assert EncodingCache(cache.folder).get(KEY) == b"first"
    cache.put(KEY, b"")
    assert cache.get(KEY) == b""
    assert [p.relative_to(cache.folder).as_posix() for p in _entries(cache)] == [f"01/{KEY}"]


@pytest.mark.parametrize(
    "damage",
    [
        lambda _: b"",
        lambda data: data[:-1],
        lambda data: data + b"\0",
        lambda data: b"X" + data[1:],
        lambda data: data[:-3] + bytes([data[-3] ^ 1]) + data[-2:],
    ],
)
def test_a_damaged_entry_is_removed(cache: EncodingCache, damage: Callable[[bytes], bytes]) -> None:
    cache.put(KEY, b"content")
    (path,) = _entries(cache)
    path.write_bytes(damage(path.read_bytes()))
    assert cache.get(KEY) is None
    assert _entries(cache) == []


def test_an_entry_of_another_key_is_none(cache: EncodingCache) -> None:
    cache.put(KEY, b"content")
    (path,) = _entries(cache)
    path.rename(path.with_name(KEY[:-1] + "0"))
    assert cache.get(KEY[:-1] + "0") is None


def test_the_oldest_entries_go_first(tmp_path: Path) -> None:
    """Ten blocks of disk: what was used last stays."""
    cache = EncodingCache(tmp_path, limit_bytes=10 * 4096)
    names = [f"{i:02x}" + "0" * 62 for i in range(10)]
    for age, name in enumerate(names):
        cache.put(name, bytes(1000))
        path = tmp_path / name[:2] / name
        os.utime(path, (1e9 + age, 1e9 + age))
    assert cache.get(names[0]) == bytes(1000)  # used now
    cache.trim()
    assert len(_entries(cache)) == 10  # no more than allowed
    cache.put("ff" + "0" * 62, bytes(5000))  # two blocks: twelve
    cache.trim()
    left = {path.name for path in _entries(cache)}
    assert left == {names[0], *names[4:], "ff" + "0" * 62}  # nine blocks


def test_a_writer_looks_after_the_limit(tmp_path: Path) -> None:
    cache = EncodingCache(tmp_path, limit_bytes=32 * 4096)
    for i in range(100):
        cache.put(f"{i:064x}", bytes(100))
        assert len(_entries(cache)) <= 34


def test_unfinished_files_are_not_read_and_go_when_they_are_old(cache: EncodingCache) -> None:
    cache.put(KEY, b"content")
    new, old = (cache.folder / "01" / f"{KEY}.{i}.partial" for i in (1, 2))
    new.write_bytes(b"half")
    old.write_bytes(b"half")
    os.utime(old, (time.time() - 7200,) * 2)
    cache.trim()
    assert new.exists()
    assert not old.exists()
    assert cache.get(KEY) == b"content"


def test_a_folder_that_cannot_be_written_keeps_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    cache = EncodingCache(tmp_path / "file")
    cache.put(KEY, b"content")
    assert cache.get(KEY) is None
    cache.trim()


def test_a_limit_has_room_for_something(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="limit_bytes must be at least 4096, got 0"):
        EncodingCache(tmp_path, limit_bytes=0)


def test_many_processes_write_at_once(tmp_path: Path) -> None:
    """Whatever a reader meets is whole."""
    code = """
import runpy, sys
from pathlib import Path
cache = runpy.run_path(sys.argv[1], run_name="cache")["EncodingCache"](Path(sys.argv[2]), 64 * 4096)
for key in (f"{i % 8:064x}" for i in range(400)):
    cache.put(key, key.encode() * 99)
    assert cache.get(key) in (None, key.encode() * 99)
"""
    module = sys.modules[EncodingCache.__module__].__file__
    assert module is not None
    writers = [
        subprocess.Popen([sys.executable, "-c", code, module, str(tmp_path)]) for _ in range(3)
    ]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    assert len(_entries(EncodingCache(tmp_path))) == 8


def test_the_default_folder_is_in_the_users_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert default_folder() == Path("/somewhere/semantic-transceiver/encodings")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/home/me")
    assert default_folder() == Path("/home/me/.cache/semantic-transceiver/encodings")
