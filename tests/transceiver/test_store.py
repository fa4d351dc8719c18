"""A run on disk: one writer, one scenario, and nothing half-written."""

import json
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image as PillowImage

from transceiver.counters import Counters
from transceiver.scenario import ScenarioError, parse
from transceiver.store import (
    StageShape,
    Store,
    Unit,
    UnitKey,
    create_or_resume,
    open_run,
    remove_run,
)

Run = Callable[..., Store]
KEY = UnitKey("vq", 0, 1, 2)
UNIT = Unit(
    KEY,
    "a name",
    300,
    failure=True,
    outage=False,
    counters=Counters(frames=1, symbols=7, noise_power=2**60),
    metrics={"psnr": 1 / 3, "ssim": -0.25},
)
FACTS = {"weights": "w", "pictures": "p"}


def test_a_unit_comes_back_as_it_went_in(change: Any, tmp_path: Path) -> None:
    scenario = parse(change())
    with create_or_resume(tmp_path / "r", scenario, FACTS) as store:
        stages = {"llrs": StageShape("llrs", "[3]", "float32")}
        assert store.done("vq", 0) == set()
        store.commit([], stages=stages, seconds={"llrs": 0.25})
        assert store.rows() == []
        store.commit([UNIT], stages=stages, seconds={"llrs": 0.25})
        other = Unit(**{**vars(UNIT), "key": UnitKey("vq", 0, 0, 3)})
        later = {"llrs": StageShape("llrs", "[9]", "float32")}
        store.commit([other], stages=later, seconds={"llrs": 0.5})
        assert store.done("vq", 0) == {KEY, other.key}
        assert store.done("vq", 1) == store.done("bpg", 0) == set()
    read = open_run(tmp_path / "r")
    assert list(read.units("vq", 0)) == [UNIT, other]
    assert list(read.units("vq", 1)) == list(read.units("bpg", 0)) == []
    assert read.scenario == scenario
    assert read.stages("vq") == stages
    assert read.seconds("vq") == {"llrs": 0.75}
    assert read.facts()["weights"] == "w"
    assert len(read.rows()) == 2 + 4


@pytest.mark.parametrize(
    ("change_of_unit", "arrived"),
    [
        ({"failure": False}, True),
        ({}, False),
        ({"failure": False, "outage": True}, False),
        ({"failure": False, "counters": Counters(frames=1, source_bit_errors=2)}, False),
    ],
)
def test_arrived(change: Any, tmp_path: Path, change_of_unit: Any, arrived: bool) -> None:
    with create_or_resume(tmp_path / "r", parse(change()), FACTS) as store:
        assert store.arrived("vq", 0) == set()
        other = Unit(**{**vars(UNIT), "key": UnitKey("vq", 0, 0, 0), "failure": True})
        store.commit([other, Unit(**{**vars(UNIT), **change_of_unit})], stages={}, seconds={})
        assert store.arrived("vq", 0) == ({KEY} if arrived else set())
        assert store.arrived("vq", 1) == store.arrived("bpg", 0) == set()


def test_units_are_committed_whole_or_not_at_all(change: Any, tmp_path: Path) -> None:
    """The last metric is refused by the database: none of the batch's units or metrics remain."""
    nan = float("nan")  # SQLite stores it as NULL
    broken = Unit(**{**vars(UNIT), "metrics": {"psnr": 1.0, "ssim": nan}})
    before = Unit(**{**vars(UNIT), "key": UnitKey("vq", 0, 0, 2)})
    stages = {"llrs": StageShape("llrs", "[3]", "float32")}
    with create_or_resume(tmp_path / "r", parse(change()), FACTS) as store:
        with pytest.raises(sqlite3.IntegrityError, match="NOT NULL"):
            store.commit([before, broken], stages=stages, seconds={"llrs": 1.0})
        assert store.rows() == []
        assert store.stages("vq") == store.seconds("vq") == {}
        store.commit([UNIT], stages={}, seconds={})
        with pytest.raises(sqlite3.IntegrityError, match="UNIQUE"):
            store.commit([before, UNIT], stages={}, seconds={})
        assert store.done("vq", 0) == {KEY}
        assert len(store.rows()) == 3


def test_another_scenario_is_refused(change: Any, tmp_path: Path) -> None:
    folder = tmp_path / "r"
    with create_or_resume(folder, parse(change()), FACTS):
        pass
    with create_or_resume(folder, parse(change()), FACTS):
        pass
    for data, facts, what in (
        (change(seed=4), FACTS, "another scenario"),
        (change(), FACTS | {"weights": "x"}, "other weights"),
        (change(), FACTS | {"pictures": "x"}, "other pictures"),
    ):
        with (
            pytest.raises(ScenarioError, match=f"r: holds a run with {what}; give another --out"),
            create_or_resume(folder, parse(data), facts),
        ):
            pass


def test_second_writer_is_refused(change: Any, tmp_path: Path) -> None:
    folder, scenario = tmp_path / "r", parse(change())
    with create_or_resume(folder, scenario, FACTS):
        with (
            pytest.raises(ScenarioError, match="another process is writing to this run"),
            create_or_resume(folder, scenario, FACTS),
        ):
            pass
        with pytest.raises(ScenarioError, match="another process is writing to this run"):
            remove_run(folder)
        assert open_run(folder).rows() == []  # reading is allowed
    remove_run(folder)
    assert not (folder / "run.sqlite").exists()


