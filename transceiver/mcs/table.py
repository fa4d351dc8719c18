"""Tables of modes: modulations and codes, and the Es/N0 from which each of them can be used."""

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar

import yaml
from pydantic import Field, ValidationError, model_validator

from transceiver.scenario import ScenarioError
from transceiver.scenario.decoder import DecoderSection, decoders_of
from transceiver.scenario.load import describe, load_section, user_path
from transceiver.scenario.phy import (
    AwgnChannel,
    CodeSection,
    InterleaverSection,
    ModulationSection,
    NoInterleaver,
    Phy,
)
from transceiver.scenario.section import Number, Section

_Checked = TypeVar("_Checked", bound=Section)
_Count = Annotated[int, Field(ge=0)]
_Positive = Annotated[Number, Field(gt=0)]
_Probability = Annotated[Number, Field(ge=0, le=1)]


class FamilyMode(Section):
    """Modulation and code of one mode."""

    modulation: ModulationSection
    code: CodeSection
    interleaver: InterleaverSection = NoInterleaver(kind="none")

    @property
    def name(self) -> str:
        """For lists and tables.

        >>> FamilyMode.model_validate({
        ...     "modulation": {"kind": "cross_qam", "order": 32},
        ...     "code": {"kind": "dvbs2", "n": 64800, "rate": "3/4"},
        ... }).name
        '32-cross-qam 3/4'
        """
        modulation = f"{self.modulation.order}-{self.modulation.kind.replace('_', '-')}"
        k, n = getattr(self.code, "k", ""), getattr(self.code, "n", "")
        return f"{modulation} {getattr(self.code, 'rate', None) or f'({n}, {k})'}"

    def phy(self, decoder: DecoderSection) -> Phy:
        """The mode over white noise, without CRC."""
        return Phy(
            crc="none",
            code=self.code,
            decoder=decoder,
            interleaver=self.interleaver,
            modulation=self.modulation,
            channel=AwgnChannel(kind="awgn"),
        )


class MeasuredMode(FamilyMode):
    """A mode and its threshold."""

    bits_per_channel_use: _Positive
    """Information bits: k / n times the bits of a symbol."""
    esn0_db: Number
    """The threshold: the least Es/N0 of the grid at which the block error rate was measured to be
    at most the target."""
    limit_esn0_db: Number
    """Es/N0 at which the constellation's capacity is the mode's rate: no code is good below it."""
    bler: _Probability
    """Block error rate at the threshold, and its 95 % interval."""
    bler_low: _Probability
    bler_high: _Probability
    block_errors: _Count
    blocks: Annotated[int, Field(ge=1)]
    dominated: bool = False
    """Another mode carries as much or more from the same or a lower Es/N0: not used."""


def dominated(modes: Sequence[MeasuredMode]) -> list[bool]:
    """Which of the modes another one makes useless; of equal ones all but the first."""
    return [
        any(
            a.bits_per_channel_use >= b.bits_per_channel_use
            and a.esn0_db <= b.esn0_db
            and (
                (a.bits_per_channel_use, a.esn0_db) != (b.bits_per_channel_use, b.esn0_db) or i < j
            )
            for i, a in enumerate(modes)
            if i != j
        )
        for j, b in enumerate(modes)
    ]


class _Table(Section):
    family: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    decoder: DecoderSection
    """Without it, or without its kind, that of the first mode's code by default."""

    @model_validator(mode="before")
    @classmethod
    def _default_decoder(cls, data: Any) -> Any:
        decoder = data.get("decoder", {}) if isinstance(data, dict) else None
        if not isinstance(decoder, dict):
            return data
        try:
            kind = data["modes"][0]["code"]["kind"]
        except (KeyError, TypeError, IndexError):
            kind = ""  # said elsewhere
        return {**data, "decoder": {"kind": decoders_of(str(kind))[0], **decoder}}


def _unfit(modes: Sequence[FamilyMode], decoder: DecoderSection) -> Iterator[str]:
    """What is wrong with modes as links."""
    for i, mode in enumerate(modes):
        if mode.code.kind == "none":
            yield f"modes.{i}.code.kind must be that of a code, got none"
            continue
        try:
            mode.phy(decoder)
        except ValidationError as error:
            for detail in error.errors(include_url=False):
                yield f"modes.{i}: {detail['msg'].removeprefix('Value error, ')}"


class Family(_Table):
    """The modes whose thresholds are to be measured, in any order."""

    modes: Annotated[list[FamilyMode], Field(min_length=1)]

    @model_validator(mode="after")
    def _fit(self) -> "Family":
        problems = list(_unfit(self.modes, self.decoder))
        twice = [i for i, mode in enumerate(self.modes) if mode in self.modes[:i]]
        problems += [f"modes.{i} must differ from the ones before, got {self.modes[i].name}"
                     for i in twice]  # fmt: skip
        if problems:
            raise ValueError("; ".join(problems))
        return self


