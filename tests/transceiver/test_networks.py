"""No row depends on the number of threads: networks compute on one."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from transceiver.encodings import EncodingCache
from transceiver.networks import one_thread
from transceiver.pictures import open_pictures
from transceiver.scenario import parse
from transceiver.store import Store, open_run
from transceiver.sweep import run


@pytest.fixture(autouse=True)
def _same_threads_after() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def test_threads_are_given_back() -> None:
    torch.set_num_threads(2)
    assert one_thread()(torch.get_num_threads)() == 1
    with pytest.raises(ZeroDivisionError), one_thread():
        torch.get_num_threads() // 0
    assert torch.get_num_threads() == 2


@pytest.mark.parametrize("jobs", [1, 2])
def test_two_threads_leave_what_one_leaves(
    finished: Store, base: dict[str, Any], tmp_path: Path, jobs: int
) -> None:
    """The facts, too; encodings of one number of threads serve the other."""
    scenario = parse(base)
    assert scenario.images is not None
    torch.set_num_threads(2)
    pictures = open_pictures(scenario.images, folder=tmp_path)
    run(
        scenario, pictures, folder=tmp_path / "run", batch=4, progress=lambda *_: None, jobs=jobs,
        cache=EncodingCache(tmp_path / "cache"),
    )  # fmt: skip
    found = open_run(tmp_path / "run")
    assert found.rows() == finished.rows()
    assert found.facts() == finished.facts()
    assert found.facts()["threads"] == "1"
    for name in ("taps", "images"):
        for path in (finished.folder / name).iterdir():
            assert (found.folder / name / path.name).read_bytes() == path.read_bytes()
