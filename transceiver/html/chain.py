"""The blocks of a chain in words: what makes the signal at each tap."""

from transceiver.scenario import Scenario
from transceiver.scenario.phy import ModulationSection, Phy
from transceiver.scenario.source import AnalogCodec, FixedPlan


def made_by(scenario: Scenario, codec: str, tap: str) -> str:
    """The block whose output a tap shows.

    >>> from transceiver.catalog import find_scenario
    >>> from transceiver.scenario import load
    >>> quickstart = load(find_scenario("quickstart"), [])
    >>> [made_by(quickstart, "bpg", tap) for tap in ("payload", "coded_bits", "symbols")]
    ['bpg encoder', 'ieee80211n, n 648, rate 1/2; scrambler gold', '16-qam']
    """
    section, phy = scenario.codecs[codec], scenario.phy_of(codec)
    plan = getattr(section, "plan", FixedPlan())
    planned = not isinstance(plan, FixedPlan)
    analog = isinstance(section, AnalogCodec)
    modulation = f"by the plan, {plan.kind}" if planned else _modulation(phy.modulation)
    coded = f"by the plan, {plan.kind}" if plan.kind == "amc" else _code(phy)
    decoded = "the decoder of the mode" if plan.kind == "amc" else _decoder(phy)
    crc = "no CRC" if phy.crc == "none" else phy.crc
    encoder, decoder = f"{section.kind} encoder", f"{section.kind} decoder"
    words = {
        "image": scenario.images.kind if scenario.images else "",
        "indices": encoder,
        "codebooks": f"by the plan, {plan.kind}",
        "payload": encoder,
        "values": encoder,
        "source_bits": "random bits" if section.kind == "bits" else "to bits",
        "info_bits": crc if phy.code.kind == "none" else f"{crc}, code blocks",
        "coded_bits": coded,
        "bits_per_symbol": f"by the plan, {plan.kind}",
        "symbols": "two values each, unit mean energy" if analog else modulation,
        "gain": _channel(phy),
        "received": "gain × symbol + noise",
        "equalized": phy.equalizer.kind.replace("_", " "),
        "llrs": "flipped bits" if phy.channel.kind == "bsc" else f"{phy.modulation.demapper} demap",
        "coded_bits_hard": "signs of the LLRs",
        "info_bits_hat": decoded,
        "source_bits_hat": "joined" if phy.crc == "none" else f"{phy.crc} check, joined",
        "values_hat": "equalised symbols",
        "indices_hat": "from bits",
        "payload_hat": "from bits",
        "image_hat": decoder,
    }
    return words[tap]


def _code(phy: Phy) -> str:
    code = phy.code.model_dump(mode="json", exclude_none=True)
    kind = code.pop("kind")
    if kind == "none":
        text = "no code"
    else:
        text = ", ".join([kind, *(f"{name} {value}" for name, value in code.items())])
    if kind != "none" and phy.interleaver.kind != "none":
        text += f"; interleaver {phy.interleaver.kind.replace('_', ' ')}"
    return text if phy.scrambler.kind == "none" else f"{text}; scrambler {phy.scrambler.kind}"


def _decoder(phy: Phy) -> str:
    return "signs of the LLRs" if phy.code.kind == "none" else phy.decoder.kind.replace("_", " ")


def _modulation(section: ModulationSection) -> str:
    return f"{section.order}-{section.kind.replace('_', '-')}"


def _channel(phy: Phy) -> str:
    fading = getattr(phy.channel, "fading", None)
    if fading is None:
        return phy.channel.kind
    span = fading if isinstance(fading, str) else f"blocks of {fading.block}"
    return f"{phy.channel.kind}, {span}"
