"""A folder of entries, each known by a digest of what it was made from.

::

    FOLDER/4f/4fa1...9c    magic | SHA-256 of key and content | content

An entry appears whole or not at all; one that was damaged later is found by its digest and removed.
Any number of processes may read and write at once.
"""

import hashlib
import os
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

DEFAULT_LIMIT_BYTES = 2_000_000_000

_MAGIC = b"STE\x01"
_DIGEST_BYTES = 32
_BLOCK_BYTES = 4096
"""Files take whole blocks of the disk, about so large."""

_KEPT_SHARE = 0.9
"""Of the limit: what is left after the oldest entries were removed."""

_STALE_S = 3600.0
"""Age of an unfinished file that no living process can be writing."""


def default_folder() -> Path:
    """``$XDG_CACHE_HOME/semantic-transceiver/encodings``; ``~/.cache`` without that variable."""
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(cache).expanduser() / "semantic-transceiver" / "encodings"


@dataclass
class EncodingCache:
    """Entries by their keys, hexadecimal SHA-256 digests.

    Attributes:
        folder: Where they lie; made when the first is written.
        limit_bytes: What they may take on disk. Each process looks after it whenever it has written
            a sixteenth of it, so it may be exceeded by as much for a while.

    >>> import tempfile
    >>> cache = EncodingCache(Path(tempfile.mkdtemp()))
    >>> key = hashlib.sha256(b"what it is made from").hexdigest()
    >>> cache.put(key, b"content")
    >>> cache.get(key)
    b'content'
    """

    folder: Path
    limit_bytes: int = DEFAULT_LIMIT_BYTES
    _written_bytes: int = field(default=0, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Refuse a limit below one block."""
        if self.limit_bytes < _BLOCK_BYTES:
            raise ValueError(f"limit_bytes must be at least {_BLOCK_BYTES}, got {self.limit_bytes}")

    def get(self, key: str) -> bytes | None:
        """The content of an entry; None if there is none, or it was damaged."""
        path = self._path(key)
        try:
            data = path.read_bytes()
        except OSError:
            return None
        start = len(_MAGIC) + _DIGEST_BYTES
        content = data[start:]
        if data[:start] != _MAGIC + _digest(key, content):
            with suppress(OSError):
                path.unlink()
            return None
        with suppress(OSError):
            os.utime(path)  # used now: the last to be removed
        return content

    def put(self, key: str, content: bytes) -> None:
        """Keep an entry; without effect where the folder cannot be written."""
        path = self._path(key)
        partial = path.with_name(f"{key}.{os.getpid()}.partial")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            partial.write_bytes(_MAGIC + _digest(key, content) + content)
            partial.replace(path)
        except OSError:
            with suppress(OSError):
                partial.unlink()
            return
        self._written_bytes += _on_disk(len(content))
        if self._written_bytes > self.limit_bytes // 16:
            self.trim()

    def trim(self) -> None:
        """Remove the entries that were not used for the longest time, if there are too many."""
        self._written_bytes = 0
        entries = []
        for path in self.folder.glob("??/*"):
            with suppress(OSError):  # another process has removed it
                found = path.stat()
                if path.suffix == ".partial":
                    if time.time() - found.st_mtime > _STALE_S:
                        path.unlink()
                    continue
                entries.append((found.st_mtime_ns, path.name, _on_disk(found.st_size), path))
        total = sum(size for _, _, size, _ in entries)
        if total <= self.limit_bytes:
            return
        for _, _, size, path in sorted(entries):
            if total <= _KEPT_SHARE * self.limit_bytes:
                return
            with suppress(OSError):
                path.unlink()
            total -= size

    def _path(self, key: str) -> Path:
        return self.folder / key[:2] / key


def _digest(key: str, content: bytes) -> bytes:
    return hashlib.sha256(key.encode() + content).digest()


def _on_disk(size: int) -> int:
    return -(-size // _BLOCK_BYTES) * _BLOCK_BYTES
