"""The command line: what it prints and writes, and one line with exit code 2 for a mistake."""

import csv
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from semcodec.image_io import read_image
from transceiver.store import Store, open_run

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def file(change: Any, tmp_path: Path) -> Path:
    path = tmp_path / "s.yaml"
    data = change(**{"stop.trials": 1, "sweep.esn0_db": [2.0]})
    path.write_text(yaml.safe_dump(data, sort_keys=False))
    return path


def _refused(found: tuple[int, str, str], line: str) -> None:
    code, out, err = found
    assert code == 2
    assert out == ""
    assert err.startswith(f"error: {line}"), err
    assert len(err.splitlines()) == 1


def test_run_then_show_taps_and_export(call: Call, file: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    code, out, err = call("run", file, "--out", folder)
    assert (code, err) == (0, "")
    assert "tiny" in out.splitlines()[0]
    figures = [Path(line) for line in out.splitlines() if line.endswith(".png")]
    assert len(figures) == 6
    assert all(path.is_file() for path in figures)
    rows = open_run(folder).rows()
    assert len(rows) == 9 * 3
    again = call("run", file, "--out", folder, "--batch", 2, "--no-figures", "--threads", 1)
    assert again[0] == 0
    assert again[1].splitlines() == [ln for ln in out.splitlines() if not ln.endswith(".png")]
    assert open_run(folder).rows() == rows
    figures[0].unlink()
    code, shown, _ = call("show", folder)
    assert (code, shown) == (0, out)
    assert figures[0].is_file()
    code, out, _ = call("taps", folder, "--codec", "bpg", "--point", 0)
    assert code == 0
    assert "payload_hat" in out
    assert "jpeg" not in out
    code, out, _ = call("taps", folder)
    assert all(name in out for name in ("vq", "bpg", "jpeg"))
    code, out, _ = call("export", folder)
    assert (code, out) == (0, f"{folder / 'results.csv'}: 3 rows\n")
    with (folder / "results.csv").open() as lines:
        assert [line["codec"] for line in csv.DictReader(lines)] == ["vq", "bpg", "jpeg"]
    _refused(call("taps", folder, "--codec", "x"), "--codec must be one of vq, bpg, jpeg, got x")
    _refused(call("taps", folder, "--point", 1), "--point must be from 0 to 0, got 1")
    _refused(call("export", folder, "--out", tmp_path), "--out: must be a file to write, got ")
    missing = tmp_path / "no" / "r.csv"
    _refused(call("export", folder, "--out", missing), "--out: its folder must exist, got ")


def test_set_fresh_and_another_scenario(call: Call, file: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    assert call("run", file, "--out", folder, "--no-figures")[0] == 0
    other = ("run", file, "--out", folder, "--no-figures", "--set", "seed=9")
    _refused(call(*other), f"{folder}: holds a run with another scenario; give another --out")
    assert open_run(folder).scenario.seed == 3
    assert call(*other, "--fresh")[0] == 0
    assert open_run(folder).scenario.seed == 9
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").touch()
    found = call("run", file, "--out", tmp_path / "mine", "--fresh")
    _refused(found, f"--fresh: {tmp_path / 'mine'} must hold a run (run.sqlite)")


def test_run_without_out_goes_below_runs(
    call: Call, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert call("run", file, "--no-figures", "--set", "codecs.jpeg.budget.kind=bytes",
                "--set", "codecs.jpeg.budget={kind: bytes, value: 900}")[0] == 0  # fmt: skip
    assert (tmp_path / "runs" / "tiny" / "run.sqlite").is_file()


def test_validate(call: Call, file: Path) -> None:
    code, out, err = call("validate", file)
    assert (code, err) == (0, "")
    assert out == f"{file}: valid; 3 codecs, 1 points of esn0_db\n"
    _refused(call("validate", file, "--set", "seed=x"), "s.yaml: seed: must be a valid integer")
    _refused(call("validate", file, "--set", "seed=["), "s.yaml: --set seed must be given a YAML")
    _refused(call("validate", "nobody.yaml"), "nobody.yaml: no such file")
    _refused(call("validate", "nobody"), "scenario must be a .yaml file or one of ")
    code, out, err = call("validate", file, "--set", "seed=-1", "--set", "stop.trials=0")
    assert (code, out) == (2, "")
    assert [line.split(":")[:3] for line in err.splitlines()] == [
        ["error", " s.yaml", " seed"],
        ["error", " s.yaml", " stop.trials"],
    ]


def test_list(call: Call) -> None:
    code, out, _ = call("list")
    assert code == 0
    for kind in ("codecs", "codes", "modulations", "channels", "scenarios", "weights"):
        assert kind in out.splitlines()
    code, out, _ = call("list", "channels")
    assert [line.split()[0] for line in out.splitlines()] == [
        "channels", "awgn", "rayleigh", "rician", "tdl", "bsc",
    ]  # fmt: skip
    _refused(call("list", "cats"), "list: must be one of codecs, codes, ")


def test_send(call: Call, file: Path, tmp_path: Path, picture_folder: Path) -> None:
    picture, out_path = picture_folder / "a-face.png", tmp_path / "out.png"
    arguments = ("send", picture, "--scenario", file, "--out", out_path)
    code, out, err = call(*arguments, "--codec", "bpg", "--esn0-db", 3)
    assert (code, err) == (0, "")
    assert out.startswith(f"{out_path}: bpg at Es/N0 3 dB arrived; PSNR ")
    assert out.strip().endswith("symbols, CBR 0.4500")
    assert read_image(out_path).shape == (3, 40, 48)
    code, out, _ = call(*arguments, "--codec", "bpg", "--esn0-db", -3)
    assert "failed, shown as mean_colour" in out
    assert len(set(read_image(out_path)[0].flatten().tolist())) == 1
    received = []
    for seed in (5, 5, 6):
        assert call(*arguments, "--codec", "vq", "--esn0-db", -3, "--seed", seed)[0] == 0
        received.append(read_image(out_path).tolist())
    assert received[0] == received[1] != received[2]
    outage = call(*arguments, "--codec", "jpeg", "--esn0-db", 3)
    _refused(outage, "jpeg: outage, nothing can be sent: max_bytes must be at least ")
    _refused(call(*arguments, "--codec", "x", "--esn0-db", 3), "--codec must be one of vq, bpg, ")
    _refused(
        call(*arguments, "--codec", "bpg", "--esn0-db", "nan"),
        "sweep.esn0_db.0: must be a finite number, got nan",
    )
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"x")
    arguments = ("send", bad, "--scenario", file, "--codec", "bpg", "--esn0-db", 3)
    _refused(call(*arguments), "image file must be readable, got ")
    arguments = ("send", tmp_path / "no.png", *arguments[2:])
    _refused(call(*arguments), "image file must exist, got ")
    arguments = ("send", picture, *arguments[2:], "--out", tmp_path / "no" / "x.png")
    _refused(call(*arguments), "[Errno 2] No such file or directory: ")


def test_send_wants_a_codec_of_images(
    call: Call, bits: Any, tmp_path: Path, picture_folder: Path
) -> None:
    path = tmp_path / "b.yaml"
    path.write_text(yaml.safe_dump(bits()))
    picture = picture_folder / "a-face.png"
    found = call("send", picture, "--scenario", path, "--codec", "bits", "--esn0-db", 3)
    _refused(found, "--codec must send images, got bits of kind bits")


def test_pictures_that_turn_out_unreadable(
    call: Call, file: Path, tmp_path: Path, picture_folder: Path
) -> None:
    """Headers in order, pixels not: found when the picture is read, said in one line."""
    folder = tmp_path / "cut"
    folder.mkdir()
    whole = (picture_folder / "a-face.png").read_bytes()
    (folder / "cut.png").write_bytes(whole[: len(whole) // 2])
    change = ("--set", f"images.path={folder}", "--out", tmp_path / "r")
    found = call("run", file, *change)
    _refused(found, f"images.path: image file must be readable, got {folder / 'cut.png'}")


def test_weights_of_another_model(call: Call, file: Path, tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    path.write_bytes(b"no weights")
    found = call("run", file, "--set", f"codecs.vq.weights={path}", "--out", tmp_path / "r")
    _refused(found, "w.safetensors must be a safetensors file, got: ")


def test_out_must_be_writable(call: Call, file: Path, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("x")
    _refused(call("run", file, "--out", tmp_path / "taken"), f"{tmp_path / 'taken'}: must be a fol")
    _refused(
        call("run", file, "--out", tmp_path / "taken" / "r"),
        f"{tmp_path / 'taken' / 'r'}: must be writable, with space on its disk, got: Not a dir",
    )


def test_what_is_no_run(call: Call, tmp_path: Path) -> None:
    for command in ("show", "taps", "export"):
        _refused(call(command, tmp_path), f"{tmp_path}: must be the folder of a run")


def test_recipe_mistakes(call: Call, tmp_path: Path) -> None:
    _refused(call("train", tmp_path / "no.yaml"), f"{tmp_path / 'no.yaml'}: no such file")
    path = tmp_path / "r.yaml"
    path.write_text("name: x\nname: y\n")
    _refused(call("train", path), "r.yaml: line 2: key name is given twice")


def test_misspelt_option_is_exit_code_2(call: Call, file: Path) -> None:
    code, _, err = call("run", file, "--bach", 3)
    assert code == 2
    assert "--bach" in err


def _best_of_3(*arguments: object) -> float:
    """Least CPU seconds of the process, which a busy machine does not change much."""
    command = [sys.executable, "-m", "transceiver.cli", *map(str, arguments)]
    times = []
    for _ in range(3):
        before, began = os.times(), time.monotonic()
        subprocess.run(command, check=True, capture_output=True)
        after, wall = os.times(), time.monotonic() - began
        cpu = (after.children_user - before.children_user) + (
            after.children_system - before.children_system
        )
        times.append(min(cpu, wall))
    return min(times)


def test_help_and_validate_answer_at_once(file: Path) -> None:
    assert _best_of_3("--help") < 1.0
    assert _best_of_3("validate", file) < 1.0


def test_module_and_command_are_the_same(file: Path, finished: Store) -> None:
    """The installed command, from another folder than the run's, with relative weights resolved."""
    command = Path(sys.executable).with_name("transceiver")
    done = subprocess.run(
        [command, "validate", file], capture_output=True, text=True, check=True, cwd="/"
    )
    assert done.stdout == f"{file}: valid; 3 codecs, 1 points of esn0_db\n"
    done = subprocess.run(
        [command, "export", finished.folder, "--out", os.devnull],
        capture_output=True, text=True, check=True, cwd="/",
    )  # fmt: skip
    assert done.stdout == f"{os.devnull}: 6 rows\n"
