"""What every section of a scenario has in common."""

from fractions import Fraction
from typing import Annotated, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field


class Section(BaseModel):
    """Strict, immutable, and without unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


def _number(value: object) -> object:
    if isinstance(value, str):
        try:
            return float(Fraction(value.replace(" ", "")))
        except (ValueError, ZeroDivisionError, OverflowError):
            return value
    return value


Number: TypeAlias = Annotated[float, BeforeValidator(_number), Field(allow_inf_nan=False)]
"""A finite number, or a fraction written as text: ``1/24``."""


def _section_or_value(data: object) -> str:
    return "~section" if isinstance(data, dict | Section) else "~value"


SectionOrValue = Discriminator(_section_or_value)
"""Chooses between a section, tagged ``~section``, and a plain value, tagged ``~value``."""
