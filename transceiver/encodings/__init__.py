"""Source encodings kept on disk, so that each is made once for all points, runs and scenarios."""

from transceiver.encodings.cache import EncodingCache, default_folder
from transceiver.encodings.encode import encode

__all__ = ["EncodingCache", "default_folder", "encode"]
