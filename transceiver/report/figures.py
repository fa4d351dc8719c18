"""Every figure of a run."""

from collections.abc import Iterator
from pathlib import Path

from transceiver.build import build
from transceiver.metrics_names import metric_name
from transceiver.report.curves import error_rate_figure, metric_figure
from transceiver.report.signals import constellation_figure, strip_figure
from transceiver.results import rows
from transceiver.store import Store


def draw(store: Store) -> Iterator[Path]:
    """Write the figures of a run into its folder ``figures``; the files, one after the other."""
    scenario, out = store.scenario, store.folder / "figures"
    table = list(rows(store))
    if not table:
        return
    senders = build(scenario)
    for metric in scenario.metrics:
        name = metric_name(metric)
        yield metric_figure(name, table, scenario, out / f"{name}.png")
    yield error_rate_figure(table, scenario, senders, out / "error_rates.png")
    for codec, sender in senders.items():
        own = [r for r in table if r.codec == codec]
        path = out / f"constellation-{codec}.png"
        if constellation_figure(codec, own, scenario, sender, store.folder, path):
            yield path
    if scenario.images is not None:
        yield strip_figure(table, scenario, store.folder, out / "strip.png")
