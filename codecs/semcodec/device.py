"""Where networks compute: on the processor, or on a GPU that torch knows.

What goes into a codec and what comes out of it lies on the processor; a codec moves its pictures,
indices or values to its network and back.
"""

import torch
from torch import nn

from semcodec.errors import CodecError

CPU = torch.device("cpu")


def device_of(network: nn.Module) -> torch.device:
    """Where the parameters of a network are.

    >>> device_of(nn.Linear(1, 1))
    device(type='cpu')
    """
    return next(network.parameters()).device


def find_device(wanted: str) -> torch.device:
    """The device of ``cpu``, ``cuda``, or ``auto``: a GPU if there is one.

    On a GPU, algorithms are those that add in the same order every time, in float32 throughout
    (no TF32), so that its results differ from those of the processor in last bits only.

    Raises:
        CodecError: A GPU is wanted and torch finds none.
    """
    if wanted not in ("cpu", "cuda", "auto"):
        raise ValueError(f"device must be cpu, cuda or auto, got {wanted}")
    if wanted == "cpu" or (wanted == "auto" and not torch.cuda.is_available()):
        return CPU
    if not torch.cuda.is_available():
        built_for = torch.version.cuda
        reason = "it sees none" if built_for else "it is built without CUDA"
        raise CodecError(
            f"device must be cpu where torch finds no GPU, got cuda ({torch.__version__}: {reason})"
        )
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.deterministic = True
    return torch.device("cuda")


def described(device: torch.device) -> str:
    """What computes there: the processor's instructions, or the name of the GPU.

    >>> described(torch.device("lazy"))
    'lazy'
    """
    if device.type == "cpu":
        return torch.backends.cpu.get_cpu_capability()
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
