"""Reading a scenario file, and saying in one line for each what is wrong with it."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from transceiver.scenario.codec import CodecSection
from transceiver.scenario.document import Lpips, Scenario
from transceiver.scenario.foreign import PluginCodec, TensorflowModel, TorchProgram
from transceiver.scenario.source import AmcPlan, TrainedCodec

Checked = TypeVar("Checked")


class ScenarioError(Exception):
    """What is wrong with a scenario, one line for each problem."""


class _UniqueKeys(yaml.SafeLoader):
    """YAML 1.1's safe subset, duplicate keys refused."""


def _mapping(loader: yaml.SafeLoader, node: yaml.MappingNode) -> dict[Any, Any]:
    seen: dict[Any, Any] = {}
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node, deep=True)
        if not isinstance(key, str):
            raise ScenarioError(f"line {key_node.start_mark.line + 1}: key must be text, got {key}")
        if key in seen:
            raise ScenarioError(f"line {key_node.start_mark.line + 1}: key {key} is given twice")
        seen[key] = loader.construct_object(value_node, deep=True)
    return seen


def _integer(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> int:
    value: int = loader.construct_yaml_int(node)
    if abs(value) >= 1 << 128:  # Python refuses to print those of thousands of digits
        raise ScenarioError(f"line {node.start_mark.line + 1}: integer must be below 2**128")
    return value


_UniqueKeys.add_constructor("tag:yaml.org,2002:map", _mapping)
_UniqueKeys.add_constructor("tag:yaml.org,2002:int", _integer)


_MOST_CHARACTERS = 1000
"""Of a line about what is wrong."""
_MOST_NODES = 100_000
"""Of a YAML text, with each alias counted as all that it stands for."""


def _yaml(text: str, rule: str) -> Any:
    """A YAML value of any kind; bad syntax is a `ScenarioError` that begins with the rule."""
    try:
        node = yaml.compose(text, Loader=_UniqueKeys)
        if node is not None and _nodes(node, {}) > _MOST_NODES:
            raise ScenarioError(f"{rule}it must have at most {_MOST_NODES} values")
        return yaml.load(text, Loader=_UniqueKeys)
    except (yaml.YAMLError, ValueError) as error:  # ValueError: such as the date 2026-02-30
        mark = getattr(error, "problem_mark", None)
        where = f" (line {mark.line + 1})" if mark else ""
        reason = getattr(error, "problem", None) or " ".join(str(error).split())
        raise ScenarioError(f"{rule}{reason or 'bad syntax'}{where}") from error
    except RecursionError:
        raise ScenarioError(f"{rule}it is nested too deeply") from None


def _nodes(node: yaml.Node, known: dict[int, int]) -> int:
    """How many values a node stands for; `ValueError` for one that stands inside itself."""
    if not isinstance(node, yaml.CollectionNode):
        return 1
    if id(node) not in known:
        known[id(node)] = 0  # while its parts are counted
        pairs = isinstance(node, yaml.MappingNode)
        parts = [part for pair in node.value for part in pair] if pairs else node.value
        known[id(node)] = 1 + sum(_nodes(part, known) for part in parts)
    elif known[id(node)] == 0:
        raise ValueError("found unconstructable recursive node")
    return known[id(node)]


def read_yaml(text: str) -> dict[str, Any]:
    """A YAML mapping; duplicate keys, other documents and bad syntax are `ScenarioError`."""
    data = _yaml(text, "the file must be YAML: ")
    if not isinstance(data, dict):
        raise ScenarioError(f"the file must be a mapping of keys, got {type(data).__name__}")
    return data


def override(data: dict[str, Any], assignments: Sequence[str]) -> dict[str, Any]:
    """Set ``dotted.key=value`` pairs, values in YAML.

    >>> override({"stop": {"trials": 4}}, ["stop.trials=1"])
    {'stop': {'trials': 1}}
    """
    for assignment in assignments:
        path, equals, value = assignment.partition("=")
        if not equals:
            raise ScenarioError(f"--set must be KEY=VALUE, got {assignment}")
        *parents, last = path.strip().split(".")
        section: Any = data
        for key in parents:
            section = section.setdefault(key, {}) if isinstance(section, dict) else None
        if not isinstance(section, dict):
            raise ScenarioError(f"--set key must name a section's key, got {path}")
        section[last] = _yaml(value, f"--set {path} must be given a YAML value: ")
    return data


def parse(data: dict[str, Any]) -> Scenario:
    """Check a scenario's data; all problems at once in one `ScenarioError`."""
    try:
        return Scenario.model_validate(data)
    except ValidationError as error:
        raise ScenarioError("\n".join(describe(error, data))) from None


def load(path: Path, assignments: Sequence[str] = ()) -> Scenario:
    """Read and check a scenario file.

    Relative paths start at the file's folder: those of the pictures where they are opened, all
    others here, as a run opens them again from anywhere.
    """
    return load_section(path, assignments, lambda data: _anchored(parse(data), path.parent))


def load_section(
    path: Path, assignments: Sequence[str], check: Callable[[dict[str, Any]], Checked]
) -> Checked:
    """Read a YAML file, apply assignments and check it; every line of an error names the file."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ScenarioError(f"{path}: no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ScenarioError(f"{path}: cannot be read as text: {error}") from None
    try:
        return check(override(read_yaml(text), assignments))
    except ScenarioError as error:
        lines = "\n".join(f"{path.name}: {line}" for line in str(error).splitlines())
        raise ScenarioError(lines) from None


def _anchored(scenario: Scenario, folder: Path) -> Scenario:
    """The scenario with the paths of its codecs' files and mode tables absolute."""

    def anchor(path: str) -> str:
        return str((folder / user_path(path)).absolute())

    def anchored(codec: CodecSection) -> CodecSection:
        update: dict[str, object] = {}
        match codec:
            case TrainedCodec() if codec.weights.endswith(".safetensors"):
                update["weights"] = anchor(codec.weights)
            case PluginCodec() if codec.file is not None:
                update["file"] = anchor(codec.file)
            case TorchProgram():
                update |= {"encoder": anchor(codec.encoder), "decoder": anchor(codec.decoder)}
            case TensorflowModel():
                update["model"] = anchor(codec.model)
            case _:
                pass
        plan = getattr(codec, "plan", None)
        if isinstance(plan, AmcPlan) and plan.table.endswith((".yaml", ".yml")):
            update["plan"] = plan.model_copy(update={"table": anchor(plan.table)})
        return codec.model_copy(update=update)

    codecs = {name: anchored(codec) for name, codec in scenario.codecs.items()}
    metrics = [
        metric.model_copy(update={"weights": anchor(metric.weights)})
        if isinstance(metric, Lpips) and metric.weights is not None
        else metric
        for metric in scenario.metrics
    ]
    return scenario.model_copy(update={"codecs": codecs, "metrics": metrics})


def user_path(path: str) -> Path:
    """A path as the user wrote it, ``~`` being a home folder.

    >>> user_path("pictures/kodak").as_posix()
    'pictures/kodak'
    """
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise ScenarioError(f"paths must begin with the home of a known user, got {path}") from None


def describe(error: ValidationError, data: dict[str, Any]) -> list[str]:
    """A line for each problem: the key as the user wrote it, the rule, what came."""
    lines = (" ".join(line.split()) for line in _lines(error, data))
    cut = (
        line if len(line) <= _MOST_CHARACTERS else f"{line[:_MOST_CHARACTERS]}..." for line in lines
    )
    return list(dict.fromkeys(cut))


def _lines(error: ValidationError, data: dict[str, Any]) -> Iterator[str]:
    for detail in error.errors(include_url=False):
        keys = _keys(detail["loc"], data)
        override_key = len(keys) > 3 and keys[0] == "codecs" and keys[2] == "phy"
        if override_key and keys[3] not in map(str, data["codecs"][keys[1]]["phy"]):
            continue  # the scenario's own phy section says it
        yield from _sentences(".".join(keys), detail)


def _keys(location: tuple[int | str, ...], data: Any) -> list[str]:
    """The keys as the user wrote them: pydantic also lists the kinds it chose on the way."""
    keys: list[str] = []
    for item in location:
        if isinstance(data, dict):
            inside = item in data
        else:
            inside = isinstance(data, list) and isinstance(item, int)
        if inside:
            data = data[item]
        elif str(item).startswith("~") or (isinstance(data, dict) and data.get("kind") == item):
            continue
        keys.append(str(item))
    return keys


def _sentences(key: str, detail: ErrorDetails) -> Iterator[str]:
    came, kind = detail["input"], detail["type"]
    context = detail.get("ctx", {})
    match kind:
        case "value_error":
            for problem in str(context["error"]).split("; "):
                yield f"{key}: {problem}" if key else problem
        case "missing":
            yield f"{key}: is required"
        case "extra_forbidden":
            yield f"{key}: is not a key of this section"
        case "union_tag_invalid":
            yield f"{key}.kind: must be one of {context['expected_tags']}, got {context['tag']}"
        case "union_tag_not_found":
            yield f"{key}.kind: is required"
        case "literal_error":
            yield f"{key}: must be {context['expected']}, got {came!r}"
        case _:
            _, _, rule = detail["msg"].rpartition("should ")  # "Input should be ...", "List should"
            yield f"{key}: must {rule}, got {came!r}"
