"""Workers that get no memory, and two runs on one folder: said in a line, and nothing is lost."""

import os
import resource
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as PillowImage

from transceiver.store import Store, open_run

pytestmark = pytest.mark.endurance


@pytest.fixture
def large_picture(base: dict[str, Any], tmp_path: Path) -> dict[str, Any]:
    """The base scenario's pictures, the last of them far too large for a network."""
    folder = tmp_path / "large"
    folder.mkdir()
    for path in Path(base["images"]["path"]).iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    PillowImage.fromarray(np.zeros((9000, 9000, 3), np.uint8)).save(folder / "z-large.png")
    vq = {"vq": base["codecs"]["vq"]}
    images = {"kind": "folder", "path": str(folder)}
    return base | {"codecs": vq, "images": images, "stop": {"trials": 1}, "metrics": ["psnr"]}


@pytest.mark.parametrize("jobs", [1, 2])
def test_no_memory_for_a_large_picture(
    jobs: int,
    large_picture: dict[str, Any],
    start: Any,
    scenario_file: Callable[[dict[str, Any]], Path],
    tmp_path: Path,
) -> None:
    """Under a limit of address space: what to lower is said, and what is done is kept."""
    file, folder = scenario_file(large_picture), tmp_path / "run"
    used = resource.getrlimit(resource.RLIMIT_AS)[1]
    limit = 4 * 2**30 if used == resource.RLIM_INFINITY else min(4 * 2**30, used)
    through = ("prlimit", f"--as={limit}")
    words = ("run", file, "--out", folder, "--jobs", jobs, "--batch", 1, "--no-figures")
    code, _, errors = start(*words, through=through).end()
    assert code == 2, errors
    last = errors.splitlines()[-1]
    assert last.startswith("error: ")
    assert "out of memory" in last
    assert "--jobs" in last
    assert "--batch" in last
    assert "what is done is kept" in last
    assert "Traceback" not in errors
    assert {unit.key.image for unit in open_run(folder).units("vq", 0)} == {0, 1, 2}


def test_the_kernel_kills_a_worker_twice(
    finished: Store,
    start: Any,
    wait: Callable[[Callable[[], bool], str], None],
    base: dict[str, Any],
    scenario_file: Callable[[dict[str, Any]], Path],
    tmp_path: Path,
) -> None:
    """As it does where memory ends: every worker that appears, until the run gives up."""
    file, folder = scenario_file(base), tmp_path / "run"
    words = ("run", file, "--out", folder, "--jobs", 2, "--batch", 1, "--no-figures")
    command = start(*words)

    def over() -> bool:
        for worker in command.workers():
            with suppress(ProcessLookupError):
                os.kill(worker, signal.SIGKILL)
        return command.process.poll() is not None

    wait(over, "the run gives up")
    code, _, errors = command.end()
    assert code == 2, errors
    last = errors.splitlines()[-1]
    assert "two workers died over it, the last one: killed by SIGKILL" in last
    assert "fewer --jobs or a smaller --batch take less memory" in last
    assert "Traceback" not in errors
    wait(lambda: not command.others(), "nobody is left")
    code, _, errors = start(*words).end()
    assert code == 0, errors
    assert open_run(folder).rows() == finished.rows()


def test_the_second_run_on_a_folder_is_refused(
    start: Any,
    wait: Callable[[Callable[[], bool], str], None],
    base: dict[str, Any],
    scenario_file: Callable[[dict[str, Any]], Path],
    tmp_path: Path,
) -> None:
    """Also with --fresh and with another scenario; the first ends as if it had been alone."""
    file, folder = scenario_file(base | {"stop": {"trials": 400}}), tmp_path / "run"
    first = start("run", file, "--out", folder, "--batch", 1, "--no-figures")
    wait((folder / "run.sqlite").exists, "the first has begun")
    refused = f"error: {folder}: another process is writing to this run\n"
    for words in ((), ("--fresh",), ("--set", "seed=9"), ("--jobs", 2)):
        code, out, errors = start("run", file, "--out", folder, *words).end()
        assert (code, out, errors) == (2, "", refused)
    assert first.process.poll() is None
    code, _, errors = start("taps", folder).end()  # who only reads is welcome
    assert code == 0, errors
    os.kill(first.process.pid, signal.SIGKILL)
    first.end()
    code, _, errors = start("taps", folder).end()
    assert code == 0, errors
    code, _, errors = start("run", file, "--out", folder, "--fresh", "--set", "stop.trials=1",
                            "--no-figures").end()  # fmt: skip
    assert code == 0, errors
    assert open_run(folder).count("vq", 0) == 3
