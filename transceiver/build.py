"""From a checked scenario to the blocks that run it."""

from collections.abc import Mapping
from dataclasses import replace
from math import log10, nan
from typing import assert_never

import torch
from torch import Tensor

from phy.snr import esn0_db_from_ebn0_db, noise_variance_from_esn0_db
from semcodec.checked import CheckedAnalogCodec, CheckedByteCodec, CheckedIndexCodec
from semcodec.codec import ByteCodec
from semcodec.device import CPU
from transceiver.adaptation import ONE_MODE, Modes, together
from transceiver.build_foreign import foreign_codec
from transceiver.build_modes import modes_of
from transceiver.build_source import (
    allocator,
    analog_source,
    byte_codec,
    byte_source,
    index_source,
    random_bits,
    system_source,
)
from transceiver.encodings import EncodingCache
from transceiver.link import Conditions, Link
from transceiver.scenario import Scenario, ScenarioError
from transceiver.scenario import source as section
from transceiver.scenario.codec import may_be_named
from transceiver.scenario.foreign import PluginCodec, TensorflowModel, TorchProgram
from transceiver.sender import Sender, Spending
from transceiver.source import AnalogSource, IndexSource, SystemSource

__all__ = ["Sender", "build", "conditions"]


def build(
    scenario: Scenario, *, cache: EncodingCache | None = None, device: torch.device = CPU
) -> dict[str, Sender]:
    """The links of a scenario, by codec.

    Args:
        scenario: The checked scenario.
        cache: Keeps encodings from run to run.
        device: Where the project's own networks compute; programs and plugins decide themselves.
    """
    senders: dict[str, Sender] = {}
    choices: dict[str, dict[int, Tensor]] = {}  # by weights: codecs that share them encode once
    named_first = sorted(scenario.codecs, key=lambda name: not may_be_named(scenario.codecs[name]))
    for name in named_first:
        sender = replace(_sender(name, scenario, senders, device), cache=cache)
        if isinstance(sender.link.source, SystemSource):
            known = choices.setdefault(sender.link.source.codec.sha256, {})
            sender = replace(sender, choices=known)
        senders[name] = sender
    return {name: senders[name] for name in scenario.codecs}


def conditions(link: Link, scenario: Scenario, value: float) -> Conditions:
    """The channel of a link at one value of the swept quantity."""
    match scenario.sweep.quantity:
        case "flip_probability":
            return Conditions(noise_variance=nan, flip_probability=value)
        case "esn0_db":
            esn0_db = value
        case "normalized_snr_db":
            esn0_db = value + 10 * log10(scenario.reference_bits_per_symbol)
        case "ebn0_db":
            nominal = link.format.nominal_bits_per_symbol
            esn0_db = esn0_db_from_ebn0_db(value, bits_per_symbol=nominal, code_rate=1)
    return Conditions(noise_variance_from_esn0_db(esn0_db), flip_probability=nan)


def _sender(
    name: str, scenario: Scenario, others: Mapping[str, Sender], device: torch.device
) -> Sender:
    codec, phy, failure = scenario.codecs[name], scenario.phy_of(name), scenario.failure
    origin = ""
    plan = getattr(codec, "plan", section.FixedPlan())
    links, modes = modes_of(plan, phy, failure, key=f"codecs.{name}.plan")
    match codec:
        case section.BitsSource():
            links = tuple(replace(link, source=random_bits(codec, link)) for link in links)
        case section.VqCodec() | section.VqDeepScCodec() | section.MocRvqCodec():
            indices = index_source(name, codec, device)
            links = tuple(replace(link, source=indices) for link in links)
        case section.AnalogCodec():
            values = analog_source(codec, device)
            links = tuple(replace(link, source=values) for link in links)
        case section.SystemCodec():
            source = system_source(codec, device)
            plans = allocator(name, codec.plan, source.codec, phy)
            links = tuple(replace(link, source=source, allocator=plans) for link in links)
        case section.BpgCodec() | section.JpegCodec() | section.WebpCodec():
            links, modes = _budgeted(
                name, byte_codec(codec), codec.budget, scenario, others, links, modes,
                headers_known=codec.headers == "known",
            )  # fmt: skip
        case PluginCodec() | TorchProgram() | TensorflowModel():
            foreign, origin = foreign_codec(name, codec, scenario)
            match foreign:
                case CheckedByteCodec():
                    assert isinstance(codec, PluginCodec)
                    assert codec.budget is not None
                    links, modes = _budgeted(
                        name, foreign, codec.budget, scenario, others, links, modes,
                        headers_known=codec.headers == "known",
                    )  # fmt: skip
                case CheckedIndexCodec():
                    links = tuple(replace(link, source=IndexSource(foreign)) for link in links)
                case CheckedAnalogCodec():
                    links = tuple(replace(link, source=AnalogSource(foreign)) for link in links)
        case _:
            assert_never(codec)
    return Sender(name, codec.kind, links, modes, origin=origin)


def _budgeted(
    name: str,
    codec: ByteCodec,
    budget: section.BudgetSection,
    scenario: Scenario,
    others: Mapping[str, Sender],
    links: tuple[Link, ...],
    modes: Modes,
    *,
    headers_known: bool,
) -> tuple[tuple[Link, ...], Modes]:
    """A byte codec's links; where its budget is another's symbols, one for each pair of modes."""
    other = _named(name, budget, scenario, others)
    spends = other is not None and isinstance(budget, section.SymbolsOf)
    modes, pairs = together(modes, other.modes if other and spends else ONE_MODE)
    sources = []
    for mine, its in pairs:
        spent = Spending(other, its) if other else None
        failure = scenario.failure
        source = byte_source(
            codec, budget, links[mine], failure, spent, headers_known=headers_known
        )
        sources.append(replace(links[mine], source=source))
    return tuple(sources), modes


def _named(
    name: str, budget: section.BudgetSection, scenario: Scenario, others: Mapping[str, Sender]
) -> Sender | None:
    """The codec that a byte codec's budget names."""
    if not isinstance(budget, section.SymbolsOf | section.SourceBitsOf):
        return None
    other = others[budget.codec]
    if isinstance(budget, section.SourceBitsOf) and isinstance(other.link.source, AnalogSource):
        raise ScenarioError(
            f"codecs.{name}.budget: source_bits_of needs a codec that sends bits, got {other.name}"
        )
    alike = scenario.phy_of(name).channel == scenario.phy_of(budget.codec).channel
    if isinstance(budget, section.SymbolsOf) and len(other.links) > 1 and not alike:
        raise ScenarioError(
            f"codecs.{name}.budget: symbols_of {budget.codec}, whose plan follows the channel, "
            "needs the same phy.channel"
        )
    return other
