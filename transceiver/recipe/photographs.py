"""Folders of photographs to train on."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from transceiver.scenario.load import ScenarioError, user_path
from transceiver.scenario.section import Section

if TYPE_CHECKING:
    from semcodec.training.photos import Photos


class PhotographData(Section):
    """Folders of photographs below ``root``."""

    root: str
    train: Annotated[list[str], Field(min_length=1)]
    validation: Annotated[list[str], Field(min_length=1)]
    crop: Annotated[int, Field(ge=16, multiple_of=8)] = 96
    validation_crop: Annotated[int, Field(ge=16, multiple_of=8)] = 256


def read_photographs(data: PhotographData) -> "tuple[Photos, Photos]":
    """Those to train on and those held out; `ScenarioError` where a folder holds none."""
    from semcodec.training.photos import Photos

    root = user_path(data.root)

    def read(folders: Sequence[str], crop: int) -> Photos:
        try:
            return Photos.read([root / f for f in folders], crop=crop)
        except ValueError as error:
            raise ScenarioError(f"data: {error}") from None

    return read(data.train, data.crop), read(data.validation, data.validation_crop)
