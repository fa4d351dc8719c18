"""From the sections of plugins and of programs to codecs behind the checks of their contract."""

from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias, assert_never

from semcodec.checked import (
    Checked,
    CheckedAnalogCodec,
    CheckedByteCodec,
    CheckedLadderCodec,
    checked,
)
from semcodec.errors import CodecError
from semcodec.program import Program, ProgramIndices, ProgramValues
from semcodec.tensorflow_program import load_tensorflow_model, tensorflow_version
from semcodec.torch_program import load_torch_program
from transceiver import plugins
from transceiver.scenario import Scenario, ScenarioError
from transceiver.scenario.foreign import PluginCodec, TensorflowModel, TorchProgram
from transceiver.scenario.source import FixedPlan, Quality

ForeignSection: TypeAlias = PluginCodec | TorchProgram | TensorflowModel


def foreign_codec(name: str, codec: ForeignSection, scenario: Scenario) -> tuple[Checked, str]:
    """The codec of a section, and where it came from: a plugin's origin, TensorFlow's version.

    Raises:
        ScenarioError: It cannot be made, or does not fit the rest of the scenario.
        WeightsError: A program cannot be read.
    """
    origin = ""
    match codec:
        case PluginCodec():
            made = plugins.make(codec, key=f"codecs.{name}")
            try:
                found = checked(made.codec, f"codec {name}")
            except CodecError as error:
                raise ScenarioError(str(error)) from None
            lines = list(_misfits(f"codecs.{name}", codec, found, scenario, name))
            if lines:
                raise ScenarioError("\n".join(lines))
            return found, made.origin
        case TorchProgram():
            program = load_torch_program(
                Path(codec.encoder),
                Path(codec.decoder),
                name=f"codec {name}",
                multiple=codec.multiple,
            )
        case TensorflowModel():
            program = load_tensorflow_model(
                Path(codec.model), name=f"codec {name}", multiple=codec.multiple
            )
            origin = f"tensorflow=={tensorflow_version()}"
        case _:
            assert_never(codec)
    return checked(_of_program(program, codec.bits), f"codec {name}"), origin


def _of_program(program: Program, bits: int | None) -> ProgramIndices | ProgramValues:
    """Indices have ``bits``, values have none: the section says so."""
    return ProgramValues(program) if bits is None else ProgramIndices(program, bits)


def _misfits(
    key: str, codec: PluginCodec, found: Checked, scenario: Scenario, name: str
) -> Iterator[str]:
    """What could not be said of a plugin's section before the plugin was there."""
    is_bytes = isinstance(found, CheckedByteCodec)
    if is_bytes and codec.budget is None:
        yield f"{key}.budget: is required, as {codec.name} is a byte codec"
    if not is_bytes and codec.budget is not None:
        yield f"{key}.budget: must be left out, as {codec.name} is no byte codec"
    quality = codec.budget.value if isinstance(codec.budget, Quality) else None
    if isinstance(found, CheckedLadderCodec):
        if quality is not None and quality not in found.qualities:
            qualities = found.qualities
            yield f"{key}.budget.value: must be one of {qualities} for {codec.name}, got {quality}"
    elif is_bytes and (quality is not None or codec.headers == "known"):
        yield (
            f"{key}: budget quality and headers: known need qualities and encode, "
            f"got {codec.name} without them"
        )
    if isinstance(found, CheckedAnalogCodec):
        binary = scenario.phy_of(name).channel.kind == "bsc"
        if binary or scenario.sweep.quantity == "ebn0_db":
            yield (
                f"{key}: {codec.name} sends no bits, so it needs a channel with "
                "symbols and a sweep over esn0_db or normalized_snr_db"
            )
        if not isinstance(codec.plan, FixedPlan):
            yield f"{key}.plan: must be fixed for an analog codec, got {codec.plan.kind}"
