"""Files that a command writes: whole or not at all, and one line where that cannot be."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from transceiver.scenario.load import ScenarioError

GOES_ON = "what is done is kept, and the same command goes on from there"


@contextmanager
def writable(path: Path) -> Iterator[None]:
    """Name the file and the rule where a disk is full, read-only or refuses for another reason.

    >>> try:
    ...     with writable(Path("runs/a/taps")):
    ...         raise OSError(28, "No space left on device")
    ... except ScenarioError as error:
    ...     print(str(error).partition(";")[0])
    runs/a/taps: must be writable, with space on its disk, got: No space left on device
    """
    try:
        yield
    except OSError as error:
        raise ScenarioError(
            f"{path}: must be writable, with space on its disk, got: "
            f"{error.strerror or error}; {GOES_ON}"
        ) from error


def write_whole(path: Path, content: bytes) -> None:
    """Write a file that appears whole or not at all; until then what was there before stays.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "a.txt"
    >>> write_whole(path, b"abc")
    >>> path.read_bytes(), [p.name for p in path.parent.iterdir()]
    (b'abc', ['a.txt'])

    Raises:
        ScenarioError: It cannot be written.
    """
    partial = path.with_name(f"{path.name}.partial")
    with writable(path):
        try:
            partial.write_bytes(content)
            partial.replace(path)
        except OSError:
            with suppress(OSError):
                partial.unlink()
            raise
