"""The blocks of a codec's links without its source: one link for each mode of its plan."""

from dataclasses import replace
from typing import TypeAlias, assert_never

from phy.crc import Crc
from phy.qam import qam
from transceiver import build_phy
from transceiver.adaptation import ONE_MODE, Modes
from transceiver.failure import Policy
from transceiver.link import Link
from transceiver.mcs import find_table, load_table
from transceiver.scenario.phy import Phy
from transceiver.scenario.source import AmcPlan, FixedPlan, JcampPlan, JcapPlan, ListedPlan
from transceiver.source import RandomBits

Plan: TypeAlias = FixedPlan | JcapPlan | JcampPlan | ListedPlan | AmcPlan


def skeleton(phy: Phy, failure: Policy) -> Link:
    """The blocks of a ``phy`` section around a source that is yet to come."""
    scrambler = phy.scrambler
    return Link(
        source=RandomBits(1),
        crc=None if phy.crc == "none" else Crc(phy.crc),
        coding=build_phy.coding(phy),
        scrambler_init=scrambler.c_init if scrambler.kind == "gold" else None,
        modulation=build_phy.modulation(phy.modulation),
        demapper=phy.modulation.demapper,
        channel=build_phy.channel(phy.channel),
        multipath=build_phy.multipath(phy.channel),
        equalizer=phy.equalizer.kind,
        failure=failure,
    )


def modes_of(plan: Plan, phy: Phy, failure: Policy, *, key: str) -> tuple[tuple[Link, ...], Modes]:
    """A link for each mode of a plan, and which of them a channel state takes.

    ``key`` names the plan where its table cannot be used (`ScenarioError`).
    """
    match plan:
        case ListedPlan():
            blocks = skeleton(phy, failure)
            links = tuple(replace(blocks, modulation=qam(mode.order)) for mode in plan.modes)
            return links, Modes.at([mode.esn0_db for mode in plan.modes])
        case AmcPlan():
            table = load_table(find_table(plan.table, key=f"{key}.table"))
            found = []
            for mode in table.used:
                mine = phy.model_copy(
                    update={
                        "code": mode.code,
                        "decoder": table.decoder,
                        "interleaver": mode.interleaver,
                        "modulation": mode.modulation,
                    }
                )
                found.append(skeleton(mine, failure))
            return tuple(found), Modes.at([m.esn0_db + plan.margin_db for m in table.used])
        case FixedPlan() | JcapPlan() | JcampPlan():
            return (skeleton(phy, failure),), ONE_MODE
        case _:
            assert_never(plan)
