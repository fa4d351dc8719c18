"""Sections of codecs that are not ours: plugins, and programs of other frameworks."""

import json
from typing import Annotated, Literal

from pydantic import Field, JsonValue, model_validator

from transceiver.scenario.source import (
    BudgetSection,
    BytePlan,
    CodecBase,
    CodedPlan,
    FixedPlan,
    ListedPlan,
)


class PluginCodec(CodecBase):
    """A codec of your own: of an installed package, or of a Python file."""

    kind: Literal["plugin"]
    name: str
    """Of an entry point in the group ``transceiver.codecs``, or of the class or function in
    ``file``."""
    file: Annotated[str, Field(pattern=r"\.py$")] | None = None
    """Python file (``.py``), which a run executes; without it the installed plugin."""
    options: dict[str, JsonValue] = {}
    """Keyword arguments: finite numbers, text, lists and mappings."""
    budget: BudgetSection | None = None
    """Of a byte codec, which needs one, and only of one."""
    plan: BytePlan = FixedPlan()
    """``adaptive`` for byte codecs only; an analog codec has ``fixed`` only."""
    headers: Literal["counted", "known"] = "counted"
    """``known`` for byte codecs only."""

    @model_validator(mode="after")
    def _fits(self) -> "PluginCodec":
        try:
            json.dumps(self.options, allow_nan=False)
        except ValueError:
            raise ValueError("options must be finite numbers, text, lists and mappings") from None
        for key, needs in (
            ("headers: known", self.headers == "known"),
            ("plan adaptive", isinstance(self.plan, ListedPlan)),
        ):
            if needs and self.budget is None:
                raise ValueError(f"{key} is for byte codecs, which need a budget, got none")
        return self


class _ProgramCodec(CodecBase):
    sends: Literal["indices", "values"]
    """What the encoder returns: integers that become bits, or real values that become symbols."""
    bits: Annotated[int, Field(ge=1, le=32)] | None = None
    """Of each index: the decoder takes every integer below 2**bits. Required for ``indices``, left
    out for ``values``."""
    multiple: Annotated[int, Field(ge=1)] = 1
    """Sides are continued to multiples of this by their last row and column, and cut back after
    decoding."""
    plan: CodedPlan = FixedPlan()
    """``amc`` for ``indices`` only."""

    @model_validator(mode="after")
    def _fits(self) -> "_ProgramCodec":
        if (self.sends == "indices") != (self.bits is not None):
            rule = "is required" if self.bits is None else "must be left out"
            raise ValueError(f"bits {rule} where sends is {self.sends}")
        if self.sends == "values" and not isinstance(self.plan, FixedPlan):
            raise ValueError(f"plan must be fixed where sends is values, got {self.plan.kind}")
        return self


class TorchProgram(_ProgramCodec):
    """Two programs of ``torch.export.save``."""

    kind: Literal["torch_program"]
    encoder: str
    """File of ``torch.export.save``."""
    decoder: str
    """The same."""


class TensorflowModel(_ProgramCodec):
    """A SavedModel with the signatures ``encode`` and ``decode``."""

    kind: Literal["tensorflow"]
    model: str
    """Folder of the SavedModel."""
