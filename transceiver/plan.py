"""The order of the work: which units a point of a scenario consists of."""

from collections.abc import Iterator, Sequence

from transceiver.scenario import Scenario
from transceiver.store import UnitKey


def image_units(scenario: Scenario, codec: str, point: int, images: int) -> Iterator[UnitKey]:
    """Every image, trial by trial."""
    assert scenario.stop.trials is not None
    for trial in range(scenario.stop.trials):
        for image in range(images):
            yield UnitKey(codec, point, image, trial)


def batches(keys: Sequence[UnitKey], size: int, *, one_trial: bool) -> Iterator[Sequence[UnitKey]]:
    """Groups of at most ``size`` in their order; ``one_trial`` keeps trials apart."""
    group: list[UnitKey] = []
    for key in keys:
        if len(group) == size or (one_trial and group and group[-1].trial != key.trial):
            yield group
            group = []
        group.append(key)
    if group:
        yield group
