"""The link: blocks, channels, and the way through them."""

from transceiver.link.blocks import BinarySymmetric, Conditions, Link, Received, Streams
from transceiver.link.send import send

__all__ = ["BinarySymmetric", "Conditions", "Link", "Received", "Streams", "send"]
