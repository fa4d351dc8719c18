"""A unit of a run made again, for the picture that it left: a run stores numbers only.

Everything random in a unit follows from its name (`transceiver.streams`), so the picture that was
received can be had again from the scenario, the picture sent, and the point.
"""

import math

from semcodec.codec import Image
from semcodec.errors import BudgetError
from transceiver.build import conditions
from transceiver.failure import mean_colour
from transceiver.link import Streams, send
from transceiver.metrics import Measure
from transceiver.scenario import Scenario, ScenarioError
from transceiver.sender import Sender
from transceiver.source import Picture
from transceiver.store import Unit
from transceiver.streams import stream

_TOLERANCE = 1e-3
"""Relative, between a metric of the picture made again and that in the run."""


def remake(scenario: Scenario, sender: Sender, picture: Picture, *, point: int) -> Image:
    """What a viewer sees of a picture after its first trial at a point, uint8 ``[3, H, W]``.

    Only trial 0 needs nothing else than itself: with ``failure: last_good`` a later one may show
    what an earlier one left.

    Args:
        scenario: Of the run.
        sender: Of the codec.
        picture: That was sent; its ``key`` is its number in the run.
        point: Number of the point.
    """
    names = {"point": point, "image": picture.key, "trial": 0}
    state = conditions(sender.link, scenario, scenario.sweep.values[point])
    seen = stream(scenario.seed, **names, purpose="fading")  # the plan's look at the channel
    gamma = sender.channel_states(state.noise_variance, [seen])
    (frame,) = sender.encode_batch([picture], gamma=gamma)
    if isinstance(frame, BudgetError):
        return mean_colour(picture.pixels)
    streams = Streams(
        fading=stream(scenario.seed, **names, purpose="fading"),
        noise=stream(scenario.seed, **names, purpose="noise"),
    )
    link = sender.links[sender.modes.choose(gamma)[0]]
    (received,) = send(link, [frame], conditions=state, streams=[streams], last_good=[None])
    assert received.image is not None
    return received.image


def measured(measure: Measure, picture: Picture, image_hat: Image, unit: Unit) -> dict[str, float]:
    """The metrics of a picture made again.

    Raises:
        ScenarioError: They are not those of the run: other pictures, weights or packages made it.
    """
    (found,) = measure([picture], [image_hat])
    for name, value in found.items():
        if not math.isclose(value, unit.metrics[name], rel_tol=_TOLERANCE):
            raise ScenarioError(
                f"figure: {unit.key.codec} at point {unit.key.point} must be the picture of the "
                f"run, {name} {unit.metrics[name]:.6g}, got {value:.6g}: other pictures, weights "
                "or packages made the run"
            )
    return found
