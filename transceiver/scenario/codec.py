"""The ``codecs`` section: one of all kinds for each name."""

from typing import Annotated, TypeAlias

from pydantic import Field

from transceiver.scenario.foreign import PluginCodec, TensorflowModel, TorchProgram
from transceiver.scenario.source import (
    AnalogCodec,
    BitsSource,
    BpgCodec,
    JpegCodec,
    MocRvqCodec,
    SystemCodec,
    TrainedCodec,
    VqCodec,
    VqDeepScCodec,
    WebpCodec,
)

CodecSection: TypeAlias = Annotated[
    BitsSource
    | VqCodec
    | VqDeepScCodec
    | MocRvqCodec
    | AnalogCodec
    | SystemCodec
    | BpgCodec
    | JpegCodec
    | WebpCodec
    | PluginCodec
    | TorchProgram
    | TensorflowModel,
    Field(discriminator="kind"),
]


def may_be_named(codec: CodecSection) -> bool:
    """Whether a budget can refer to a codec: one without a budget of its own that sends images."""
    if isinstance(codec, PluginCodec):
        return codec.budget is None
    return isinstance(codec, TrainedCodec | TorchProgram | TensorflowModel)


def sends_values(codec: CodecSection) -> bool:
    """Whether a codec is known to send no bits; a plugin is known once it is loaded."""
    return isinstance(codec, AnalogCodec) or getattr(codec, "sends", "") == "values"
