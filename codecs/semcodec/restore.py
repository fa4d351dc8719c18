"""From a weights file back to a network."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from torch import nn

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
        restored = network(config(**arguments))
        missing, unexpected = restored.load_state_dict(dict(content.tensors), strict=False)
    except (TypeError, ValueError, RuntimeError) as error:
        raise WeightsError(
            f"{path.name} must fit the network it names, got {str(error).splitlines()[0]}"
        ) from error
    missing = [name for name in missing if name.rsplit(".", 1)[-1] not in _ONLY_TRAINING]
    if missing or unexpected:
        raise WeightsError(
            f"{path.name} must hold every tensor of the network, "
            f"got missing {missing} and unexpected {unexpected}"
        )
    return restored.requires_grad_(False).eval()