def test_a_run_begun_but_killed_before_its_facts_goes_on(change: Any, tmp_path: Path) -> None:
    """What a kill right after the file was made leaves: an empty database."""
    folder = tmp_path / "r"
    folder.mkdir()
    sqlite3.connect(folder / "run.sqlite").close()
    (folder / "run.sqlite").touch()
    with pytest.raises(ScenarioError, match="must be the database of a run"):
        open_run(folder)
    with create_or_resume(folder, parse(change()), FACTS) as store:
        assert store.scenario == parse(change())


def test_tables_and_facts_appear_together(change: Any, tmp_path: Path) -> None:
    """Facts that cannot be stored leave no table behind that would claim the folder."""
    folder, scenario = tmp_path / "r", parse(change())
    unfit: Any = FACTS | {"commit": None}
    with (
        pytest.raises(ScenarioError, match="NOT NULL"),
        create_or_resume(folder, scenario, unfit),
    ):
        pass
    connection = sqlite3.connect(folder / "run.sqlite")
    assert connection.execute("SELECT * FROM sqlite_master").fetchall() == []
    connection.close()
    with create_or_resume(folder, scenario, FACTS) as store:
        assert store.facts()["pictures"] == "p"


def test_what_is_no_run_is_refused(change: Any, tmp_path: Path) -> None:
    scenario = parse(change())
    with pytest.raises(ScenarioError, match=r"must be the folder of a run \(with run.sqlite\)"):
        open_run(tmp_path)
    (tmp_path / "file").write_text("x")
    with (
        pytest.raises(ScenarioError, match="must be a folder, got a file"),
        create_or_resume(tmp_path / "file", scenario, FACTS),
    ):
        pass
    (tmp_path / "run.sqlite").write_text("no database at all, but long enough to be read as one")
    with (
        pytest.raises(ScenarioError, match="must be the database of a run"),
        create_or_resume(tmp_path, scenario, FACTS),
    ):
        pass
    with pytest.raises(ScenarioError, match="must be the database of a run"):
        open_run(tmp_path)


def test_folder_names_may_hold_anything(change: Any, tmp_path: Path) -> None:
    folder = tmp_path / "50% of runs? #1"
    with create_or_resume(folder, parse(change()), FACTS) as store:
        store.commit([UNIT], stages={}, seconds={})
    assert list(open_run(folder).units("vq", 0)) == [UNIT]


def test_remove_run_takes_only_what_is_the_runs(change: Any, tmp_path: Path) -> None:
    remove_run(tmp_path)  # nothing there: nothing to refuse
    (tmp_path / "notes.txt").touch()
    with pytest.raises(ScenarioError, match=r"--fresh: .* must hold a run"):
        remove_run(tmp_path)
    with create_or_resume(tmp_path, parse(change()), FACTS):
        pass
    (tmp_path / "taps").mkdir()
    (tmp_path / "taps" / "x.npz").touch()
    remove_run(tmp_path)
    assert {p.name for p in tmp_path.iterdir()} == {"notes.txt", ".lock"}


def test_run_goes_on_only_with_its_pictures_and_weights(
    change: Any, run_in: Run, tmp_path: Path, picture_folder: Path, tiny_weights: Path
) -> None:
    pictures, weights = tmp_path / "pictures", tmp_path / "w.safetensors"
    shutil.copytree(picture_folder, pictures)
    shutil.copy(tiny_weights, weights)
    data = change(
        **{"images.path": str(pictures), "codecs.vq.weights": str(weights), "codecs.jpeg": ...}
    )
    folder = tmp_path / "run"
    first = run_in(data, folder=folder).rows()
    assert run_in(data, folder=folder).rows() == first
    facts = open_run(folder).facts()
    assert facts["seed"] == "3"
    assert json.loads(facts["scenario"])["seed"] == 3
    assert float(facts["nominal_bits_per_symbol.bpg"]) == 1.0
    assert {"version.torch", "commit"} <= set(facts)
    weights.write_bytes(weights.read_bytes().replace(b'"steps\\": 0', b'"steps\\": 1'))
    with pytest.raises(ScenarioError, match="holds a run with other weights"):
        run_in(data, folder=folder)
    shutil.copy(tiny_weights, weights)
    PillowImage.new("RGB", (32, 32)).save(pictures / "0-first.png")
    with pytest.raises(ScenarioError, match="holds a run with other pictures"):
        run_in(data, folder=folder)
    (pictures / "0-first.png").unlink()
    PillowImage.new("RGB", (48, 40)).save(pictures / "a-face.png")
    with pytest.raises(ScenarioError, match="holds a run with other pictures"):
        run_in(data, folder=folder)


def test_a_run_of_another_layout_is_refused(change: Any, tmp_path: Path) -> None:
    with create_or_resume(tmp_path, parse(change()), FACTS):
        pass
    with sqlite3.connect(tmp_path / "run.sqlite") as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(ScenarioError, match="must be of layout 2, got 99"):
        open_run(tmp_path)
    with (
        pytest.raises(ScenarioError, match="must be of layout 2, got 99"),
        create_or_resume(tmp_path, parse(change()), FACTS),
    ):
        pass
