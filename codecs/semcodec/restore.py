"""From a weights file back to a network."""

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from torch import Tensor, nn
from torch.nn.modules.module import register_module_parameter_registration_hook

from semcodec.errors import WeightsError
from semcodec.weights import Weights

Network = TypeVar("Network", bound=nn.Module)
Config = TypeVar("Config")

_ONLY_TRAINING = ("counts", "sums", "num_batches_tracked")


def restore(
    path: Path,
    content: Weights,
    config: Callable[..., Config],
    network: Callable[[Config], Network],
) -> Network:
    """The network of a weights file, ready to use.

    Raises:
        WeightsError: The file does not fit the network that it names.
    """
    arguments: dict[str, Any] = {
        k: tuple(v) if isinstance(v, list) else v for k, v in content.config.items()
    }
    try:
        with warnings.catch_warnings(), _no_larger_than(content.tensors):
            warnings.simplefilter("ignore")  # on layers without elements, which no weights fit
            restored = network(config(**arguments))
        missing, unexpected = restored.load_state_dict(dict(content.tensors), strict=False)
    except Exception as error:  # networks raise whatever a damaged config leads them to
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise WeightsError(f"{path.name} must fit the network it names, got {reason}") from error
    missing = [name for name in missing if name.rsplit(".", 1)[-1] not in _ONLY_TRAINING]
    if missing or unexpected:
        raise WeightsError(
            f"{path.name} must hold every tensor of the network, "
            f"got missing {missing} and unexpected {unexpected}"
        )
    return restored.requires_grad_(False).eval()


@contextmanager
def _no_larger_than(tensors: Mapping[str, Tensor]) -> Iterator[None]:
    """Stop building a network of more than twice the file's size: it may never end.

    Twice, as a network may register a parameter anew. torch calls the hook before a parameter is
    initialised, so that its memory is not touched yet.
    """
    left = {"tensors": 2 * len(tensors), "values": 2 * sum(t.numel() for t in tensors.values())}

    def count(module: nn.Module, name: str, parameter: nn.Parameter | None) -> None:
        if parameter is not None:
            left["tensors"] -= 1
            left["values"] -= parameter.numel()
        if min(left.values()) < 0:
            raise ValueError(f"a larger one, at {name} of {type(module).__name__}")

    handle = register_module_parameter_registration_hook(count)
    try:
        yield
    finally:
        handle.remove()
