"""How the work of a run is cut: what may go side by side, and what must wait."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from transceiver.build import build
from transceiver.counters import Counters
from transceiver.scenario import Scenario, parse
from transceiver.store import Store, Unit, UnitKey, create_or_resume
from transceiver.sweep.lanes import BitsLane, PicturePoint, point_lanes
from transceiver.sweep.work import Carried

Opened = Callable[[Scenario], Store]


@pytest.fixture
def opened(tmp_path: Path) -> Any:
    """A new store for a scenario."""
    contexts = []

    def go(scenario: Scenario) -> Store:
        context = create_or_resume(tmp_path / f"run{len(contexts)}", scenario, {"weights": ""})
        contexts.append(context)
        return context.__enter__()

    yield go
    for context in contexts:
        context.__exit__(None, None, None)


def _unit(key: UnitKey, **changes: Any) -> Unit:
    unit = Unit(
        key, "name", 48, failure=False, outage=False, counters=Counters(frames=1), metrics={}
    )
    return replace(unit, **changes)


@pytest.mark.parametrize("jobs", [1, 2, 3, 7])
@pytest.mark.parametrize("batch", [1, 4])
def test_pictures_are_cut_into_groups_of_workers(
    change: Any, opened: Opened, jobs: int, batch: int
) -> None:
    scenario = parse(change(**{"stop.trials": 3}))
    images = 5
    point = PicturePoint(scenario, opened(scenario), "vq", 1, images)
    lanes = list(point.lanes(batch=batch, jobs=jobs, images=images))
    seen: list[UnitKey] = []
    homes: dict[int, set[int]] = {}
    for lane in lanes:
        chunk = lane.next()
        assert chunk is not None
        assert lane.next() is None
        assert 1 <= len(chunk.keys) <= batch
        assert (chunk.codec, chunk.point, chunk.good) == ("vq", 1, frozenset())
        homes.setdefault(lane.home, set()).update(key.image for key in chunk.keys)
        seen += chunk.keys
    assert sorted(seen, key=repr) == [UnitKey("vq", 1, i, t) for i in range(5) for t in range(3)]
    assert len(homes) == min(jobs, images)
    assert sum(map(len, homes.values())) == images  # no picture in two groups
    assert set(homes) <= set(range(jobs))
    assert seen[0] == UnitKey("vq", 1, 0, 0)


def test_trials_wait_where_failures_fall_back_on_earlier_ones(change: Any, opened: Opened) -> None:
    scenario = parse(change(**{"stop.trials": 3, "failure": "last_good"}))
    point = PicturePoint(scenario, opened(scenario), "vq", 0, 4)
    first, second = point.lanes(batch=16, jobs=2, images=4)
    chunk, other = first.next(), second.next()
    assert chunk is not None
    assert other is not None
    assert [(k.image, k.trial) for k in chunk.keys] == [(0, 0), (1, 0)]
    assert [(k.image, k.trial) for k in other.keys] == [(2, 0), (3, 0)]
    assert chunk.good == other.good == frozenset()
    wrong = Counters(frames=1, source_bit_errors=1)
    units = _unit(chunk.keys[0]), _unit(chunk.keys[1], counters=wrong)
    assert first.take(Carried(units)) == units
    assert point.fraction == first.fraction == 2 / 12
    then = first.next()
    assert then is not None
    assert [(k.image, k.trial) for k in then.keys] == [(0, 1), (1, 1)]
    assert then.good == {0}
    first.take(Carried((_unit(then.keys[0], failure=True), _unit(then.keys[1], outage=True))))
    last = first.next()
    assert last is not None
    assert last.good == {0}  # once arrived, it stays
    assert first.next() is None
    second.take(Carried((_unit(other.keys[0], failure=True), _unit(other.keys[1]))))
    following = second.next()
    assert following is not None
    assert following.good == {3}


def test_what_is_done_is_not_cut_again(change: Any, opened: Opened) -> None:
    scenario = parse(change(failure="last_good"))
    store = opened(scenario)
    done = [_unit(UnitKey("vq", 0, 0, 0)), _unit(UnitKey("vq", 0, 1, 0), failure=True)]
    store.commit(done, stages={}, seconds={})
    point = PicturePoint(scenario, store, "vq", 0, 3)
    assert point.fraction == 2 / 6
    (lane,) = point.lanes(batch=16, jobs=1, images=3)
    chunk = lane.next()
    assert chunk is not None
    assert [(k.image, k.trial) for k in chunk.keys] == [(2, 0)]
    lane.take(Carried(tuple(map(_unit, chunk.keys))))
    chunk = lane.next()
    assert chunk is not None
    assert [(k.image, k.trial) for k in chunk.keys] == [(0, 1), (1, 1), (2, 1)]
    assert chunk.good == {0, 2}


def test_random_bits_go_on_until_enough_was_seen(bits: Any, opened: Opened) -> None:
    scenario = parse(bits(**{"codecs.bits": {"kind": "bits", "payload_bits": 300},
                             "stop": {"block_errors": 3, "max_blocks": 100}}))  # fmt: skip
    lane = BitsLane(scenario, opened(scenario), build(scenario)["bits"], 0, 4)
    sizes = []
    while (chunk := lane.next()) and len(sizes) < 4:
        sizes.append(len(chunk.keys))
        units = tuple(_unit(key, counters=Counters(frames=1, blocks=1)) for key in chunk.keys)
        assert lane.take(Carried(units)) == list(units)
    assert sizes == [1, 1, 2, 4]
    assert chunk is not None
    assert [key.image for key in chunk.keys] == [8, 9, 10, 11]
    wrong = Counters(frames=1, blocks=1, block_errors=2)
    units = tuple(_unit(key, counters=wrong) for key in chunk.keys)
    assert lane.take(Carried(units)) == list(units[:2])
    assert lane.fraction == 1
    assert lane.next() is None


def test_points_come_in_order_and_the_store_is_read_late(change: Any, opened: Opened) -> None:
    scenario = parse(change(**{"stop.trials": 1}))
    store, senders = opened(scenario), build(scenario)
    points = point_lanes(scenario, store, senders, images=3, batch=16, jobs=1)
    codec, point, fraction, lanes = next(points)
    assert (codec, point, fraction, len(list(lanes))) == ("vq", 0, 0.0, 1)
    store.commit([_unit(UnitKey("vq", 1, i, 0)) for i in range(3)], stages={}, seconds={})
    codec, point, fraction, lanes = next(points)
    assert (codec, point, fraction, list(lanes)) == ("vq", 1, 1.0, [])
    assert [(c, p) for c, p, _, _ in points] == [("bpg", 0), ("bpg", 1), ("jpeg", 0), ("jpeg", 1)]
