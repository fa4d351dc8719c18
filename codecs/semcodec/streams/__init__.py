"""Index streams: how codeword indices become bits, and come back over a link that errs."""

from semcodec.streams.ans import AnsStream
from semcodec.streams.contract import IndexStream, StreamCounts, Unstreamed, stream_counts
from semcodec.streams.fixed import (
    FixedStream,
    Labelling,
    binarize,
    bits_per_index,
    debinarize,
    index_labels,
)
from semcodec.streams.frequencies import Frequencies
from semcodec.streams.huffman import HuffmanStream, huffman_code
from semcodec.streams.marked import MarkedHuffmanStream
from semcodec.streams.marks import Marks
from semcodec.streams.prefix_code import PrefixCode
from semcodec.streams.soft import SoftDecoded, soft_decode

__all__ = [
    "AnsStream",
    "FixedStream",
    "Frequencies",
    "HuffmanStream",
    "IndexStream",
    "Labelling",
    "MarkedHuffmanStream",
    "Marks",
    "PrefixCode",
    "SoftDecoded",
    "StreamCounts",
    "Unstreamed",
    "binarize",
    "bits_per_index",
    "debinarize",
    "huffman_code",
    "index_labels",
    "soft_decode",
    "stream_counts",
]
