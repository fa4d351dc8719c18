"""The options that say how a run is carried out, written down once for every command with a run."""

import functools
import inspect
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any

import typer

from transceiver.execution import Execution

ThreadsOption = Annotated[
    int | None, typer.Option(min=1, help="Threads of torch; without it, all cores.")
]

_OPTIONS: dict[str, Any] = {
    "batch": Annotated[
        int, typer.Option(min=1, help="Frames carried at once: speed and memory, never numbers.")
    ],
    "jobs": Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Workers. Locally 1, and they share threads and memory; "
            "on a cluster as many as fit.",
        ),
    ],
    "threads": ThreadsOption,
    "fresh": Annotated[bool, typer.Option(help="Delete what the folder holds of a run.")],
    "cache": Annotated[
        Path | None,
        typer.Option(help="Folder of source encodings; in the user's cache without it."),
    ],
    "keep_encodings": Annotated[
        bool, typer.Option("--use-cache/--no-cache", help="Take and keep source encodings there.")
    ],
    "cache_gb": Annotated[
        float, typer.Option(help="What the cache may take [GB]; the oldest entries are removed.")
    ],
    "engine": Annotated[
        str, typer.Option(metavar="local|ray", help="Processes of this machine, or a Ray cluster.")
    ],
    "address": Annotated[
        str | None,
        typer.Option(
            help="Of the Ray cluster: auto, HOST:PORT, or local for one begun and ended here."
        ),
    ],
    "worker_cpus": Annotated[
        int | None,
        typer.Option(min=1, help="CPUs of each worker on the cluster, and its threads; 1."),
    ],
    "device": Annotated[
        str,
        typer.Option(
            metavar="cpu|cuda|auto", help="Where networks compute; auto: a GPU if there is."
        ),
    ],
    "worker_gpus": Annotated[
        float | None,
        typer.Option(help="Share of a GPU that each worker on the cluster reserves; 1."),
    ],
}
"""By the names of `Execution`, which has their defaults, in the order of the help."""


def with_execution(command: Callable[..., None]) -> Callable[..., None]:
    """A command with these options in place of its parameter ``execution``."""
    defaults = {field.name: field.default for field in fields(Execution)}
    own = inspect.signature(command)
    parameters: list[inspect.Parameter] = []
    for name, parameter in own.parameters.items():
        if name == "execution":
            parameters += [
                parameter.replace(name=option, default=defaults[option], annotation=annotation)
                for option, annotation in _OPTIONS.items()
            ]
        else:
            parameters.append(parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY))

    @functools.wraps(command)
    def wrapped(**given: Any) -> None:
        execution = Execution(**{name: given.pop(name) for name in _OPTIONS})
        command(execution=execution, **given)

    wrapped.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined]
    wrapped.__annotations__ = {p.name: p.annotation for p in parameters}
    return wrapped
