"""What ``transceiver reproduce`` does."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from transceiver.catalog import find_scenario
from transceiver.commands import complete, user_errors
from transceiver.reproduce.claims import evaluate
from transceiver.reproduce.evidence import evidence
from transceiver.reproduce.figures import draw, save_both
from transceiver.reproduce.tables import (
    best_lines,
    claims_markdown,
    claims_table,
    numbers_markdown,
)
from transceiver.reproduce.weights_claims import WeightFiles
from transceiver.scenario import Scenario, ScenarioError, load
from transceiver.scenario.reproduction import series_of
from transceiver.store import Store, open_run


def reproduce_command(
    out: Console,
    err: Console,
    name: str,
    folder: Path | None,
    *,
    batch: int,
    threads: int | None,
    fresh: bool,
    run: bool,
    assignments: Sequence[str],
) -> None:
    """Run a scenario to its end, draw the paper's figure and put its claims to the test.

    Args:
        out: For the tables.
        err: For progress.
        name: Scenario.
        folder: Of the run; ``runs/NAME`` without it.
        batch: Frames carried at once.
        threads: Of torch.
        fresh: Begin the run anew.
        run: Without it only what is stored is evaluated.
        assignments: ``KEY=VALUE`` pairs.
    """
    path = find_scenario(name)
    scenario = load(path, assignments)
    if scenario.figure is None and not scenario.claims:
        raise ScenarioError(f"{path}: must have a figure or claims to be reproduced")
    folder = folder or Path("runs") / scenario.name
    if run:
        store = complete(
            err, scenario, path.parent, folder, batch=batch, threads=threads, fresh=fresh
        )
    else:
        if fresh:
            raise ScenarioError("--fresh: must be left out with --no-run")
        store = _stored(folder, scenario)
    with user_errors():
        report(out, scenario, store)


def report(out: Console, scenario: Scenario, store: Store) -> None:
    """Print the claims of a scenario, and write them and the figure into the run's folder."""
    files, series = WeightFiles(scenario), series_of(scenario.figure, list(scenario.codecs))
    written = store.folder / "figures"
    written.mkdir(exist_ok=True)
    with evidence(store.folder, series=series, values=scenario.sweep.values) as measured:
        findings = [evaluate(claim, measured, files) for claim in scenario.claims]
        points = len(scenario.codecs) * len(scenario.sweep.values)
        begun, units = measured.done()
        state = f"{units} units, in {begun} of {points} pairs of a codec and a point"
        for line in best_lines(scenario.figure, measured):
            out.print(line, highlight=False, soft_wrap=True, markup=False)
        if findings:
            out.print(claims_table(findings, scenario.name))
        out.print(state, highlight=False, soft_wrap=True)
        document = written / "claims.md"
        numbers = numbers_markdown(scenario.figure, measured, quantity=scenario.sweep.quantity)
        document.write_text(
            claims_markdown(
                findings, name=scenario.name, paper=scenario.paper, state=state, numbers=numbers
            ),
            encoding="utf-8",
        )
        paths = [document]
        if scenario.figure is not None:
            figure = draw(
                scenario.figure,
                measured,
                files,
                quantity=scenario.sweep.quantity,
                paper=scenario.paper,
            )
            paths += save_both(figure, written, "reproduction")
    for path in paths:
        out.print(str(path), highlight=False, soft_wrap=True, markup=False)


def _stored(folder: Path, scenario: Scenario) -> Store:
    """The run of this scenario in a folder."""
    store = open_run(folder)
    if store.scenario.model_dump_json() != scenario.model_dump_json():
        raise ScenarioError(f"{folder}: holds a run with another scenario; give another --out")
    return store
