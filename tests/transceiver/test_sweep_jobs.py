"""Runs in worker processes leave what a run in one process leaves."""

import multiprocessing
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from semcodec.errors import WeightsError
from transceiver.encodings import EncodingCache
from transceiver.pictures import open_pictures
from transceiver.scenario import parse
from transceiver.store import Store, open_run
from transceiver.sweep import run

Run = Callable[..., Store]


@pytest.fixture(autouse=True)
def _no_worker_is_left() -> Iterator[None]:
    yield
    assert multiprocessing.active_children() == []


def _left(store: Store) -> dict[str, Any]:
    """Rows, shapes, and what lies in files."""
    codecs = store.scenario.codecs
    files = sorted(p for sub in ("taps", "images") for p in (store.folder / sub).iterdir())
    return {
        "rows": store.rows(),
        "stages": {codec: store.stages(codec) for codec in codecs},
        "timed": {codec: sorted(store.seconds(codec)) for codec in codecs},
        "files": {path.name: path.read_bytes() for path in files},
    }


def test_three_jobs_with_the_last_good_picture(change: Any, run_in: Run, tmp_path: Path) -> None:
    """Pictures of three sizes, some of which fail, in files and shapes of the first of them."""
    data = change(
        **{
            "phy.channel": {"kind": "rayleigh", "fading": {"block": 20}},
            "sweep.esn0_db": [5, 7],
            "stop.trials": 4,
            "failure": "last_good",
            "taps": {"samples": ["llrs"], "per_point": 50},
        }
    )
    one = run_in(data)
    failed = [unit.failure for unit in one.units("bpg", 0)]
    assert set(failed) == {True, False}
    three = run_in(data, batch=2, jobs=3, cache=EncodingCache(tmp_path / "cache"))
    assert _left(three) == _left(one)
    assert len(_left(one)["files"]) == 2 * 6 - 2 + 1  # an outage passes no taps
    assert one.facts() == three.facts()


def test_two_jobs_with_random_bits(bits: Any, run_in: Run) -> None:
    """Each point ends behind the block error that was one enough."""
    data = bits(
        **{
            "codecs": {
                "short": {"kind": "bits", "payload_bits": 300},
                "long": {"kind": "bits", "payload_bits": 900},
            },
            "stop": {"block_errors": 9, "max_blocks": 60},
            "sweep.esn0_db": [1.0, 6.0],
        }
    )
    one, two = run_in(data, batch=3), run_in(data, jobs=2)
    assert _left(two) == _left(one)
    assert sum(unit.counters.block_errors for unit in one.units("short", 0)) == 9


def test_a_killed_worker_and_an_interruption_lose_nothing(
    finished: Store, base: dict[str, Any], run_in: Run, tmp_path: Path
) -> None:
    scenario = parse(base)
    assert scenario.images is not None
    pictures = open_pictures(scenario.images, folder=tmp_path)
    said: list[str] = []
    fractions: list[float] = []
    killed: list[int] = []

    def progress(label: str, fraction: float) -> None:  # noqa: ARG001
        fractions.append(fraction)
        workers = multiprocessing.active_children()
        if fraction > 0 and not killed:
            assert workers[0].pid is not None
            killed.append(workers[0].pid)
            os.kill(killed[0], signal.SIGKILL)
        elif said and fraction > 0.6:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(
            scenario, pictures, folder=tmp_path / "run", batch=1, progress=progress, jobs=2,
            say=said.append,
        )  # fmt: skip
    assert multiprocessing.active_children() == []
    (death,) = [line for line in said if "died" in line]
    assert death.endswith(
        ": its worker died (killed by SIGKILL, perhaps for want of memory); given to a new one"
    )
    assert " esn0_db " in death
    assert ", pictures " in death
    assert fractions == sorted(fractions)
    part = open_run(tmp_path / "run").rows()
    assert 0 < len(part) < len(finished.rows())
    assert set(part) < set(finished.rows())
    whole = run_in(base, folder=tmp_path / "run")
    assert whole.rows() == finished.rows()
    assert _left(whole)["stages"] == _left(finished)["stages"]


def test_what_a_worker_refuses_is_raised(change: Any, tiny_weights: Path, tmp_path: Path) -> None:
    """Weights that are gone when the worker begins."""
    for suffix in (".safetensors", ".sha256"):
        shutil.copy(tiny_weights.with_suffix(suffix), tmp_path / f"w{suffix}")
    path = tmp_path / "w.safetensors"
    data = change(
        **{"codecs": {"vq": {"kind": "vq", "weights": str(path)}}, "images.limit": 1,
           "stop.trials": 1, "sweep.esn0_db": [5]}
    )  # fmt: skip
    scenario = parse(data)
    assert scenario.images is not None
    with pytest.raises(WeightsError, match="weights must be a"):
        run(
            scenario, open_pictures(scenario.images, folder=tmp_path), folder=tmp_path / "run",
            batch=1, progress=lambda *_: path.unlink(missing_ok=True), jobs=2,
        )  # fmt: skip
    assert open_run(tmp_path / "run").rows() == []


def test_jobs_must_be_at_least_one(base: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="jobs must be at least 1, got 0"):
        run(parse(base), None, folder=tmp_path, batch=1, progress=lambda *_: None, jobs=0)
