"""Files appear whole or not at all."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from transceiver.files import writable, write_whole
from transceiver.scenario import ScenarioError


@contextmanager
def no_file_larger(size_bytes: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_file_that_does_not_fit_leaves_the_one_before(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    write_whole(path, b"before")
    with (
        pytest.raises(
            ScenarioError, match=r"a\.bin: must be writable, with space on its disk, got"
        ),
        no_file_larger(1000),
    ):
        write_whole(path, bytes(5000))
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]
    write_whole(path, bytes(5000))
    assert path.read_bytes() == bytes(5000)


def test_a_folder_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ScenarioError, match=r"file/x: must be writable.* got: Not a directory"):
        write_whole(tmp_path / "file" / "x", b"")
    with pytest.raises(ScenarioError, match="File exists"), writable(tmp_path / "file"):
        (tmp_path / "file").mkdir()
