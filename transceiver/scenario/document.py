"""A whole scenario: one YAML file, one link, and the points at which to run it."""

import math
import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal, TypeAlias, get_args

from pydantic import Field, Tag, model_validator

from transceiver.scenario.codec import CodecSection, may_be_named, sends_values
from transceiver.scenario.phy import BscChannel, Phy, Qam
from transceiver.scenario.reproduction import FigureSection, Paper
from transceiver.scenario.reproduction_check import problems as reproduction_problems
from transceiver.scenario.reproduction_claims import ClaimSection
from transceiver.scenario.section import Number, Section, SectionOrValue
from transceiver.scenario.source import (
    AmcPlan,
    BitsSource,
    FixedPlan,
    ImagesSection,
    ListedPlan,
    SourceBitsOf,
    SymbolsOf,
    SystemCodec,
)

TAPS = (
    "image", "indices", "codebooks", "payload", "source_bits", "info_bits", "coded_bits",
    "bits_per_symbol", "values", "symbols", "gain", "received", "equalized", "llrs",
    "coded_bits_hard", "info_bits_hat", "source_bits_hat", "values_hat", "indices_hat",
    "payload_hat", "image_hat",
)  # fmt: skip
"""The names of the taps, in signal order."""

TapName: TypeAlias = Literal[
    "image", "indices", "codebooks", "payload", "source_bits", "info_bits", "coded_bits",
    "bits_per_symbol", "values", "symbols", "gain", "received", "equalized", "llrs",
    "coded_bits_hard", "info_bits_hat", "source_bits_hat", "values_hat", "indices_hat",
    "payload_hat", "image_hat",
]  # fmt: skip


_MOST_POINTS = 1000
_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"


class Steps(Section):
    """Evenly spaced points, both ends included."""

    start: Number
    """First value."""
    stop: Number
    """Last value, at least ``start``."""
    step: Annotated[Number, Field(gt=0)]
    """Distance from value to value; at most 1000 of them."""

    @model_validator(mode="after")
    def _forward(self) -> "Steps":
        if self.stop < self.start:
            raise ValueError(f"stop must be at least start {self.start:g}, got {self.stop:g}")
        if (self.stop - self.start) / self.step >= _MOST_POINTS:
            raise ValueError(f"step must give at most {_MOST_POINTS} points, got {self.step:g}")
        return self


Points: TypeAlias = Annotated[
    Annotated[Steps, Tag("~section")] | Annotated[list[Number], Field(min_length=1), Tag("~value")],
    SectionOrValue,
]


Quantity: TypeAlias = Literal["esn0_db", "ebn0_db", "normalized_snr_db", "flip_probability"]


