"""BPG pictures: the container, HEVC's parameter sets, the colour pipeline, and the codec."""

from semcodec.bpg.codec import Bpg
from semcodec.bpg.container import BpgHeader

__all__ = ["Bpg", "BpgHeader"]
