"""What the computing commands do, once their arguments are read."""

import math
import sqlite3
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from rich.console import Console

from phy.jit import announced
from semcodec.device import find_device
from semcodec.errors import BudgetError, CodecError
from semcodec.image_io import read_image, write_png
from semcodec.metrics import psnr
from semcodec.training.ranks import Ranks, connected, launched
from transceiver.bench import error_rates, link_scenario, link_table, machine, measure_link
from transceiver.build import build, conditions
from transceiver.catalog import find_scenario
from transceiver.check import check
from transceiver.encodings import EncodingCache, default_folder
from transceiver.engine import Engine
from transceiver.execution import Execution
from transceiver.link import Streams
from transceiver.link import send as send_over
from transceiver.pictures import open_pictures
from transceiver.progress import Bar, compiling
from transceiver.recipe import check_ranks, load_recipe, train_recipe
from transceiver.report.figures import draw
from transceiver.report.tables import results_table, taps_table
from transceiver.results import rows
from transceiver.scenario import Scenario, ScenarioError, load
from transceiver.scenario.load import parse
from transceiver.source import Picture
from transceiver.store import Store, open_run, refuse_second_writer, remove_run
from transceiver.streams import stream
from transceiver.sweep import run
from transceiver.workers import WorkerError, wants_memory

FIRST_SPEAKS_S = 3.0
"""How long the other processes of a training wait to end: torchrun ends all when one has."""


@contextmanager
def user_errors() -> Iterator[None]:
    """What codecs, files and memory refuse becomes one line for the user."""
    try:
        yield
    except (BrokenPipeError, ScenarioError):
        raise  # who reads our output has seen enough
    except (CodecError, WorkerError, OSError, sqlite3.DatabaseError) as error:
        raise ScenarioError(" ".join(str(error).split())) from error
    except (MemoryError, RuntimeError) as error:
        if not wants_memory(error):
            raise
        raise ScenarioError(
            "memory must suffice for a batch, got: out of memory; what is done is kept; "
            "a smaller --batch, fewer --jobs or smaller pictures take less"
        ) from error


@contextmanager
def _resumable() -> Iterator[None]:
    """Say at an interruption that nothing is lost; typer ends the process with exit code 130."""
    try:
        yield
    except KeyboardInterrupt:
        print("interrupted; the same command (without --fresh) goes on from here", file=sys.stderr)
        raise


@contextmanager
def _compilation_shown(err: Console) -> Iterator[None]:
    """Say what is being compiled, which takes some seconds the first time and none later."""
    with announced(lambda kernel: err.print(compiling(kernel), highlight=False)):
        yield


def run_command(
    out: Console,
    err: Console,
    name: str,
    folder: Path | None,
    execution: Execution,
    *,
    figures: bool,
    assignments: Sequence[str],
) -> None:
    """Run a scenario, print its table and draw its figures."""
    path = find_scenario(name)
    scenario = load(path, assignments)
    folder = folder or Path("runs") / scenario.name
    store = complete(err, scenario, path.parent, folder, execution)
    with user_errors():
        _report(out, store, figures=figures)


def complete(
    err: Console, scenario: Scenario, home: Path, folder: Path, execution: Execution
) -> Store:
    """Run a scenario, or go on with it, to its end; ``home`` is the folder of its file."""
    _use_threads(execution.threads)
    refuse_second_writer(folder)
    check(scenario, folder=home)

    def say(text: str) -> None:
        err.print(text, highlight=False, markup=False, soft_wrap=True)

    with user_errors(), _engine(execution) as engine:
        if execution.fresh and folder.exists():
            remove_run(folder)
        pictures = open_pictures(scenario.images, folder=home) if scenario.images else None
        with _resumable(), Bar(err) as bar, _compilation_shown(err):
            run(
                scenario,
                pictures,
                folder=folder,
                batch=execution.batch,
                progress=bar,
                jobs=1 if engine else execution.jobs or 1,
                engine=engine,
                device=execution.device,
                cache=encoding_cache(execution),
                say=say,
            )
        return open_run(folder)


