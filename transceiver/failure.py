"""What the viewer sees where the receiver has no picture."""

from typing import Literal, TypeAlias

from torch import Tensor

from semcodec.codec import Image
from transceiver.source import Arrived, Picture

Policy: TypeAlias = Literal["mean_colour", "best_effort", "last_good"]


def mean_colour(pixels: Image) -> Image:
    """A picture ``[3, H, W]`` of one colour, the mean of ``pixels``.

    The receiver is granted this colour of the picture that was sent, without cost: the usual
    generous treatment of a codec that failed.
    """
    mean = pixels.float().mean(dim=(1, 2), keepdim=True).round().to(pixels.dtype)
    return mean.expand_as(pixels).clone()


def conceal(
    policy: Policy, arrived: Arrived, picture: Picture | None, *, last_good: Tensor | None
) -> Image | None:
    """The picture to show; None for random bits.

    - ``mean_colour``: a failed picture becomes its mean colour.
    - ``best_effort``: a damaged picture is shown if it can be decoded at all, else its mean colour.
    - ``last_good``: the last transmission of the same picture that arrived (trials are the frames
      of a still scene), else its mean colour.
    """
    if picture is None:
        return None
    if arrived.image is not None:
        return arrived.image
    if policy == "last_good" and last_good is not None:
        return last_good
    return mean_colour(picture.pixels)
