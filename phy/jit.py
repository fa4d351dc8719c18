"""Loops compiled to machine code: how every kernel of this package is compiled, kept and announced.

A kernel is compiled at its first call with arguments of new types (a second or so) and kept on disk
beside its source file, or in the user's cache folder where that cannot be written, for the next
process (nowhere if neither can); a change to any source of a kernel in its folder, or in this one,
has it compiled anew. It runs without the interpreter's lock. Floating-point arithmetic is exactly
what the source says, in its order: nothing is reassociated or contracted.
"""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
from numba.core import event

_HERE = Path(__file__).parent

F = TypeVar("F", bound=Callable[..., object])


def kernel(function: F) -> F:
    """Compile a function of numbers and NumPy arrays.

    Indices are not checked, and division by zero gives inf or NaN as in NumPy.

    >>> import numpy as np
    >>> @kernel
    ... def total(x):
    ...     s = 0.0
    ...     for value in x:
    ...         s += value
    ...     return s
    >>> total(np.ones(3))
    3.0
    """
    file = Path(function.__code__.co_filename)
    on_disk = file.exists()  # not what is typed at a prompt
    compiled: Any = numba.njit(nogil=True, error_model="numpy")(function)
    if on_disk:
        with suppress(RuntimeError):  # no folder can be written: each process compiles for itself
            compiled.enable_caching()
            # numba would look at this file alone, not at those it takes functions from
            kept = compiled._cache._cache_file
            kept._source_stamp = (kept._source_stamp, _sources(file.parent), _sources(_HERE))
            compiled._cache.save_overload = _if_there_is_space(compiled._cache.save_overload)
    return cast("F", compiled)


def _if_there_is_space(save: Callable[..., None]) -> Callable[..., None]:
    """Keep a kernel unless the disk is full: it is compiled, and the work goes on."""

    def tried(signature: object, result: object) -> None:
        with suppress(OSError):
            save(signature, result)

    return tried


@cache
def _sources(folder: Path) -> str:
    """SHA-256 of those source files of a folder that have to do with kernels."""
    digest = hashlib.sha256()
    for path in sorted(folder.glob("*.py")):
        source = path.read_bytes()
        if b"phy.jit" in source or b"llvmlite" in source:
            digest.update(source)
    return digest.hexdigest()


@contextmanager
def announced(say: Callable[[str], None]) -> Iterator[None]:
    """Call ``say`` with a kernel's name whenever one is about to be compiled, not merely loaded."""
    listener = _Listener(say)
    event.register("numba:compile", listener)  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        event.unregister("numba:compile", listener)  # type: ignore[no-untyped-call]


class _Listener(event.Listener):
    """Names the outermost function; what it calls is compiled along with it."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._depth = 0

    def on_start(self, event: event.Event) -> None:
        if not self._depth:
            self._say(event.data["dispatcher"].py_func.__qualname__)
        self._depth += 1

    def on_end(self, event: event.Event) -> None:  # noqa: ARG002
        self._depth -= 1
