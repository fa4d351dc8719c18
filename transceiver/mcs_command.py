"""What ``transceiver mcs-table`` does, once its arguments are read."""

import time
from collections.abc import Mapping
from functools import partial
from importlib.metadata import version
from pathlib import Path

import torch
from rich.console import Console

from phy.jit import announced
from transceiver.build_modes import skeleton
from transceiver.commands import user_errors
from transceiver.intervals import wilson
from transceiver.mcs.measure import carry, limit_esn0_db
from transceiver.mcs.search import NoThresholdError, find_threshold, most_errors
from transceiver.mcs.table import (
    Family,
    FamilyMode,
    MeasuredMode,
    ModeTable,
    dominated,
    find_family,
    load_family,
    load_table,
    text_of,
)
from transceiver.scenario import ScenarioError

_SETTINGS = ("family", "decoder", "target_bler", "step_db", "most_blocks", "seed", "measured_with")


def mcs_command(
    out: Console,
    err: Console,
    name: str,
    output: Path,
    *,
    target_bler: float,
    step_db: float,
    most_blocks: int,
    seed: int,
    threads: int | None,
) -> None:
    """Measure the threshold of each mode of a family and write the table, mode by mode.

    Modes that the file holds already are not measured again.

    Args:
        out: A line for each mode.
        err: For what is compiled.
        name: A shipped family by name, or its ``.yaml`` file.
        output: The table, a ``.yaml`` file.
        target_bler: Block error rate that a threshold meets, above 0 and below 1.
        step_db: Of the grid of Es/N0 [dB], above 0.
        most_blocks: Blocks of a point that meets the target, at least 1 / target_bler.
        seed: Of bits and noise.
        threads: Of torch and the decoder; None takes all cores.

    Raises:
        ScenarioError: An argument or a file that cannot be used, in one line.
    """
    _check(output, target_bler, step_db, most_blocks)
    if threads is not None:
        torch.set_num_threads(threads)
    family = load_family(find_family(name))
    blank = {
        "family": family.family,
        "decoder": family.decoder,
        "target_bler": target_bler,
        "step_db": step_db,
        "most_blocks": most_blocks,
        "seed": seed,
        "measured_with": ", ".join(
            f"{part} {version(part)}" for part in ("semantic-transceiver", "torch", "numba")
        ),
    }
    known = _known(output, family, blank)
    comment = (
        f"Measured over white noise by `transceiver mcs-table {name} --target-bler {target_bler:g} "
        f"--step {step_db:g} --blocks {most_blocks} --seed {seed}`."
    )
    table: ModeTable | None = None
    with user_errors():
        for number, mode in enumerate(family.modes, start=1):
            started = time.perf_counter()
            found = known.get(_plain(mode))
            if found is None:
                with announced(lambda kernel: _say(err, f"compiling {kernel} (once)")):
                    found = _measured(mode, family, target_bler, step_db, most_blocks, seed)
                known[_plain(mode)] = found
            seconds = time.perf_counter() - started
            _say(out, f"{number}/{len(family.modes)} {_line(found)}; {seconds:.1f} s")
            table = _table(blank, list(known.values()))
            _write(output, text_of(table, comment=comment))
    assert table is not None
    useless = [mode.name for mode in table.modes if mode.dominated]
    shown = f"; dominated: {', '.join(useless)}" if useless else ""
    _say(out, f"{output}: {len(table.used)} modes{shown}")


def _check(output: Path, target_bler: float, step_db: float, most_blocks: int) -> None:
    """Refuse before anything is read."""
    if not 0 < target_bler < 1:
        raise ScenarioError(f"--target-bler must be above 0 and below 1, got {target_bler:g}")
    if not 0.001 <= step_db <= 5:
        raise ScenarioError(f"--step must be from 0.001 to 5, got {step_db:g}")
    try:
        most_errors(target_bler, most_blocks)
    except ValueError:
        raise ScenarioError(
            f"--blocks must be at least 1 / target-bler = {1 / target_bler:g}, got {most_blocks}"
        ) from None
    if output.suffix != ".yaml":
        raise ScenarioError(f"--output must be a .yaml file, got {output}")
    if not output.parent.is_dir():
        raise ScenarioError(f"--output: its folder must exist, got {output}")


def _known(output: Path, family: Family, blank: Mapping[str, object]) -> dict[str, MeasuredMode]:
    """The modes that the file holds already."""
    if not output.exists():
        return {}
    table = load_table(output)
    other = [key for key in _SETTINGS if getattr(table, key) != blank[key]]
    modes = {_plain(mode): mode for mode in table.modes}
    if modes.keys() - {_plain(mode) for mode in family.modes}:
        other.append("modes")
    if other:
        raise ScenarioError(
            f"--output: {output} holds a table measured otherwise ({', '.join(other)}); "
            "give another file"
        )
    return modes


def _plain(mode: FamilyMode) -> str:
    """What a mode is, without its measurement."""
    return FamilyMode(
        modulation=mode.modulation, code=mode.code, interleaver=mode.interleaver
    ).model_dump_json()


def _measured(
    mode: FamilyMode,
    family: Family,
    target_bler: float,
    step_db: float,
    most_blocks: int,
    seed: int,
) -> MeasuredMode:
    link = skeleton(mode.phy(family.decoder), "mean_colour")
    bits = link.format.nominal_bits_per_symbol
    limit = limit_esn0_db(link.modulation, bits)
    allowed = most_errors(target_bler, most_blocks)
    measure = partial(carry, link, most_blocks=most_blocks, most_errors=allowed, seed=seed)
    try:
        found = find_threshold(measure, limit_esn0_db=limit, step_db=step_db, allowed=allowed)
    except NoThresholdError as error:
        raise ScenarioError(f"{mode.name}: {error}") from None
    bler = wilson(found.tally.block_errors, found.tally.blocks)
    return MeasuredMode(
        modulation=mode.modulation,
        code=mode.code,
        interleaver=mode.interleaver,
        bits_per_channel_use=bits,
        esn0_db=found.esn0_db,
        limit_esn0_db=round(limit, 3),
        bler=round(bler.value, 9),
        bler_low=round(bler.low, 6),
        bler_high=round(bler.high, 6),
        block_errors=found.tally.block_errors,
        blocks=found.tally.blocks,
    )


def _table(blank: Mapping[str, object], modes: list[MeasuredMode]) -> ModeTable:
    ordered = sorted(modes, key=lambda mode: (mode.bits_per_channel_use, mode.esn0_db))
    marked = [
        mode.model_copy(update={"dominated": useless})
        for mode, useless in zip(ordered, dominated(ordered), strict=True)
    ]
    return ModeTable.model_validate({**blank, "modes": marked})


def _write(path: Path, text: str) -> None:
    """All or nothing."""
    partial_file = path.with_suffix(".partial")
    partial_file.write_text(text, encoding="utf-8")
    partial_file.replace(path)


def _line(mode: MeasuredMode) -> str:
    return (
        f"{mode.name}: {mode.bits_per_channel_use:.3f} bits from Es/N0 {mode.esn0_db:g} dB on "
        f"(capacity {mode.limit_esn0_db:.2f} dB); BLER {mode.bler:.2g} "
        f"[{mode.bler_low:.2g}, {mode.bler_high:.2g}], {mode.block_errors} of {mode.blocks} blocks"
    )


def _say(out: Console, line: str) -> None:
    out.print(line, highlight=False, markup=False, soft_wrap=True)