@contextmanager
def _engine(execution: Execution) -> Iterator[Engine | None]:
    """The cluster that was asked for; None for processes of this machine.

    What is not there is refused, before anything is deleted or begun.
    """
    if execution.engine == "local":
        find_device(execution.device)
        yield None
        return
    from transceiver.ray_cluster import connected

    with connected(
        execution.address or "auto",
        jobs=execution.jobs,
        worker_cpus=execution.worker_cpus or 1,
        worker_gpus=0 if execution.device == "cpu" else execution.worker_gpus or 1,
        all_on_gpus=execution.device == "cuda",
    ) as cluster:
        yield cluster


def encoding_cache(execution: Execution) -> EncodingCache | None:
    """Where source encodings are kept from run to run; `ScenarioError` if that is no folder."""
    if not execution.keep_encodings:
        return None
    limit_bytes = int(execution.cache_gb * 1e9)
    if execution.cache is None:
        return EncodingCache(default_folder(), limit_bytes)
    folder = execution.cache.expanduser()
    if folder.exists() and not folder.is_dir():
        raise ScenarioError(f"--cache: must be a folder, got {folder}")
    return EncodingCache(folder, limit_bytes)


def show_command(out: Console, folder: Path) -> None:
    """Print the table of a run and draw its figures."""
    with user_errors():
        _report(out, open_run(folder), figures=True)


def taps_command(out: Console, folder: Path, codec: str | None, point: int | None) -> None:
    """Print the chain of each codec at one point."""
    with user_errors():
        _taps(out, open_run(folder), codec, point)


def _taps(out: Console, store: Store, codec: str | None, point: int | None) -> None:
    scenario = store.scenario
    count = len(scenario.sweep.values)
    chosen = count // 2 if point is None else point
    if chosen >= count:
        raise ScenarioError(f"--point must be from 0 to {count - 1}, got {chosen}")
    if codec is not None and codec not in scenario.codecs:
        raise ScenarioError(f"--codec must be one of {', '.join(scenario.codecs)}, got {codec}")
    table = {(r.codec, r.point): r for r in rows(store)}
    for name in [codec] if codec else scenario.codecs:
        if (name, chosen) in table:
            row = table[name, chosen]
            out.print(taps_table(row, scenario, store.stages(name), store.seconds(name)))
        else:
            out.print(f"{name}: nothing was run at point {chosen} yet")


def train_command(
    out: Console,
    paths: Sequence[Path],
    folder: Path,
    *,
    threads: int | None,
    assignments: Sequence[str],
) -> None:
    """Train by each recipe and say where the weights are; all recipes are checked first.

    Under torchrun this process is one of several that share the batches; the first one speaks.
    """
    _use_threads(threads)
    ranks = launched()
    with _said_once(ranks):
        recipes = [load_recipe(path, assignments) for path in paths]
        names = [recipe.name for recipe in recipes]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ScenarioError(f"recipes must have different names, got {', '.join(twice)} twice")
        for path, recipe in zip(paths, recipes, strict=True):
            try:
                check_ranks(recipe, ranks.size)
            except ScenarioError as error:
                raise ScenarioError(f"{path.name}: {error}") from None
    out.quiet = out.quiet or not ranks.first

    def report(step: int, values: Mapping[str, float]) -> None:
        line = "  ".join(f"{name} {value:.5g}" for name, value in values.items())
        out.print(f"step {step:6d}  {line}", highlight=False, soft_wrap=True)

    with user_errors(), _resumable(), connected(ranks):
        for recipe in recipes:
            run = folder / f"train-{recipe.name}"
            if len(recipes) > 1:
                out.print(f"[bold]{recipe.name}[/bold]")
            best = train_recipe(recipe, folder=run, report=report, ranks=ranks)
            out.print(
                f"{run / 'best.safetensors'}: least validation loss {best:.6g}", soft_wrap=True
            )


@contextmanager
def _said_once(ranks: Ranks) -> Iterator[None]:
    """What is wrong for all processes alike is said by the first of them; all end."""
    try:
        yield
    except ScenarioError:
        if ranks.first:
            raise
        time.sleep(FIRST_SPEAKS_S)
        sys.exit(2)


