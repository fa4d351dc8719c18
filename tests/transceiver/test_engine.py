"""Where workers are hired: what does not go together."""

from pathlib import Path
from typing import Any

import pytest

from transceiver.engine import Processes
from transceiver.scenario import parse
from transceiver.sweep import run
from transceiver.workers import Crew


def test_processes_are_hired_as_a_crew() -> None:
    crew = Processes(3, 2).hire(None, print)  # type: ignore[arg-type]
    assert isinstance(crew, Crew)
    assert crew.jobs == 3


@pytest.mark.parametrize("name", ["jobs", "threads"])
def test_numbers_are_at_least_one(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} must be at least 1, got 0"):
        Processes(**({"jobs": 1, "threads": 1} | {name: 0}))


def test_an_engine_has_a_number_of_its_own(bits: Any, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="jobs must be left out beside an engine, got 2"):
        run(
            parse(bits()), None, folder=tmp_path / "run", batch=1, progress=lambda *_: None,
            jobs=2, engine=Processes(1, 1),
        )  # fmt: skip
    assert not (tmp_path / "run").exists()
