"""``torchrun -m transceiver train``: what it leaves, refuses, and does when a process is killed."""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from semcodec.system32.system import load_system


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    """Plain VQ on noise, 30 steps of four pictures; a checkpoint after each."""
    pictures = np.random.default_rng(0).integers(256, size=(130, 32, 32, 3), dtype=np.uint8)
    np.save(tmp_path / "train.npy", pictures)
    path = tmp_path / "r.yaml"
    model = {"kind": "system32", "width": 8, "bits_per_index": 4, "quantizer": {"kind": "plain"}}
    content = {
        "name": "tiny",
        "seed": 1,
        "model": model,
        "data": {"cifar10": str(tmp_path / "train.npy"), "validation": 10},
        "epochs": 1,
        "batch": 4,
        "report_every": 1,
        "checkpoint_minutes": 1e-9,
    }
    path.write_text(yaml.safe_dump(content))
    return path


def _environment(**more: str) -> dict[str, str]:
    path = os.pathsep.join(sys.path)
    return {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", **more}


def _torchrun(count: int, *arguments: object) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command += ["--nproc-per-node", str(count), "-m", "transceiver", "train"]
    return subprocess.run(
        [*command, *map(str, arguments)],
        env=_environment(),
        capture_output=True,
        text=True,
        check=False,
    )


def _log(folder: Path) -> dict[tuple[int, bool], dict[str, float]]:
    """The last line of each step and kind: a killed training may have logged steps twice."""
    lines = [
        json.loads(line) for line in (folder / "train-tiny/log.jsonl").read_text().splitlines()
    ]
    return {(line["step"], "validation_loss" in line): line for line in lines}


def test_a_killed_rank_ends_the_training_which_goes_on_to_the_same_losses(
    recipe: Path, tmp_path: Path, call: Any
) -> None:
    code, _, err = call("train", recipe, "--out", tmp_path / "alone", "--threads", 1)
    assert (code, err) == (0, "")
    alone = _log(tmp_path / "alone")
    assert len(alone) == 31

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    command = [sys.executable, "-m", "transceiver", "train", str(recipe), "--out", str(tmp_path)]
    ranks = [
        subprocess.Popen(
            command,
            env=_environment(
                RANK=str(rank), WORLD_SIZE="2", MASTER_ADDR="127.0.0.1", MASTER_PORT=port
            ),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    assert ranks[0].stdout is not None
    for line in ranks[0].stdout:
        if line.startswith("step      5 "):
            ranks[1].send_signal(signal.SIGKILL)
            break
    _, error = ranks[0].communicate(timeout=600)
    said, _ = ranks[1].communicate()
    assert ranks[0].returncode == 2
    assert error.splitlines()[-1].startswith("error: rank 0 must reach all 2 processes")
    assert "Traceback" not in error
    assert said == ""  # the first one speaks
    begun = _log(tmp_path)
    assert 5 <= max(step for step, _ in begun) < 30

    content = yaml.safe_load(recipe.read_text()) | {
        "name": "second",
        "start": "tiny",
        "epochs": 0.1,
    }
    second = tmp_path / "second.yaml"
    second.write_text(yaml.safe_dump(content))
    done = _torchrun(2, recipe, second, "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    said, _, _ = done.stdout.partition("second\n")
    assert "step      1 " not in said
    assert said.count("step     30 ") == 2  # training and validation, each once
    together = _log(tmp_path)
    assert list(together) == list(alone)
    for key, line in alone.items():
        assert together[key] == pytest.approx(line, rel=1e-2, abs=1e-4)
    assert not list(tmp_path.glob("train-tiny/*.partial"))
    _, trained = load_system(str(tmp_path / "train-tiny" / "best.safetensors"))
    assert trained.training["step"] == 30
    assert (tmp_path / "train-second" / "best.safetensors").is_file()


def test_a_batch_that_cannot_be_shared_is_one_line(
    recipe: Path, tmp_path: Path, call: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("transceiver.commands.FIRST_SPEAKS_S", 0.0)
    monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")
    monkeypatch.setenv("MASTER_PORT", "1")
    monkeypatch.setenv("WORLD_SIZE", "3")
    line = "error: r.yaml: batch: must be a multiple of the 3 processes that share it, got 4\n"
    for rank, expected in (("0", line), ("1", "")):
        monkeypatch.setenv("RANK", rank)
        assert call("train", recipe, "--out", tmp_path / "out") == (2, "", expected)
    assert not (tmp_path / "out").exists()
