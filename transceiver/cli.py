"""The command line. Torch is imported by the commands that compute, not by this module."""

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from transceiver.cli_execution import ThreadsOption, with_execution
from transceiver.execution import Execution
from transceiver.scenario.load import ScenarioError

app = typer.Typer(
    help="Simulate digital semantic communication: images through a codec and a real PHY.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
bench_app = typer.Typer(help="Measure speed.", no_args_is_help=True)
app.add_typer(bench_app, name="bench")
_out = Console(width=None if sys.stdout.isatty() else 160)
_err = Console(stderr=True)

ScenarioArgument = Annotated[
    str, typer.Argument(metavar="SCENARIO", help="A scenario file, or the name of a shipped one.")
]
RunArgument = Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a run.")]
SetOption = Annotated[
    list[str], typer.Option("--set", metavar="KEY=VALUE", help="Replace a key, e.g. stop.trials=1.")
]


@app.command()
@with_execution
def run(
    scenario: ScenarioArgument,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the run; runs/NAME without it.")
    ] = None,
    *,
    execution: Execution,
    figures: Annotated[bool, typer.Option(help="Draw the figures at the end.")] = True,
    assign: SetOption = [],  # noqa: B006 - typer's way
) -> None:
    """Run a scenario; run it again to go on after an interruption."""
    from transceiver.commands import run_command

    run_command(_out, _err, scenario, out, execution, figures=figures, assignments=assign)


@app.command()
@with_execution
def reproduce(
    scenario: ScenarioArgument,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the run; runs/NAME without it.")
    ] = None,
    *,
    execution: Execution,
    run_it: Annotated[
        bool, typer.Option("--run/--no-run", help="Run what is missing; else only evaluate.")
    ] = True,
    assign: SetOption = [],  # noqa: B006
) -> None:
    """Run a paper's scenario, draw its figure and print whether its claims hold."""
    from transceiver.reproduce.command import reproduce_command

    reproduce_command(_out, _err, scenario, out, execution, run=run_it, assignments=assign)


@app.command()
def validate(scenario: ScenarioArgument, assign: SetOption = []) -> None:  # noqa: B006
    """Check a scenario and the files it names, without running it."""
    from transceiver.catalog import find_scenario
    from transceiver.check import check
    from transceiver.scenario import load

    path = find_scenario(scenario)
    document = load(path, assign)
    check(document, folder=path.parent)
    points = len(document.sweep.values)
    _out.print(
        f"{path}: valid; {len(document.codecs)} codecs, {points} points of "
        f"{document.sweep.quantity}",
        soft_wrap=True,
        highlight=False,
    )


@app.command()
def schema(
    output: Annotated[
        Path | None, typer.Option(help="File to write; standard output without it.")
    ] = None,
) -> None:
    """Print the JSON Schema of scenario files, by which editors complete keys and mark mistakes."""
    import json

    from transceiver.scenario.json_schema import json_schema

    text = json.dumps(json_schema(), indent=2) + "\n"
    if output is None:
        sys.stdout.write(text)
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ScenarioError(f"--output: must be a file to write, got {output}: {error}") from None
    _out.print(f"{output}: JSON Schema of scenarios", highlight=False, soft_wrap=True)


@app.command(name="list")
def list_command(
    what: Annotated[
        str | None,
        typer.Argument(
            metavar="[KIND]",
            help="codecs, codes, modulations, channels, scenarios or weights; all without it.",
        ),
    ] = None,
) -> None:
    """List what a scenario can name."""
    from transceiver import catalog, plugins

    kinds = {
        "codecs": catalog.CODECS | plugins.describe(),
        "codes": catalog.CODES,
        "modulations": catalog.MODULATIONS,
        "channels": catalog.CHANNELS,
        "scenarios": {name: str(path) for name, path in catalog.scenarios().items()},
        "weights": {n: catalog.describe_weights(p) for n, p in catalog.weights().items()},
    }
    if what is not None and what not in kinds:
        raise ScenarioError(f"list: must be one of {', '.join(kinds)}, got {what}")
    for kind in [what] if what else kinds:
        _out.print(f"[bold]{kind}[/bold]")
        width = max(map(len, kinds[kind]), default=0)
        for name, text in kinds[kind].items():
            _out.print(f"  {name:<{width}}  {text}", highlight=False, soft_wrap=True)


@app.command()
def taps(
    run_folder: RunArgument,
    codec: Annotated[str | None, typer.Option(help="Only this codec.")] = None,
    point: Annotated[
        int | None, typer.Option(min=0, help="Number of the point; without it, the middle one.")
    ] = None,
) -> None:
    """Print the chain with every stage's shape, counters and error rates."""
    from transceiver.commands import taps_command

    taps_command(_out, run_folder, codec, point)


@app.command()
def show(run_folder: RunArgument) -> None:
    """Print the table of a run and draw its figures anew."""
    from transceiver.commands import show_command

    show_command(_out, run_folder)


@app.command()
def export(
    run_folder: RunArgument,
    out: Annotated[
        Path | None, typer.Option(help="CSV file; results.csv in RUN without it.")
    ] = None,
) -> None:
    """Write every row of a run, with all counters and intervals, as CSV."""
    from transceiver.commands import user_errors
    from transceiver.results import export_csv
    from transceiver.store import open_run

    path = out or run_folder / "results.csv"
    if not path.parent.is_dir():
        raise ScenarioError(f"--out: its folder must exist, got {path}")
    if path.is_dir():
        raise ScenarioError(f"--out: must be a file to write, got {path}: it is a folder")
    with user_errors():
        lines = export_csv(open_run(run_folder), path)
    _out.print(f"{path}: {lines} rows", highlight=False, soft_wrap=True)


