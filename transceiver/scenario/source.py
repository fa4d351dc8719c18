"""The ``images`` section and those of our own codecs: what is sent, and how it becomes bits."""

from typing import Annotated, Literal, TypeAlias

from pydantic import Field, model_validator

from transceiver.scenario.phy import Phy
from transceiver.scenario.section import Number, Section

SAMPLES = ("astronaut", "chelsea", "coffee", "rocket")


class _Images(Section):
    limit: Annotated[int, Field(ge=1)] | None = None
    """Send only the first so many; all without it."""


class SampleImages(_Images):
    """Photographs that scikit-image ships."""

    kind: Literal["samples"]
    names: Annotated[
        list[Literal["astronaut", "chelsea", "coffee", "rocket"]], Field(min_length=1)
    ] = list(SAMPLES)  # type: ignore[arg-type]
    """Which, in this order; all four by default."""


class FolderImages(_Images):
    """Every picture in a folder, in the order of the names."""

    kind: Literal["folder"]
    path: str
    """The folder: ``.png .jpg .jpeg .webp .bmp .ppm .tif .tiff .gif`` in it, not below it. 8 bits a
    channel, one frame, no transparency."""


class Cifar10Images(_Images):
    """CIFAR-10: the folder of its binary version, or an array uint8 [n, 32, 32, 3] as .npy."""

    kind: Literal["cifar10"]
    path: str
    """The folder of the binary version (``test_batch.bin``, ...), or a ``.npy`` file."""
    split: Literal["test", "train"] = "test"
    """Part of the binary version; a ``.npy`` file is taken as it is."""


ImagesSection: TypeAlias = Annotated[
    SampleImages | FolderImages | Cifar10Images, Field(discriminator="kind")
]


class SymbolsOf(Section):
    """At most the channel uses that another codec takes for the same picture: equal CBR.

    They go through this codec's own ``phy``.
    """

    kind: Literal["symbols_of"]
    codec: str
    """A codec with weights, or a plugin or program without budget."""


class SourceBitsOf(Section):
    """At most as many bytes as another codec's indices fill."""

    kind: Literal["source_bits_of"]
    codec: str
    """The same, if it sends bits."""


class Cbr(Section):
    """Channel symbols for each sample of the image: symbols / (3 H W)."""

    kind: Literal["cbr"]
    value: Annotated[Number, Field(gt=0)]
    """At most so many, such as ``1/24``."""


class Bytes(Section):
    """A number of bytes, whatever the image."""

    kind: Literal["bytes"]
    value: Annotated[int, Field(ge=1)]
    """At most so many bytes."""


class Quality(Section):
    """A fixed quality setting of the codec; no budget at all."""

    kind: Literal["quality"]
    value: Annotated[int, Field(ge=0, le=100)]
    """QP 0 (best) to 51 for ``bpg``, 1 to 100 (best) for ``jpeg``, 0 to 100 (best) for ``webp``."""


BudgetSection: TypeAlias = Annotated[
    SymbolsOf | SourceBitsOf | Cbr | Bytes | Quality, Field(discriminator="kind")
]


class CodecBase(Section):
    """What every codec may have."""

    phy: Phy | None = None
    """Keys that replace those of the scenario's ``phy`` for this codec."""


class FixedPlan(Section):
    """The modulation of ``phy``, equal powers, the first codebook."""

    kind: Literal["fixed"] = "fixed"


class AmcPlan(Section):
    """Modulation and code by the channel state, in place of those of ``phy``.

    The state is that of each image where one gain holds for all of it, else the mean one.
    """

    kind: Literal["amc"]
    table: str
    """A shipped table (``dvbs2-64800``) or a path to ``.yaml``."""
    margin_db: Number = 0.0
    """Added to every threshold [dB]."""


CodedPlan: TypeAlias = Annotated[FixedPlan | AmcPlan, Field(discriminator="kind")]


class BitsSource(CodecBase):
    """Random bits instead of images: plain BER and BLER curves."""

    kind: Literal["bits"]
    payload_bits: Annotated[int, Field(ge=1, le=2**24)] | None = None
    """Bits of one frame, before the CRC; without it 64 code blocks less the CRC, or 65536 bits
    where there is no code."""
    plan: CodedPlan = FixedPlan()
    """Modulation and code by the channel state."""


class TrainedCodec(CodecBase):
    """A codec with weights: a shipped name or a path to ``.safetensors``."""

    weights: str
    """A name from ``transceiver list weights``, or a path that ends in ``.safetensors``."""


class VqCodec(TrainedCodec):
    """VQ-VAE: one index for each patch."""

    kind: Literal["vq"]
    plan: CodedPlan = FixedPlan()
    """Modulation and code by the channel state."""


class VqDeepScCodec(TrainedCodec):
    """VQ-DeepSC: indices on grids of several scales, the coarsest first."""

    kind: Literal["vq_deepsc"]
    plan: CodedPlan = FixedPlan()
    """Modulation and code by the channel state."""


class MocRvqCodec(TrainedCodec):
    """MOC-RVQ: indices of three bits, level by level.

    Uncoded over ``{kind: qam, order: 64, axes: split}`` each is one axis of a symbol.
    """

    kind: Literal["moc_rvq"]
    plan: CodedPlan = FixedPlan()
    """Modulation and code by the channel state."""
    levels: Annotated[int, Field(ge=1)] | None = None
    """Send only the first so many residual levels (MOC-RVQ-L1 to L4); all without it."""
    nrb: bool | None = None
    """Whether the receiver uses the noise reduction block; by default where the weights have it."""


class AnalogCodec(TrainedCodec):
    """UNet-DeepJSCC or JSCC-96: real values, two in a symbol, and no bits.

    Of ``phy`` only channel and equaliser have an effect.
    """

    kind: Literal["unet_jscc", "jscc"]


