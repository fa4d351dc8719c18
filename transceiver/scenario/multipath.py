"""Multipath channels with OFDM: a part of the ``phy`` section."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from transceiver.scenario.section import Number, Section


class TdlChannel(Section):
    """Tapped delay line of TR 38.901, or with fixed delays of TS 38.101-4, behind OFDM."""

    kind: Literal["tdl"]
    model: Literal["A", "B", "C", "D", "E", "A10", "A30", "B100", "C60", "C300", "D10", "D30"]
    """``A`` to ``E`` of TR 38.901, the others of TS 38.101-4."""
    delay_spread_s: Annotated[Number, Field(ge=0)] | None = None
    """RMS delay spread [s]. Required for ``A`` to ``E``, left out for the others, whose delays are
    fixed."""
    carrier_frequency_hz: Annotated[Number, Field(gt=0)]
    """Carrier frequency [Hz]."""
    speed_m_s: Annotated[Number, Field(ge=0, lt=299792458)] = 0.0
    """Speed [m/s], of which the Doppler spread follows."""
    subcarriers: Annotated[int, Field(ge=1, le=8192)]
    """Of an OFDM symbol, all with data."""
    subcarrier_spacing_hz: Annotated[Number, Field(gt=0)]
    """Subcarrier spacing [Hz]."""
    cyclic_prefix: Annotated[int, Field(ge=0)]
    """In samples, at most ``subcarriers``."""
    domain: Literal["frequency", "time"] = "frequency"
    """A gain for each subcarrier, or samples through the taps of the channel."""

    @model_validator(mode="after")
    def _fits(self) -> "TdlChannel":
        fixed = len(self.model) > 1
        if fixed and self.delay_spread_s is not None:
            raise ValueError(
                f"delay_spread_s must be left out for model {self.model}, whose delays are fixed, "
                f"got {self.delay_spread_s:g}"
            )
        if not fixed and self.delay_spread_s is None:
            raise ValueError(f"delay_spread_s is required for model {self.model}")
        if self.cyclic_prefix > self.subcarriers:
            raise ValueError(
                f"cyclic_prefix must be at most the {self.subcarriers} subcarriers, "
                f"got {self.cyclic_prefix}"
            )
        return self
