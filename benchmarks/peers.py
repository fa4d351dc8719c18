"""LDPC decoders of other packages, behind one function each: LLRs in, hard decisions out.

All get the same parity-check matrix and the same LLRs, ln P(b = 0) / P(b = 1).
"""

import importlib.util
import re
import subprocess
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import scipy.sparse
import torch
from torch import Tensor

from phy.ldpc import TannerGraph

Decode = Callable[[Tensor], Tensor]
"""LLRs ``[blocks, variables]`` to bits, uint8 ``[blocks, variables]``."""

KAIRA_LARGEST = 1000
"""Kaira builds dense matrices of all edges by all variables; longer codes take it minutes."""


def matrix(graph: TannerGraph) -> scipy.sparse.csr_matrix:
    """The parity-check matrix."""
    ones = np.ones(graph.edges, np.float32)
    places = graph.check.numpy(), graph.variable.numpy()
    return scipy.sparse.csr_matrix((ones, places), shape=(graph.checks, graph.variables))


def sionna(graph: TannerGraph, iterations: int) -> Decode:
    """Sionna's flooding sum-product decoder; it has no early stop."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from sionna.phy.fec.ldpc import LDPCBPDecoder

        decoder = LDPCBPDecoder(matrix(graph), num_iter=iterations, hard_out=True)

    def decode(llrs: Tensor) -> Tensor:
        with torch.inference_mode():
            return decoder(-llrs).to(torch.uint8)  # its LLR is ln P(b = 1) / P(b = 0)

    return decode


def commpy(graph: TannerGraph, iterations: int) -> Decode:
    """scikit-commpy's sum-product decoder, one block after the other, with early stop."""
    from commpy.channelcoding.ldpc import ldpc_bp_decode

    parameters = {
        "n_vnodes": graph.variables,
        "n_cnodes": graph.checks,
        "parity_check_matrix": matrix(graph).astype(np.int8).tocsc(),
    }

    def decode(llrs: Tensor) -> Tensor:
        flat = llrs.flatten().double().numpy().copy()  # the decoder clips it in place
        bits, _ = ldpc_bp_decode(flat, parameters, "SPA", iterations)
        return torch.from_numpy(bits.T.reshape(llrs.shape).astype(np.uint8))

    return decode


def kaira(graph: TannerGraph, iterations: int) -> Decode | None:
    """Kaira's sum-product decoder, where it is installed and the code is small enough."""
    if importlib.util.find_spec("kaira") is None or graph.variables > KAIRA_LARGEST:
        return None
    from kaira.models.fec.decoders import BeliefPropagationDecoder
    from kaira.models.fec.encoders import LDPCCodeEncoder

    encoder = LDPCCodeEncoder(torch.from_numpy(matrix(graph).toarray()).to(torch.int64))
    decoder = BeliefPropagationDecoder(encoder, bp_iters=iterations)

    def decode(llrs: Tensor) -> Tensor:
        # It returns the message alone: the rest counts as not looked at.
        message = decoder(llrs).to(torch.uint8)
        return torch.nn.functional.pad(message, (0, llrs.shape[1] - message.shape[1]))

    return decode


def aff3ct(binary: Path, graph: TannerGraph, ebn0_db: float) -> str:
    """AFF3CT's last line for its int16 layered offset min-sum decoder, 50 iterations, one thread.

    It is a program of its own: it draws its own noise (on the all-zero codeword), at the same
    Eb/N0 and with the same matrix.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "h.alist"
        path.write_text(_alist(graph))
        k, n = graph.variables - graph.checks, graph.variables
        arguments = (
            f"-C LDPC --src-type AZCW --enc-type AZCW -K {k} -N {n} --dec-h-path {path} "
            "--dec-type BP_HORIZONTAL_LAYERED --dec-implem OMS --dec-off 2 --dec-ite 50 "
            "--dec-simd INTER --qnt-type POW2 --qnt-dec 2 --qnt-bits 8 --sim-prec 16 "
            f"-m {ebn0_db} -M {ebn0_db} --sim-threads 1 --mnt-max-fe 100"
        )
        done = subprocess.run(
            [str(binary), *arguments.split()], capture_output=True, text=True, check=True
        )
    rows = [line for line in done.stdout.splitlines() if re.match(r"\s*-?\d", line)]
    return rows[-1].strip()


def _alist(graph: TannerGraph) -> str:
    """The matrix in MacKay's alist format, whose indices begin at 1."""
    by_column = [(c + 1).tolist() for c in _split(graph.check, graph.variable, graph.variables)]
    by_row = [(v + 1).tolist() for v in _split(graph.variable, graph.check, graph.checks)]
    lines = [[graph.variables, graph.checks], [max(map(len, by_column)), max(map(len, by_row))]]
    lines += [[len(c) for c in by_column], [len(r) for r in by_row]]
    for lists in (by_column, by_row):
        longest = max(map(len, lists))
        lines += [entries + [0] * (longest - len(entries)) for entries in lists]
    return "\n".join(" ".join(map(str, line)) for line in lines) + "\n"


def _split(values: Tensor, keys: Tensor, count: int) -> list[Tensor]:
    order = keys.argsort(stable=True)
    return list(torch.split(values[order], keys.bincount(minlength=count).tolist()))
