"""The codebooks of a weight file, and the file again with new labels."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from semcodec import weights
from semcodec.errors import WeightsError

_CODEWORDS = {
    "vqvae": "codebook.codewords",
    "system32": "quantizer.codewords",
    "moc-rvq": "quantizer.codewords",
}
"""The tensor of the codewords, by model: [K, D], [V, K, D] or [levels, heads, K, D]."""

_BY_CODEWORD = {
    "vqvae": {"codewords": 0, "counts": 0, "sums": 0},
    "system32": {"codewords": 1, "probability": 1, "rate_bias": 1},
    "moc-rvq": {"codewords": 2},
}
"""Tensors of the same part with an axis of codewords, and which axis it is."""

_BY_BIT = {"vqvae": set[str](), "system32": {"flip_probability"}, "moc-rvq": set[str]()}
"""Tensors that stay as they are: they belong to a label's bits."""

_BY_LABELLING = {"vqvae": set[str](), "system32": {"distortion"}, "moc-rvq": set[str]()}
"""Tensors measured over a channel, which hold for the labels that they were measured with."""


@dataclass(frozen=True, eq=False)
class CodebookFile:
    """What a weight file says of its V codebooks of the same size.

    Attributes:
        path: Where it lies.
        model: The kind of network.
        weights: All its content.
        codewords: ``[V, K, D]``.
        probability: float64 ``[V, K]``, adding up to 1 for each codebook; None where the file
            holds none.
        flip_probability: float64 ``[V, B]``, mean over the cells of what was learned for each
            bit, MSB first; None where the file holds none.
    """

    path: Path
    model: str
    weights: weights.Weights
    codewords: Tensor
    probability: Tensor | None
    flip_probability: Tensor | None

    @property
    def tied_to_labels(self) -> tuple[str, ...]:
        """Tensors that `write_reordered` leaves out, because new labels change what they say."""
        part = _CODEWORDS[self.model].partition(".")[0]
        names = {f"{part}.{last}" for last in _BY_LABELLING[self.model]}
        return tuple(sorted(names & set(self.weights.tensors)))


def read_codebooks(path: Path) -> CodebookFile:
    """Read the codebooks of a ``vqvae``, ``system32`` or ``moc-rvq`` file.

    Those of MOC-RVQ come head by head of the first level, then of the next one.

    Probabilities are stored as float16; they are divided by their sum, which may be off by 1 %.

    Raises:
        WeightsError: The file is damaged, of another model, or holds no codebook.
    """
    model = _model(path)
    if model not in _CODEWORDS:
        raise WeightsError(f"{path.name} must hold model {' or '.join(_CODEWORDS)}, got {model}")
    content = weights.load(path, model=model)
    name = _CODEWORDS[model]
    if name not in content.tensors or not content.tensors[name].numel():
        raise WeightsError(f"{path.name} must hold a codebook, got no codewords in tensor {name}")
    codewords = content.tensors[name].to(torch.float32)
    if model == "vqvae":
        codewords = codewords[None]
    elif model == "moc-rvq" and codewords.dim() == 4:
        codewords = codewords.flatten(0, 1)
    if codewords.dim() != 3 or codewords.shape[1] < 2 or codewords.shape[1].bit_count() != 1:
        raise WeightsError(
            f"{path.name}: {name} must be codewords of D components, their number a power of two "
            f"above 1, got shape {list(content.tensors[name].shape)}"
        )
    if not bool(codewords.isfinite().all()):
        raise WeightsError(f"{path.name}: {name} must be finite, got infinity or NaN")
    count, size, _ = codewords.shape
    probability = content.tensors.get("quantizer.probability")
    flips = content.tensors.get("quantizer.flip_probability")
    return CodebookFile(
        path,
        model,
        content,
        codewords,
        None if probability is None else _distribution(path, probability, (count, size)),
        None if flips is None else _mean_flips(path, flips, (count, size.bit_length() - 1)),
    )


def write_reordered(
    file: CodebookFile, orders: Tensor, path: Path, *, note: Mapping[str, Any]
) -> str:
    """Write a weight file with new labels, and return its digest.

    Tensors that were measured with the old labels, `CodebookFile.tied_to_labels`, are left out.

    Args:
        file: The file with the old labels.
        orders: int64 ``[V, K]``, new index to old index for each codebook.
        path: The new file.
        note: How the labels were found; kept in the metadata as ``training.reordering``, with
            the digest of the old file and the names of the tensors left out.

    Raises:
        WeightsError: The file has a tensor of which it is not known whether it goes by codeword,
            or ``path`` is the old file.
    """
    if path.resolve() == file.path.resolve():
        raise WeightsError(f"the new file must not be the old one, got {path}")
    part = _CODEWORDS[file.model].partition(".")[0]
    by_codeword, by_bit = _BY_CODEWORD[file.model], _BY_BIT[file.model]
    tensors = {}
    for name, tensor in file.weights.tensors.items():
        room, _, last = name.partition(".")
        if room != part or last in by_bit:
            tensors[name] = tensor
        elif name in file.tied_to_labels:
            continue
        elif last in by_codeword:
            tensors[name] = _permuted(tensor, orders, axis=by_codeword[last])
        else:
            known = ", ".join(sorted({*by_codeword, *by_bit, *_BY_LABELLING[file.model]}))
            raise WeightsError(
                f"{file.path.name}: tensors of {part} must be of {known} to be reordered, "
                f"got {name}"
            )
    training = dict(file.weights.training)
    training["reordering"] = {
        **note,
        "source_sha256": file.weights.sha256,
        "left_out": list(file.tied_to_labels),
    }
    return weights.save(
        path, tensors, model=file.model, config=file.weights.config, training=training
    )


def _permuted(tensor: Tensor, orders: Tensor, *, axis: int) -> Tensor:
    if axis == 0:
        return tensor[orders[0]]
    books = tensor.flatten(0, axis - 1)
    permuted = [part[order] for part, order in zip(books, orders, strict=True)]
    return torch.stack(permuted).reshape(tensor.shape)


def _model(path: Path) -> str | None:
    """The kind of network that a file says it holds."""
    try:
        with safe_open(path, "pt") as file:
            return (file.metadata() or {}).get("model")
    except SafetensorError as error:
        raise WeightsError(f"{path.name} must be a safetensors file, got: {error}") from error


def _distribution(path: Path, probability: Tensor, shape: tuple[int, int]) -> Tensor:
    name = f"{path.name}: quantizer.probability"
    if probability.shape != shape:
        raise WeightsError(f"{name} must be {list(shape)}, got {list(probability.shape)}")
    p = probability.to(torch.float64)
    total = p.sum(1, keepdim=True)
    if not bool((p >= 0).all() and ((total - 1).abs() < 0.01).all()):
        raise WeightsError(
            f"{name} must be at least 0 and add up to 1, got from {float(p.min()):g} "
            f"with sums {[round(t, 4) for t in total.flatten().tolist()]}"
        )
    return p / total


def _mean_flips(path: Path, flips: Tensor, shape: tuple[int, int]) -> Tensor:
    name = f"{path.name}: quantizer.flip_probability"
    count, bits = shape
    if flips.dim() != 3 or flips.shape[0] != count or flips.shape[2] != bits or not len(flips[0]):
        raise WeightsError(f"{name} must be [{count}, N, {bits}], got {list(flips.shape)}")
    if not bool(((flips >= 0) & (flips <= 1)).all()):
        raise WeightsError(f"{name} must be in [0, 1], got other values")
    return flips.to(torch.float64).mean(1)