class JcapPlan(Section):
    """Codebook and power of each index by the channel state (ESC-MVQ, Algorithm 3).

    The order of ``phy.modulation`` is that of all symbols.
    """

    kind: Literal["jcap"]
    accounting: Literal["per_symbol", "as_printed"] = "per_symbol"
    """Powers and symbols counted once for each symbol, or as in eqs. 37c and 37d."""


class JcampPlan(Section):
    """Codebook, power and order of each symbol by the channel state (ESC-MVQ, Algorithm 2).

    The order of ``phy.modulation`` says how many symbols there are.
    """

    kind: Literal["jcamp"]
    accounting: Literal["per_symbol", "as_printed"] = "per_symbol"
    """Powers and symbols counted once for each symbol, or as in eqs. 37c and 37d."""
    most_bits_per_symbol: Literal[2, 4, 6, 8, 10] = 8
    """Highest order."""


SystemPlan: TypeAlias = Annotated[
    FixedPlan | JcapPlan | JcampPlan | AmcPlan, Field(discriminator="kind")
]


class FixedStream(Section):
    """Natural binary indices, all of one length."""

    kind: Literal["fixed"] = "fixed"
    labelling: Literal["natural", "gray"] = "natural"
    """Binary numbers; ``gray``: p as p xor (p >> 1)."""


class HuffmanStream(Section):
    """Huffman coding by how often codewords are used on the training pictures."""

    kind: Literal["huffman"]
    mark_every_rows: Annotated[int, Field(ge=1)] | None = None
    """A resynchronisation mark after so many rows of indices; none without it."""


class AnsStream(Section):
    """Asymmetric numeral systems, by how often codewords are used on the training pictures."""

    kind: Literal["ans"]


StreamSection: TypeAlias = Annotated[
    FixedStream | HuffmanStream | AnsStream, Field(discriminator="kind")
]


class SystemCodec(TrainedCodec):
    """A system for small pictures: ESC-MVQ, the grounded codebook, ECVQ, their baselines."""

    kind: Literal["system32"]
    plan: SystemPlan = FixedPlan()
    """Codebooks, orders and powers by the channel state."""
    stream: StreamSection = FixedStream()
    """How indices become bits."""
    decode: Literal["hard", "soft"] = "hard"
    """``soft``: each codeword is the mean of all, given the LLRs of its bits and how often
    codewords are used; with ``stream: {kind: fixed}``, without code, CRC or ``amc``."""

    @model_validator(mode="after")
    def _fits(self) -> "SystemCodec":
        fixed = isinstance(self.stream, FixedStream)
        if self.decode == "soft" and not fixed:
            raise ValueError(f"decode: soft needs stream fixed, got {self.stream.kind}")
        natural = fixed and getattr(self.stream, "labelling", "") == "natural"
        if self.decode == "soft" and isinstance(self.plan, AmcPlan):
            raise ValueError("decode: soft needs bits without code, got plan amc")
        if isinstance(self.plan, JcapPlan | JcampPlan) and not natural:
            raise ValueError(
                f"plan {self.plan.kind} needs stream fixed with natural labelling: "
                "the flip probabilities of the weights belong to those bits"
            )
        return self


class Mode(Section):
    """One modulation of an adaptive link, used from a channel state on."""

    order: Literal[4, 16, 64, 256, 1024, 4096]
    """Square QAM of so many points."""
    esn0_db: Number
    """Es |h|^2 / N0 [dB] from which it is used; the first mode is used below it too."""


class ListedPlan(Section):
    """The modulation of each image by its channel state: square QAM in place of the scenario's."""

    kind: Literal["adaptive"]
    modes: Annotated[list[Mode], Field(min_length=1)]
    """With rising ``esn0_db``."""

    @model_validator(mode="after")
    def _rising(self) -> "ListedPlan":
        thresholds = [mode.esn0_db for mode in self.modes]
        if thresholds != sorted(set(thresholds)):
            raise ValueError(f"modes must have rising esn0_db, got {thresholds}")
        return self


BytePlan: TypeAlias = Annotated[FixedPlan | ListedPlan | AmcPlan, Field(discriminator="kind")]


class _ByteCodec(CodecBase):
    budget: BudgetSection
    """What a picture may take."""
    plan: BytePlan = FixedPlan()
    """Modulation, or modulation and code, by the channel state."""
    headers: Literal["counted", "known"] = "counted"
    """Whether the fixed header is sent and counted, or known to the receiver."""


class BpgCodec(_ByteCodec):
    """BPG: an HEVC intra picture in the BPG container."""

    kind: Literal["bpg"]
    chroma: Literal["444", "420"] = "444"
    """Chroma sampling. Write the quotes."""

    @model_validator(mode="after")
    def _qp(self) -> "BpgCodec":
        if isinstance(self.budget, Quality) and self.budget.value > 51:
            raise ValueError(
                f"budget.value must be a QP, 0 to 51, for bpg, got {self.budget.value}"
            )
        return self


class JpegCodec(_ByteCodec):
    """JPEG with optimised Huffman tables."""

    kind: Literal["jpeg"]
    chroma: Literal["444", "420"] = "420"
    """Chroma sampling. Write the quotes."""

    @model_validator(mode="after")
    def _quality(self) -> "JpegCodec":
        if isinstance(self.budget, Quality) and self.budget.value < 1:
            raise ValueError(f"budget.value must be 1 to 100 for jpeg, got {self.budget.value}")
        return self


class WebpCodec(_ByteCodec):
    """Lossy WebP (4:2:0)."""

    kind: Literal["webp"]
