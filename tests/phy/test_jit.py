"""Kernels: compiled once, announced when they are, found again on disk."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from phy.jit import announced, kernel


@kernel
def _half(x):
    return x / 2


@kernel
def _quarter(x):
    return _half(_half(x))


def test_a_compilation_is_announced_once_and_by_its_outermost_name(tmp_path: Path) -> None:
    source = (
        "import numpy as np\n"
        "from phy.jit import announced, kernel\n"
        "@kernel\n"
        "def inner(x):\n"
        "    return x + 1\n"
        "@kernel\n"
        "def outer(x):\n"
        "    return inner(x[0])\n"
        "names = []\n"
        "with announced(names.append):\n"
        "    outer(np.ones(1)), outer(np.ones(2))\n"
        "print(names)\n"
    )
    (tmp_path / "some_kernels.py").write_text(source)
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    command = [sys.executable, "-c", "import some_kernels"]
    said = [
        subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
        ).stdout.strip()
        for _ in range(2)
    ]
    assert said == ["['outer']", "[]"]  # the second process finds it on disk


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