class ModeTable(_Table):
    """Modes with measured thresholds, by the bits of a channel use, then by threshold."""

    target_bler: Annotated[Number, Field(gt=0, lt=1)]
    step_db: _Positive
    """Of the grid of Es/N0: its points are multiples of it."""
    most_blocks: Annotated[int, Field(ge=1)]
    """Blocks of a point that has no more errors than the target allows."""
    seed: _Count
    measured_with: str
    modes: Annotated[list[MeasuredMode], Field(min_length=1)]

    @model_validator(mode="after")
    def _consistent(self) -> "ModeTable":
        problems = [*_unfit(self.modes, self.decoder), *self._inconsistent()]
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def _inconsistent(self) -> Iterator[str]:
        places = [(mode.bits_per_channel_use, mode.esn0_db) for mode in self.modes]
        if places != sorted(places):
            yield (
                "modes must be in rising order of bits_per_channel_use, then of esn0_db, "
                f"got {places}"
            )
        for i, (mode, useless) in enumerate(zip(self.modes, dominated(self.modes), strict=True)):
            if mode.dominated != useless:
                yield f"modes.{i}.dominated must be {useless}, got {mode.dominated}"
            if mode.esn0_db < mode.limit_esn0_db:
                yield (
                    f"modes.{i}.esn0_db must be at least limit_esn0_db {mode.limit_esn0_db:g}, "
                    f"got {mode.esn0_db:g}"
                )
            if abs(mode.bler - mode.block_errors / mode.blocks) > 1e-6:
                yield f"modes.{i}.bler must be block_errors / blocks, got {mode.bler:g}"
            if not mode.bler <= self.target_bler:
                yield f"modes.{i}.bler must be at most {self.target_bler:g}, got {mode.bler:g}"
            if not mode.bler_low <= mode.bler <= mode.bler_high:
                yield (
                    f"modes.{i}.bler must be from bler_low to bler_high, "
                    f"got {mode.bler_low:g}, {mode.bler:g}, {mode.bler_high:g}"
                )

    @property
    def used(self) -> tuple[MeasuredMode, ...]:
        """The modes that no other one dominates: rising in bits and in threshold."""
        return tuple(mode for mode in self.modes if not mode.dominated)


def tables() -> dict[str, Path]:
    """Shipped tables by name."""
    return {path.stem: path for path in sorted(_folder("tables").glob("*.yaml"))}


def find_table(name_or_path: str, *, key: str) -> Path:
    """The file of a shipped table or of a path; ``key`` is named where there is none.

    Raises:
        ScenarioError: There is none, or it does not have the SHA-256 in the file beside it.
    """
    path = _find(name_or_path, tables(), key=key, what="a shipped table")
    beside = path.with_suffix(".sha256")
    found = digest(path)
    if beside.is_file() and beside.read_text().split()[:1] != [found]:
        raise ScenarioError(
            f"{key}: {path.name} must have the SHA-256 in {beside.name}, got {found}"
        )
    return path


def find_family(name_or_path: str) -> Path:
    """The file of a shipped family of modes, or of a path."""
    shipped = {path.stem: path for path in sorted(_folder("families").glob("*.yaml"))}
    return _find(name_or_path, shipped, key="family", what="a shipped one")


def load_table(path: Path) -> ModeTable:
    """Read and check a table; `ScenarioError` with a line for each problem."""
    return load_section(path, (), lambda data: _checked(ModeTable, data))


def load_family(path: Path) -> Family:
    """Read and check a family of modes; `ScenarioError` with a line for each problem."""
    return load_section(path, (), lambda data: _checked(Family, data))


def digest(path: Path) -> str:
    """SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def text_of(table: ModeTable, *, comment: str) -> str:
    """The table as a YAML file that begins with a comment."""
    data = table.model_dump(exclude={"modes"}, exclude_none=True)
    modes = [
        {key: values[key] for key in MeasuredMode.model_fields if key in values}
        for values in (mode.model_dump(exclude_defaults=True) for mode in table.modes)
    ]
    body = yaml.safe_dump(
        {**data, "modes": modes}, sort_keys=False, default_flow_style=None, width=100
    )
    return "".join(f"# {line}\n" for line in comment.splitlines()) + body


def _checked(kind: type[_Checked], data: dict[str, Any]) -> _Checked:
    try:
        return kind.model_validate(data)
    except ValidationError as error:
        raise ScenarioError("\n".join(describe(error, data))) from None


def _folder(name: str) -> Path:
    return Path(__file__).parent / name


def _find(name_or_path: str, shipped: dict[str, Path], *, key: str, what: str) -> Path:
    path = user_path(name_or_path)
    if path.suffix in (".yaml", ".yml") and path.is_file():
        return path
    if name_or_path in shipped:
        return shipped[name_or_path]
    raise ScenarioError(
        f"{key}: must be {what} ({', '.join(shipped) or 'there is none'}) or an existing .yaml "
        f"file, got {name_or_path}"
    )
