"""A run killed by SIGKILL goes on with nothing missing and nothing double."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from transceiver.scenario import ScenarioError
from transceiver.store import Store, open_run

Run = Callable[..., Store]
DEADLINE_S = 300.0


def _rows(folder: Path) -> int:
    try:
        return len(open_run(folder).rows())
    except ScenarioError:
        return 0


def _start(file: Path, folder: Path, *options: str) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "transceiver.cli", "run", str(file), "--out", str(folder)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [*command, "--batch", "2", "--no-figures", *options],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        preexec_fn=_listen_to_interrupts,
    )  # fmt: skip


def _listen_to_interrupts() -> None:
    """A shell's background job ignores SIGINT, and so would what it starts."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.parametrize("jobs", [1, 2])
def test_killed_run_ends_with_the_rows_of_an_uninterrupted_one(
    change: Any, run_in: Run, tmp_path: Path, jobs: int
) -> None:
    data = change(
        **{
            "phy.channel": {"kind": "rayleigh", "fading": {"block": 20}},
            "sweep.esn0_db": [5],
            "stop.trials": 40,
            "failure": "last_good",
            "codecs.jpeg": ...,
        }
    )
    file, folder = tmp_path / "s.yaml", tmp_path / "killed"
    file.write_text(yaml.safe_dump(data, sort_keys=False))
    whole = run_in(data).rows()
    process = _start(file, folder, "--jobs", str(jobs))
    began = time.monotonic()
    while _rows(folder) < 30 and process.poll() is None and time.monotonic() - began < DEADLINE_S:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    output = process.communicate()[0].decode()
    assert process.returncode == -signal.SIGKILL, output
    part = open_run(folder).rows()
    assert 30 <= len(part) < len(whole)
    assert set(part) < set(whole)
    assert run_in(data, folder=folder).rows() == whole


def test_interrupt_says_how_to_go_on(change: Any, tmp_path: Path) -> None:
    data = change(**{"stop.trials": 5000, "codecs.jpeg": ...})
    file, folder = tmp_path / "s.yaml", tmp_path / "run"
    file.write_text(yaml.safe_dump(data, sort_keys=False))
    process = _start(file, folder)
    began = time.monotonic()
    while _rows(folder) < 5 and process.poll() is None and time.monotonic() - began < DEADLINE_S:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    output = process.communicate()[0].decode()
    assert process.returncode == 130, output
    assert output.strip() == "interrupted; the same command (without --fresh) goes on from here"


@pytest.mark.parametrize("done", [1, 3, 7])
def test_run_goes_on_from_any_batch(
    bits: Any, change: Any, run_in: Run, tmp_path: Path, done: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Stopped after so many commits, then in other batches, for images and for random bits."""
    image_data = change(
        **{"phy.channel": {"kind": "rayleigh", "fading": {"block": 20}}, "sweep.esn0_db": [5],
           "stop.trials": 4, "failure": "last_good", "codecs.jpeg": ...}
    )  # fmt: skip
    bits_data = bits(
        **{"codecs.bits": {"kind": "bits", "payload_bits": 300}, "sweep.esn0_db": [0.8, 5],
           "stop": {"block_errors": 20, "max_blocks": 30}}
    )  # fmt: skip
    for number, data in enumerate((image_data, bits_data)):
        whole = run_in(data, batch=3).rows()
        commits = iter(range(done))
        commit = Store.commit

        def limited(store: Store, *parts: Any, _left: Any = commits, _do: Any = commit,
                    **keys: Any) -> None:  # fmt: skip
            if next(_left, None) is None:
                raise KeyboardInterrupt
            _do(store, *parts, **keys)

        folder = tmp_path / f"stopped{number}"
        with monkeypatch.context() as patch:
            patch.setattr(Store, "commit", limited)
            with pytest.raises(KeyboardInterrupt):
                run_in(data, folder=folder, batch=5)
        assert 0 < len(open_run(folder).rows()) < len(whole)
        assert run_in(data, folder=folder, batch=4).rows() == whole
