"""Kernels: compiled once, announced when they are, found again on disk."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from phy.jit import announced, kernel


@kernel
def _half(x):
    return x / 2


@kernel
def _quarter(x):
    return _half(_half(x))


_OTHER = """
from phy.jit import kernel

@kernel
def inner(x):
    return x + 1
"""

_KERNELS = """
import numpy as np
from phy.jit import announced, kernel
from other import inner

@kernel
def outer(x):
    return inner(x[0])

names = []
with announced(names.append):
    results = outer(np.ones(1)), outer(np.ones(2))
print(names, *results)
"""


def test_a_kernel_is_compiled_once_and_again_only_when_its_folder_changes(tmp_path: Path) -> None:
    (tmp_path / "other.py").write_text(_OTHER)
    (tmp_path / "kernels.py").write_text(_KERNELS)
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "cache")}

    def said() -> str:
        command = [sys.executable, "-c", "import kernels"]
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    assert said() == "['outer'] 2.0 2.0"  # named once, without the function that it calls
    assert said() == "[] 2.0 2.0"  # found on disk
    (tmp_path / "other.py").write_text(_OTHER.replace("x + 1", "x + 5"))
    assert said() == "['outer'] 6.0 6.0"


def test_division_by_zero_is_as_in_numpy() -> None:
    @kernel
    def inverse(x):
        return 1.0 / x

    assert inverse(0.0) == np.inf


def test_nothing_is_announced_outside() -> None:
    names: list[str] = []
    with announced(names.append):
        pass
    assert _quarter(np.float64(2.0)) == 0.5
    assert names == []


_UNKEPT = """
import sys
import numba.core.caching as caching

def full(self, key, data):
    raise OSError(28, "No space left on device")

if sys.argv[1] == "full":
    caching.IndexDataCacheFile.save = full
else:  # neither the folder of the source nor the user's can be written
    caching.CompileResultCacheImpl._locator_classes = []
import kernels
"""


@pytest.mark.parametrize("trouble", ["full", "nowhere"])
def test_a_kernel_that_cannot_be_kept_is_compiled_all_the_same(
    tmp_path: Path, trouble: str
) -> None:
    (tmp_path / "other.py").write_text(_OTHER)
    (tmp_path / "kernels.py").write_text(_KERNELS)
    (tmp_path / "unkept.py").write_text(_UNKEPT)
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    command = [sys.executable, "-c", "import unkept", trouble]
    for _ in range(2):
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
        )
        assert done.stdout.strip() == "['outer'] 2.0 2.0"
        assert done.stderr == ""
