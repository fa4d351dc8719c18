"""``transceiver reproduce``: run, judge, draw; and again from what is stored."""

import copy
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import yaml

from transceiver.scenario import parse
from transceiver.store import open_run

Call = Callable[..., tuple[int, str, str]]

PARTS: dict[str, Any] = {
    "paper": {"title": "A paper", "figure": "Fig. 1"},
    "figure": {
        "kind": "curves",
        "metric": "psnr",
        "series": {"VQ": ["vq"], "Files": ["bpg", "jpeg"]},
    },
    "claims": [
        {"kind": "order", "text": "Files beat VQ", "series": ["Files", "VQ"], "metric": "psnr"},
        {"kind": "trend", "text": "BER falls", "codec": "vq", "column": "coded_ber",
         "direction": "falls", "found": "because"},
    ],
}  # fmt: skip


@pytest.fixture
def file(change: Any, tmp_path: Path) -> Path:
    path = tmp_path / "s.yaml"
    data = change(**{"stop.trials": 1}) | copy.deepcopy(PARTS)
    path.write_text(yaml.safe_dump(data, sort_keys=False))
    return path


def _refused(found: tuple[int, str, str], line: str) -> None:
    code, out, err = found
    assert (code, out) == (2, "")
    assert err.startswith(f"error: {line}"), err
    assert len(err.splitlines()) == 1


def test_reproduce_and_again_from_what_is_stored(call: Call, file: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    code, out, err = call("reproduce", file, "--out", folder, "--threads", 1, "--batch", 4)
    assert (code, err) == (0, "")
    for part in ("best of Files in psnr: ", "Files beat VQ", "BER falls", "holds", "because"):
        assert part in out
    assert "18 units, in 6 of 6 pairs of a codec and a point" in out
    written = [folder / "figures" / n for n in
               ("claims.md", "reproduction.png", "reproduction.svg")]  # fmt: skip
    assert out.splitlines()[-3:] == list(map(str, written))
    document = written[0].read_text()
    assert document.startswith("# tiny\n\nFig. 1 of A paper\n\n18 units, ")
    assert "| Files beat VQ | least: Files (" in document
    assert "| BER falls | coded_ber of vq from 0." in document
    assert "## psnr" in document
    rows = open_run(folder).rows()
    again = call("reproduce", file, "--out", folder, "--no-run")
    assert again == (0, out, "")
    assert call("reproduce", file, "--out", folder) == (0, out, "")
    assert open_run(folder).rows() == rows
    assert written[0].read_text() == document
    # What is said of a run may change after it, and is the same to `run`.
    changed = call("reproduce", file, "--out", folder, "--set", "figure.series.VQ=[bpg]")
    assert changed[0] == 0
    assert open_run(folder).rows() == rows
    assert call("run", file, "--out", folder, "--no-figures", "--set", "claims=[]")[0] == 0
    fresh = call("reproduce", file, "--out", folder, "--fresh", "--set", "seed=4")
    assert fresh[0] == 0
    assert open_run(folder).scenario.seed == 4


def test_an_unfinished_run_is_judged_as_far_as_it_is(
    call: Call, file: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    assert call("run", file, "--out", folder, "--no-figures")[0] == 0
    with closing(sqlite3.connect(folder / "run.sqlite")) as database, database:
        for table in ("unit", "metric"):
            database.execute(f"DELETE FROM {table} WHERE codec = 'jpeg' AND point = 1")
    code, out, err = call("reproduce", file, "--out", folder, "--no-run")
    assert (code, err) == (0, "")
    assert "15 units, in 5 of 6 pairs" in out
    assert "no data" in out
    assert "holds" in out


def test_what_is_refused(call: Call, file: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    command = ("reproduce", file, "--out", folder)
    _refused(call(*command, "--no-run"), f"{folder}: must be the folder of a run")
    _refused(call(*command, "--no-run", "--fresh"), "--fresh: must be left out with --no-run")
    bare = ("--set", "figure=null", "--set", "claims=[]")
    _refused(call(*command, *bare), f"{file}: must have a figure or claims to be reproduced")
    wrong = ("--set", "figure.series.VQ=[x]")
    _refused(
        call("validate", file, *wrong),
        "s.yaml: figure.series.VQ must be one of vq, bpg, jpeg, got x",
    )
    wrong = ("--set", "figure.kind=pie")
    _refused(call("validate", file, *wrong), "s.yaml: figure.kind: must be one of 'curves', ")
    wrong = ("--set", "claims=[{kind: order, text: t, series: [VQ], metric: psnr}]")
    _refused(call("validate", file, *wrong), "s.yaml: claims.0.series: must have at least 2 items")
    wrong = ("--set", "claims=[{kind: order, text: t, series: [VQ, bpg], metric: psnr, points: 3}]")
    _refused(call("validate", file, *wrong), "s.yaml: claims.0.points: must be 'all', got 3")
    assert not folder.exists()


def test_another_scenarios_run(call: Call, file: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    assert call("run", file, "--out", folder, "--no-figures")[0] == 0
    found = call("reproduce", file, "--out", folder, "--no-run", "--set", "seed=8")
    _refused(found, f"{folder}: holds a run with another scenario; give another --out")


def test_the_sections_are_no_part_of_the_run(change: Any) -> None:
    plain, with_parts = parse(change()), parse(change() | copy.deepcopy(PARTS))
    assert with_parts.model_dump_json() == plain.model_dump_json()
    assert [claim.text for claim in with_parts.claims] == ["Files beat VQ", "BER falls"]
    assert parse(with_parts.model_dump()).figure is None
