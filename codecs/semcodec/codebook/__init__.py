"""A codebook on a noisy channel: its use, its distances, its distortion, its size, its labels."""

from semcodec.codebook.analysis import Analysis, analyse
from semcodec.codebook.distance import DistanceProfile, distance_profile, squared_distances
from semcodec.codebook.distortion import (
    channel_distortion,
    expected_displacement,
    random_labelling_distortion,
    transition,
)
from semcodec.codebook.file import CodebookFile, read_codebooks, write_reordered
from semcodec.codebook.labels import gray, label_length, uniform
from semcodec.codebook.reorder import walk_order
from semcodec.codebook.size import (
    SizedCodebook,
    distortion_by_size,
    lloyd,
    optimal_size,
    split_codebooks,
)
from semcodec.codebook.switching import Switching, switching_order
from semcodec.codebook.usage import Usage, histogram, usage

__all__ = [
    "Analysis",
    "CodebookFile",
    "DistanceProfile",
    "SizedCodebook",
    "Switching",
    "Usage",
    "analyse",
    "channel_distortion",
    "distance_profile",
    "distortion_by_size",
    "expected_displacement",
    "gray",
    "histogram",
    "label_length",
    "lloyd",
    "optimal_size",
    "random_labelling_distortion",
    "read_codebooks",
    "split_codebooks",
    "squared_distances",
    "switching_order",
    "transition",
    "uniform",
    "usage",
    "walk_order",
    "write_reordered",
]
