"""What ``transceiver reproduce`` does."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from transceiver.catalog import find_scenario
from transceiver.commands import complete, user_errors
from transceiver.execution import Execution
from transceiver.files import writable, write_whole
from transceiver.pictures import open_pictures
from transceiver.progress import Bar
from transceiver.reproduce.bounds import Bound, capacity_bound
from transceiver.reproduce.claims import evaluate
from transceiver.reproduce.evidence import evidence
from transceiver.reproduce.figures import draw, entitled, save_both
from transceiver.reproduce.pictures import draw_pictures, find_picture, received_pictures
from transceiver.reproduce.tables import (
    best_lines,
    claims_markdown,
    claims_table,
    numbers_markdown,
)
from transceiver.reproduce.weights_claims import WeightFiles
from transceiver.scenario import Scenario, ScenarioError, load
from transceiver.scenario.reproduction import PicturesFigure, series_of
from transceiver.source import Picture
from transceiver.store import Store, open_run


def reproduce_command(
    out: Console,
    err: Console,
    name: str,
    folder: Path | None,
    execution: Execution,
    *,
    run: bool,
    assignments: Sequence[str],
) -> None:
    """Run a scenario to its end, draw the paper's figure and put its claims to the test.

    Args:
        out: For the tables.
        err: For progress.
        name: Scenario.
        folder: Of the run; ``runs/NAME`` without it.
        execution: How the run is carried out.
        run: Without it only what is stored is evaluated.
        assignments: ``KEY=VALUE`` pairs.
    """
    path = find_scenario(name)
    scenario = load(path, assignments)
    if scenario.figure is None and not scenario.claims:
        raise ScenarioError(f"{path}: must have a figure or claims to be reproduced")
    folder = folder or Path("runs") / scenario.name
    with user_errors():
        picture = _picture(scenario, path.parent)
    if run:
        store = complete(err, scenario, path.parent, folder, execution)
    else:
        if execution.fresh:
            raise ScenarioError("--fresh: must be left out with --no-run")
        store = _stored(folder, scenario)
    with user_errors():
        sent = scenario.images if run and getattr(scenario.figure, "bound", None) else None
        pictures = open_pictures(sent, folder=path.parent) if sent else None
        with Bar(err) as bar:
            bound = capacity_bound(scenario, store, pictures, bar)
        report(out, scenario, store, bound, picture)


def report(
    out: Console, scenario: Scenario, store: Store, bound: Bound | None, picture: Picture | None
) -> None:
    """Print the claims of a scenario, and write them and the figure into the run's folder.

    Args:
        out: For the tables.
        scenario: With figure and claims.
        store: Its run.
        bound: Of the figure; None where it has none, or none was computed yet.
        picture: That the figure ``pictures`` shows; None for other figures.
    """
    files, series = WeightFiles(scenario), series_of(scenario.figure, list(scenario.codecs))
    written = store.folder / "figures"
    with writable(written):
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
        if bound is None and getattr(scenario.figure, "bound", None):
            out.print("the bound was not computed yet: leave out --no-run", highlight=False)
        document = written / "claims.md"
        numbers = numbers_markdown(
            scenario.figure, measured, quantity=scenario.sweep.quantity, bound=bound
        )
        text = claims_markdown(
            findings, name=scenario.name, paper=scenario.paper, state=state, numbers=numbers
        )
        write_whole(document, text.encode())
        paths = [document]
        figure, quantity = scenario.figure, scenario.sweep.quantity
        if isinstance(figure, PicturesFigure):
            assert picture is not None
            rows = received_pictures(figure, scenario, store, measured, picture)
            drawn = entitled(
                draw_pictures(figure, picture, rows, quantity=quantity), scenario.paper
            )
            paths += save_both(drawn, written, "reproduction")
        elif figure is not None:
            drawn = draw(
                figure, measured, files, quantity=quantity, paper=scenario.paper, bound=bound
            )
            paths += save_both(drawn, written, "reproduction")
    for path in paths:
        out.print(str(path), highlight=False, soft_wrap=True, markup=False)


def _picture(scenario: Scenario, home: Path) -> Picture | None:
    """The picture that the figure shows, found before a run that would end without it."""
    if not isinstance(scenario.figure, PicturesFigure):
        return None
    assert scenario.images is not None
    return find_picture(scenario.figure, open_pictures(scenario.images, folder=home))


def _stored(folder: Path, scenario: Scenario) -> Store:
    """The run of this scenario in a folder."""
    store = open_run(folder)
    if store.scenario.model_dump_json() != scenario.model_dump_json():
        raise ScenarioError(f"{folder}: holds a run with another scenario; give another --out")
    return store