def send_command(
    out: Console,
    err: Console,
    image: Path,
    codec: str,
    esn0_db: float,
    name: str,
    *,
    out_path: Path | None,
    seed: int | None,
    assignments: Sequence[str],
) -> None:
    """Send one picture through one link."""
    path = find_scenario(name)
    scenario = load(path, assignments)
    if codec not in scenario.codecs:
        raise ScenarioError(f"--codec must be one of {', '.join(scenario.codecs)}, got {codec}")
    if scenario.codecs[codec].kind == "bits":
        raise ScenarioError(f"--codec must send images, got {codec} of kind bits")
    if scenario.phy_of(codec).channel.kind == "bsc":
        raise ScenarioError("--scenario: must have a channel with symbols for --esn0-db, got bsc")
    wanted = {codec, getattr(getattr(scenario.codecs[codec], "budget", None), "codec", codec)}
    data = scenario.model_dump()
    data["codecs"] = {n: c for n, c in data["codecs"].items() if n in wanted}
    data |= {"sweep": {"esn0_db": [esn0_db]}, "metrics": ["psnr"]}
    scenario = parse(data)
    with user_errors():
        picture = Picture(0, image.name, _read(image))
        check(scenario.model_copy(update={"images": None}), folder=path.parent)
        sender = build(scenario)[codec]
        chosen_seed = scenario.seed if seed is None else seed
        names = {"point": 0, "image": 0, "trial": 0}
        streams = Streams(
            fading=stream(chosen_seed, **names, purpose="fading"),
            noise=stream(chosen_seed, **names, purpose="noise"),
        )
        at = conditions(sender.link, scenario, esn0_db)
        fading = stream(chosen_seed, **names, purpose="fading")
        states = sender.channel_states(at.noise_variance, [fading])
        gamma = float(states[0])
        link = sender.links[sender.modes.choose(states)[0]]
        try:
            frame = sender.encode(picture, gamma=gamma)
        except BudgetError as error:
            raise ScenarioError(f"{codec}: outage, nothing can be sent: {error}") from None
        with _compilation_shown(err):
            (received,) = send_over(
                link,
                [frame],
                conditions=at,
                streams=[streams],
                last_good=[None],
            )
        assert received.image is not None
        target = out_path or Path(f"{image.stem}-received.png")
        write_png(target, received.image)
        quality = psnr(picture.pixels, received.image)
    account = link.account(frame)
    state = f"failed, shown as {scenario.failure}" if received.arrived.failed else "arrived"
    shown = f"{quality:.2f} dB" if math.isfinite(quality) else "infinite (identical)"
    out.print(
        f"{target}: {codec} at Es/N0 {esn0_db:g} dB {state}; PSNR {shown}; "
        f"{account.symbols} symbols, CBR {account.symbols / picture.pixels.numel():.4f}",
        highlight=False,
        soft_wrap=True,
    )


def bench_link_command(
    out: Console, err: Console, code: str, *, order: int, ebn0_db: float, blocks: int, threads: int
) -> None:
    """Measure the speed of a link and print it by stages."""
    _use_threads(threads)
    scenario = link_scenario(code, order=order, ebn0_db=ebn0_db, whole=True)
    link = build(scenario)["bits"].link
    with _compilation_shown(err):
        speed = measure_link(
            link, conditions(link, scenario, ebn0_db), blocks=blocks, seed=scenario.seed
        )
    out.print(machine(), highlight=False, soft_wrap=True)
    title = f"{code}, {link.modulation.name}, Eb/N0 {ebn0_db:g} dB, {blocks} blocks"
    out.print(link_table(speed, title))
    out.print(error_rates(speed), highlight=False, soft_wrap=True)


def _report(out: Console, store: Store, *, figures: bool) -> None:
    scenario: Scenario = store.scenario
    table = list(rows(store))
    if not table:
        raise ScenarioError(f"{store.folder}: nothing was run yet")
    shown = results_table(table, scenario)
    if Console(width=1000).measure(shown).maximum > out.width:
        shown = results_table(table, scenario, intervals=False)
    out.print(shown)
    if figures:
        for path in draw(store):
            out.print(str(path), highlight=False, soft_wrap=True)


def _read(image: Path) -> torch.Tensor:
    try:
        return read_image(image)
    except ValueError as error:
        raise ScenarioError(str(error)) from None


def _use_threads(threads: int | None) -> None:
    if threads is not None:
        torch.set_num_threads(threads)