class Sweep(Section):
    """The quantity that changes from point to point: exactly one of the four."""

    esn0_db: Points | None = None
    """Mean transmitted Es/N0 [dB], -100 to 100."""
    ebn0_db: Points | None = None
    """Eb/N0 [dB], -100 to 100, by each codec's own nominal code rate and bits per symbol."""
    normalized_snr_db: Points | None = None
    """Mean energy of a bit over N0 [dB], -100 to 100, ESC-MVQ eq. 53, with the order of the
    scenario's own ``phy.modulation`` and no code: Es/N0 over its bits per symbol, the same N0 for
    all codecs."""
    flip_probability: Points | None = None
    """Probability that a bit of a ``bsc`` flips, above 0 and below 0.5. With that channel, and only
    with it, for every codec."""

    @model_validator(mode="after")
    def _one(self) -> "Sweep":
        given = [name for name in type(self).model_fields if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(
                "sweep must name exactly one of esn0_db, ebn0_db, normalized_snr_db, "
                f"flip_probability, "
                f"got {', '.join(given) or 'none'}"
            )
        if given == ["flip_probability"] and not all(0 < p < 0.5 for p in self.values):
            raise ValueError(f"flip_probability must be above 0 and below 0.5, got {self.values}")
        if given != ["flip_probability"] and not all(abs(v) <= 100 for v in self.values):
            raise ValueError(f"{given[0]} must be from -100 to 100, got {self.values}")
        return self

    @property
    def quantity(self) -> Quantity:
        """Which of the four is swept."""
        quantities = get_args(Quantity)
        return next(name for name in quantities if getattr(self, name) is not None)

    @property
    def values(self) -> list[float]:
        """The points, in order."""
        points: Points = getattr(self, self.quantity)
        if isinstance(points, Steps):
            count = math.floor((points.stop - points.start) / points.step + 1e-9) + 1
            return [round(points.start + i * points.step, 9) for i in range(count)]
        return list(points)


class Stop(Section):
    """When a point is done: images by trials, random bits by block errors."""

    trials: Annotated[int, Field(ge=1)] | None = None
    """Transmissions of every picture at every point, each with its own noise. Required where codecs
    send images, left out for ``bits``."""
    block_errors: Annotated[int, Field(ge=1)] | None = None
    """A point is done with so many wrong blocks. Required for ``bits``, as is ``max_blocks``."""
    max_blocks: Annotated[int, Field(ge=1)] | None = None
    """A point is done with so many blocks, whichever comes first; looked at after each frame."""


class Lpips(Section):
    """Learned perceptual distance (LPIPS 0.1)."""

    kind: Literal["lpips"]
    net: Literal["alex", "squeeze"] = "alex"
    """Backbone; ``lpips`` alone is this default."""
    weights: str | None = None
    """File of LPIPS v0.1 weights; searched for without it."""


MetricSection: TypeAlias = Annotated[
    Annotated[Literal["psnr", "ssim", "ms_ssim", "lpips"], Tag("~value")]
    | Annotated[Lpips, Tag("~section")],
    SectionOrValue,
]


class Taps(Section):
    """Samples to keep besides the counters, which are always kept."""

    samples: list[TapName] = []
    """Taps of which samples are kept in ``taps/CODEC-POINT.npz``, from the first picture's first
    trial."""
    per_point: Annotated[int, Field(ge=1)] = 4096
    """At most so many values of each."""


class Scenario(Section):
    """One link scenario."""

    name: Annotated[str, Field(pattern=_NAME)]
    """Title, and the folder ``runs/NAME``."""
    seed: Annotated[int, Field(ge=0, lt=2**63)]
    """Of all noise, fading and random payloads."""
    images: ImagesSection | None = None
    """What is sent. Required, unless the codecs are of kind ``bits``, which have none."""
    codecs: Annotated[
        dict[str, CodecSection],
        Field(min_length=1, json_schema_extra={"propertyNames": {"pattern": _NAME}}),
    ]
    """How it becomes bits or values: sections under names of your own (letters, digits, ``.``,
    ``_``, ``-``, the first a letter or digit). All of kind ``bits`` or none."""
    phy: Phy
    """From source bits to source bits received."""
    sweep: Sweep
    """The points."""
    stop: Stop
    """When a point is done."""
    failure: Literal["mean_colour", "best_effort", "last_good"] = "mean_colour"
    """What is shown in place of a picture that a byte codec lost."""
    metrics: list[MetricSection] = []
    """What is measured on every picture received, each once; none for ``bits``."""
    taps: Taps = Taps()
    """Samples to keep besides the counters."""
    # What is made of a run and not the run: excluded from what the run stores and compares.
    paper: Annotated[Paper | None, Field(exclude=True)] = None
    """For ``transceiver reproduce``: where the claims come from."""
    figure: Annotated[FigureSection | None, Field(exclude=True)] = None
    """For ``transceiver reproduce``: what is drawn."""
    claims: Annotated[list[ClaimSection], Field(exclude=True)] = []
    """For ``transceiver reproduce``: what the paper says."""

    @model_validator(mode="before")
    @classmethod
    def _codec_overrides(cls, data: Any) -> Any:
        """A codec's ``phy`` keys replace those of the scenario, key by key."""
        if not isinstance(data, dict) or not isinstance(data.get("codecs"), dict):
            return data
        base = data.get("phy")
        codecs = {}
        for name, codec in data["codecs"].items():
            if isinstance(codec, dict) and isinstance(codec.get("phy"), dict):
                merged = {**base, **codec["phy"]} if isinstance(base, dict) else codec["phy"]
                codec = {**codec, "phy": merged}
            codecs[name] = codec
        return {**data, "codecs": codecs}

    @model_validator(mode="after")
    def _consistent(self) -> "Scenario":
        problems = list(self._problems())
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def _problems(self) -> Iterator[str]:
        bits = [name for name, c in self.codecs.items() if isinstance(c, BitsSource)]
        if bits and len(bits) < len(self.codecs):
            yield f"codecs must be all of kind bits or none, got bits for {', '.join(bits)} only"
        if bits and self.images is not None:
            yield "images must be left out where the codecs are of kind bits"
        if not bits and self.images is None:
            yield "images is required where a codec sends images"
        if any(self.metrics.count(m) > 1 for m in self.metrics):
            yield "metrics must differ from each other, got one twice"
        if bits and self.metrics:
            yield f"metrics must be empty where the codecs are of kind bits, got {self.metrics}"
        yield from self._stop_problems(bits=bool(bits))
        yield from reproduction_problems(self, self.figure, self.claims)
        for name, codec in self.codecs.items():
            if not re.fullmatch(_NAME, name):
                yield (
                    "codecs: a name must begin with a letter or digit and hold letters, digits, "
                    f"dots, hyphens and underscores only, got {name!r}"
                )
            budget = getattr(codec, "budget", None)
            if isinstance(budget, SymbolsOf | SourceBitsOf):
                others = self._spending(bits=isinstance(budget, SourceBitsOf))
                if budget.codec not in others:
                    yield (
                        f"codecs.{name}.budget.codec must be a codec with weights"
                        f"{' that sends bits' if isinstance(budget, SourceBitsOf) else ''} "
                        f"({', '.join(others) or 'there is none'}), got {budget.codec}"
                    )
            bsc = isinstance(self.phy_of(name).channel, BscChannel)
            if bsc != (self.sweep.quantity == "flip_probability"):
                yield (
                    f"sweep must be over {'flip_probability' if bsc else 'esn0_db or ebn0_db'} "
                    f"for the {self.phy_of(name).channel.kind} channel of codec {name}, "
                    f"got {self.sweep.quantity}"
                )

            if sends_values(codec) and (bsc or self.sweep.quantity == "ebn0_db"):
                yield (
                    f"codecs.{name}: {codec.kind} sends no bits, so it needs a channel with "
                    "symbols and a sweep over esn0_db or normalized_snr_db"
                )

        for name in self.codecs:
            yield from self._plan_problems(name)

    def _spending(self, *, bits: bool) -> list[str]:
        """The codecs whose symbols (or bits) a budget can name."""
        named = [name for name, codec in self.codecs.items() if may_be_named(codec)]
        return [name for name in named if not (bits and sends_values(self.codecs[name]))]

    def _plan_problems(self, name: str) -> Iterator[str]:
        codec, phy = self.codecs[name], self.phy_of(name)
        coded = phy.code.kind != "none" or phy.crc != "none"
        if isinstance(codec, SystemCodec) and codec.decode == "soft" and coded:
            yield f"codecs.{name}.decode: soft needs code none and crc none"
        plan = getattr(codec, "plan", FixedPlan())
        if isinstance(plan, FixedPlan):
            return
        where = f"codecs.{name}.plan"
        if isinstance(plan, AmcPlan):
            if phy.channel.kind == "bsc":
                yield f"{where}: amc needs a channel with symbols, got bsc"
            if self.sweep.quantity == "ebn0_db":
                yield (
                    f"{where}: amc needs a sweep over esn0_db or normalized_snr_db, got ebn0_db: "
                    "it would depend on the mode, and the mode on it"
                )
            return
        if getattr(phy.channel, "fading", "image") != "image" or phy.channel.kind in ("bsc", "tdl"):
            yield f"{where}: {plan.kind} needs channel awgn or fading: image (one gain per image)"
        if isinstance(plan, ListedPlan):
            return
        if not isinstance(phy.modulation, Qam):
            yield f"{where}: {plan.kind} needs modulation qam, got {phy.modulation.kind}"
        elif phy.modulation.axes != "interleaved":
            yield f"{where}: {plan.kind} needs modulation axes interleaved"
        if coded:
            yield f"{where}: {plan.kind} needs code none and crc none: its bits go out as they are"
        if phy.equalizer.kind != "zero_forcing":
            yield f"{where}: {plan.kind} needs equalizer zero_forcing"

    def _stop_problems(self, *, bits: bool) -> Iterator[str]:
        if bits and (self.stop.block_errors is None or self.stop.max_blocks is None):
            yield "stop must have block_errors and max_blocks where the codecs are of kind bits"
        if bits and self.stop.trials is not None:
            yield "stop.trials is for images; it must be left out for codecs of kind bits"
        if not bits and self.stop.trials is None:
            yield "stop.trials is required where codecs send images"
        if not bits and (self.stop.block_errors or self.stop.max_blocks):
            yield "stop.block_errors and stop.max_blocks are for codecs of kind bits"

    @property
    def reference_bits_per_symbol(self) -> int:
        """Of the scenario's own modulation: what ``normalized_snr_db`` refers to."""
        return int(self.phy.modulation.order).bit_length() - 1

    def phy_of(self, codec: str) -> Phy:
        """The physical layer of a codec: the scenario's with the codec's own keys in it."""
        return self.codecs[codec].phy or self.phy