@app.command()
def report(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Folders of runs.")],
    output: Annotated[
        Path | None,
        typer.Option(help="HTML file; report.html in RUN, or here if there are several runs."),
    ] = None,
) -> None:
    """Write one HTML page of a run, or of several beside each other, with everything inside."""
    from transceiver.html.command import report_command

    report_command(_out, runs, output)


@app.command()
def serve(
    runs_folder: Annotated[Path, typer.Argument(metavar="RUNS", help="A folder of runs.")] = Path(
        "runs"
    ),
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="On 127.0.0.1; 0 takes a free one.")
    ] = 8000,
) -> None:
    """List the runs of a folder in a browser on this machine, and show their reports."""
    from transceiver.html.command import serve_command

    serve_command(_out, runs_folder, port)


@app.command()
def train(
    recipes: Annotated[list[Path], typer.Argument(metavar="RECIPES...", help="Recipe files.")],
    out: Annotated[
        Path, typer.Option(help="Where the trainings go, each in a folder train-NAME.")
    ] = Path("runs"),
    threads: ThreadsOption = None,
    assign: SetOption = [],  # noqa: B006
) -> None:
    """Train models one after the other, or go on after an interruption; what is done stays."""
    from transceiver.commands import train_command

    train_command(_out, recipes, out, threads=threads, assignments=assign)


@app.command()
def codebook(
    weights: Annotated[
        str, typer.Argument(metavar="WEIGHTS", help="Shipped weights or a .safetensors file.")
    ],
    eps: Annotated[
        float | None,
        typer.Option(help="Flip probability of every bit; without it the file's own, or 0.01."),
    ] = None,
    reorder: Annotated[
        str | None, typer.Option(help="New labels: walk, amplitude or switching.")
    ] = None,
    output: Annotated[Path | None, typer.Option(help="File with the new labels.")] = None,
    figure: Annotated[Path | None, typer.Option(help="PNG; NAME-codebook.png without it.")] = None,
) -> None:
    """Print and draw use, robustness and best size of a model's codebooks; give new labels."""
    from transceiver.codebook_command import codebook_command

    codebook_command(
        _out, weights, flip_probability=eps, reorder=reorder, output=output, figure=figure
    )


@app.command(name="mcs-table")
def mcs_table(
    family: Annotated[
        str, typer.Argument(metavar="FAMILY", help="A family of modes: a file, or a shipped one.")
    ],
    output: Annotated[Path, typer.Option(help="The table; a file begun before is gone on with.")],
    target_bler: Annotated[float, typer.Option(help="Block error rate at a threshold.")] = 1e-2,
    step: Annotated[float, typer.Option(help="Of the grid of Es/N0 [dB].")] = 0.25,
    blocks: Annotated[
        int, typer.Option(min=1, help="Blocks of a point that meets the target.")
    ] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="Of bits and noise.")] = 1,
    threads: ThreadsOption = None,
) -> None:
    """Measure from which Es/N0 on each modulation and code of a family can be used."""
    from transceiver.mcs_command import mcs_command

    mcs_command(
        _out, _err, family, output, target_bler=target_bler, step_db=step, most_blocks=blocks,
        seed=seed, threads=threads,
    )  # fmt: skip


@app.command()
def send(
    image: Annotated[Path, typer.Argument(metavar="IMAGE", help="A picture file.")],
    codec: Annotated[str, typer.Option(help="A codec of the scenario.")],
    esn0_db: Annotated[float, typer.Option(help="Es/N0 [dB].")],
    scenario: Annotated[
        str, typer.Option(help="Scenario that gives codec and PHY; its pictures are not used.")
    ] = "quickstart",
    out: Annotated[
        Path | None, typer.Option(help="Received picture; IMAGE-received.png without it.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="In place of the scenario's seed.")] = None,
    assign: SetOption = [],  # noqa: B006
) -> None:
    """Send one picture through one link and write what arrives."""
    from transceiver.commands import send_command

    send_command(
        _out, _err, image, codec, esn0_db, scenario, out_path=out, seed=seed, assignments=assign
    )


@bench_app.command(name="link")
def bench_link(
    code: Annotated[
        str, typer.Option(metavar="KIND:PARAMETERS", help="Code, as in `transceiver list codes`.")
    ] = "ieee80211n:648:1/2",
    order: Annotated[int, typer.Option(help="Points of the constellation.")] = 64,
    ebn0_db: Annotated[float, typer.Option(help="Eb/N0 [dB].")] = 7.0,
    blocks: Annotated[int, typer.Option(min=1, help="Code blocks to carry.")] = 100_000,
    threads: Annotated[int, typer.Option(min=1, help="Threads of torch and the decoder.")] = 1,
) -> None:
    """Time each stage of a coded link over white noise, with the decoder that is the default."""
    from transceiver.commands import bench_link_command

    bench_link_command(
        _out, _err, code, order=order, ebn0_db=ebn0_db, blocks=blocks, threads=threads
    )


def main() -> None:
    """Run the command line; what a user got wrong is one line each, and exit code 2."""
    try:
        app()
    except ScenarioError as error:
        for line in str(error).splitlines():
            print(f"error: {line}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
