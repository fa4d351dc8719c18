"""A run goes on to more points and to a later stop, as if it had been asked for them at once."""

import importlib
from collections.abc import Callable
from typing import Any

import pytest

from transceiver.results import rows
from transceiver.scenario import ScenarioError, parse
from transceiver.store import Store, is_part, open_run
from transceiver.sweep import work

Run = Callable[..., Store]


@pytest.mark.parametrize("jobs", [1, 2])
def test_pictures_at_more_points_and_in_more_trials(
    change: Any, run_in: Run, tmp_path: Any, jobs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    part = {"sweep.esn0_db": [0.5, 2.0], "stop.trials": 1, "failure": "last_good"}
    more = {"sweep.esn0_db": [0.5, 2.0, 1.0], "stop.trials": 2, "failure": "last_good"}
    whole = run_in(change(**more))
    folder = tmp_path / "part"
    first = run_in(change(**part), folder=folder)
    kept = first.rows()
    carried: list[Any] = []
    carry = work.carry

    def counted(bench: Any, chunk: Any, pictures: Any) -> Any:
        carried.extend(chunk.keys)
        return carry(bench, chunk, pictures)

    monkeypatch.setattr(importlib.import_module("transceiver.sweep.run"), "carry", counted)
    found = run_in(change(**more), folder=folder, jobs=jobs)
    assert found.rows() == whole.rows()
    assert set(kept) < set(found.rows())
    assert found.scenario == whole.scenario
    units = {(key.codec, key.point, key.image, key.trial) for key in carried}
    if jobs == 1:
        assert units == {row[:4] for row in set(found.rows()) - set(kept) if len(row) > 6}
    names = [sorted(p.name for p in (run.folder / "images").iterdir()) for run in (whole, found)]
    assert names[0] == names[1]


def test_random_bits_until_more_errors(bits: Any, run_in: Run, tmp_path: Any) -> None:
    def data(values: list[float], errors: int, most: int) -> dict[str, Any]:
        stop = {"block_errors": errors, "max_blocks": most}
        codec = {"bits": {"kind": "bits", "payload_bits": 300}}
        return bits(codecs=codec, stop=stop, **{"sweep.esn0_db": values})  # type: ignore[no-any-return]

    folder = tmp_path / "part"
    part = run_in(data([0.8, 5], 5, 20), folder=folder).rows()
    found = run_in(data([0.8, 5, 2], 20, 60), folder=folder)
    assert found.rows() == run_in(data([0.8, 5, 2], 20, 60), batch=3).rows()
    assert len(part) < len(found.rows())


def test_rows_are_told_with_the_quantity_rising(change: Any, run_in: Run) -> None:
    store = run_in(change(**{"sweep.esn0_db": [2.0, 0.5, 1.0], "stop.trials": 1}))
    table = [(row.codec, row.value, row.point) for row in rows(store)]
    assert table[:3] == [("vq", 0.5, 1), ("vq", 1.0, 2), ("vq", 2.0, 0)]


@pytest.mark.parametrize(
    ("other", "part"),
    [
        ({}, True),
        ({"sweep.esn0_db": {"start": 0.5, "stop": 3.5, "step": 1.5}}, True),
        ({"stop.trials": 3}, True),
        ({"sweep.esn0_db": [0.5, 2.0, 2.0], "stop.trials": 3}, True),
        ({"sweep.esn0_db": [0.5]}, False),
        ({"sweep.esn0_db": [0.5, 1.0, 2.0]}, False),
        ({"stop.trials": 1}, False),
        ({"sweep.esn0_db": ..., "sweep.ebn0_db": [0.5, 2.0]}, False),
        ({"sweep.esn0_db": [0.5, 2.0, 3.0], "seed": 9}, False),
        ({"stop.trials": 3, "metrics": ["psnr"]}, False),
    ],
)
def test_what_is_more_of_the_same(change: Any, other: dict[str, Any], *, part: bool) -> None:
    assert is_part(parse(change()), parse(change(**other))) is part


def test_less_than_there_is_is_refused_and_changes_nothing(
    change: Any, run_in: Run, tmp_path: Any
) -> None:
    folder = tmp_path / "run"
    before = run_in(change(**{"sweep.esn0_db": [2.0, 3.0], "stop.trials": 1}), folder=folder)
    kept, scenario = before.rows(), before.scenario
    with pytest.raises(ScenarioError, match="holds a run with another scenario"):
        run_in(change(**{"sweep.esn0_db": [2.0], "stop.trials": 1}), folder=folder)
    assert (open_run(folder).rows(), open_run(folder).scenario) == (kept, scenario)
