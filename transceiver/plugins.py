"""Codecs of the user: of installed packages, by an entry point, or of a Python file.

A package registers a callable that returns the codec::

    [project.entry-points."transceiver.codecs"]
    block-dct = "my_codecs:BlockDct"

Nothing of a plugin is imported or run before `make` is called: `installed` and `problem` read only
what packages say of themselves.
"""

import hashlib
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType

from transceiver.scenario.foreign import PluginCodec
from transceiver.scenario.load import ScenarioError

GROUP = "transceiver.codecs"
"""Of the entry points."""


@dataclass(frozen=True)
class Made:
    """A plugin's codec, which may fulfil a contract or not, and where it came from.

    Attributes:
        codec: What the callable returned.
        origin: ``PACKAGE==VERSION:SHA256`` of the module, or ``FILE:SHA256``.
    """

    codec: object
    origin: str


def installed() -> dict[str, EntryPoint]:
    """The codecs that installed packages register, by name.

    Raises:
        ScenarioError: Two packages register the same name.
    """
    found: dict[str, EntryPoint] = {}
    for entry in sorted(entry_points(group=GROUP), key=lambda e: (e.name, e.value)):
        other = found.setdefault(entry.name, entry)
        if (other.value, _package(other)) != (entry.value, _package(entry)):
            raise ScenarioError(
                f"plugin {entry.name} must be registered by one package, "
                f"got {_package(other)} and {_package(entry)}"
            )
    return found


def describe() -> dict[str, str]:
    """What `transceiver list codecs` says of installed plugins."""
    return {f"plugin {name}": f"{_package(e)}, {e.value}" for name, e in installed().items()}


def problem(codec: PluginCodec, *, key: str) -> str | None:
    """What is wrong with a section before anything of the plugin is run; None if nothing is."""
    if codec.file is not None:
        missing = not Path(codec.file).is_file()
        return f"{key}.file: must be a Python file, got {codec.file}" if missing else None
    try:
        known = installed()
    except ScenarioError as error:
        return f"{key}.name: {error}"
    if codec.name in known:
        return None
    return (
        f"{key}.name: must be an installed plugin ({', '.join(known) or 'there is none'}) "
        f"or be accompanied by its file, got {codec.name}"
    )


def make(codec: PluginCodec, *, key: str) -> Made:
    """Import the plugin and call it with the options: from here on the user's code runs.

    Raises:
        ScenarioError: It is not there, cannot be imported or called, or raises.
    """
    wrong = problem(codec, key=key)
    if wrong:
        raise ScenarioError(wrong)
    try:
        factory, origin = _of_file(codec) if codec.file else _of_package(installed()[codec.name])
    except Exception as error:  # whatever the user's module raises
        raise ScenarioError(
            f"{key}: {codec.name} must be importable, got {_one_line(error)}"
        ) from error
    if not callable(factory):
        raise ScenarioError(
            f"{key}: {codec.name} must be a class or function, got {type(factory).__name__}"
        )
    try:
        return Made(factory(**codec.options), origin)
    except Exception as error:
        raise ScenarioError(
            f"{key}: {codec.name} must make a codec of options {codec.options}, "
            f"got {_one_line(error)}"
        ) from error


def _of_package(entry: EntryPoint) -> tuple[object, str]:
    factory = entry.load()
    file = getattr(sys.modules[entry.module], "__file__", None)
    digest = hashlib.sha256(Path(file).read_bytes()).hexdigest() if file else ""
    return factory, f"{_package(entry)}:{digest}"


def _of_file(codec: PluginCodec) -> tuple[object, str]:
    """The callable of a file's module; what is run is what the digest is of."""
    assert codec.file is not None
    path = Path(codec.file)
    content = path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    name = f"transceiver_plugin_{path.stem}_{digest[:16]}"
    module = sys.modules.get(name)
    if module is None:
        module = ModuleType(name)
        module.__file__ = str(path)
        sys.modules[name] = module  # dataclasses look their module up
        try:
            exec(compile(content, str(path), "exec"), module.__dict__)
        except BaseException:
            del sys.modules[name]
            raise
    if not hasattr(module, codec.name):
        raise AttributeError(f"{path.name} has no {codec.name}")
    factory: Callable[..., object] = getattr(module, codec.name)
    return factory, f"{path.name}:{digest}"


def _package(entry: EntryPoint) -> str:
    return f"{entry.dist.name}=={entry.dist.version}" if entry.dist else "unknown"


def _one_line(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
