"""What every section of a scenario has in common."""

import math
from typing import Annotated, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field


class Section(BaseModel):
    """Strict, immutable, and without unknown keys."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, use_attribute_docstrings=True
    )


def _number(value: object) -> object:
    if not isinstance(value, str):
        return value
    above, slash, below = value.replace(" ", "").partition("/")
    try:
        number = float(above) / float(below) if slash else float(above)
    except (ValueError, ZeroDivisionError):
        return value
    return number if math.isfinite(number) else value


Number: TypeAlias = Annotated[float, BeforeValidator(_number), Field(allow_inf_nan=False)]
"""A finite number, or a fraction written as text: ``1/24``."""


def _section_or_value(data: object) -> str:
    return "~section" if isinstance(data, dict | Section) else "~value"


SectionOrValue = Discriminator(_section_or_value)
"""Chooses between a section, tagged ``~section``, and a plain value, tagged ``~value``."""
