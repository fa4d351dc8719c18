"""Batch normalisation over the batches of all ranks.

Torch's own `SyncBatchNorm` computes on CUDA only.
"""

import torch
from torch import Tensor, nn

from semcodec.training.ranks import Ranks


class RankBatchNorm(nn.BatchNorm2d):
    """`torch.nn.BatchNorm2d` whose mean and variance in training are those of the whole batch.

    With running statistics and affine parameters, as all of the project's have.
    """

    ranks: Ranks

    def forward(self, x: Tensor) -> Tensor:
        """Of ``[B, C, H, W]``."""
        if not self.training:
            return super().forward(x)
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.momentum is not None
        mean = self.ranks.mean(x.mean((0, 2, 3)))
        centred = x - mean[:, None, None]
        variance = self.ranks.mean(centred.square().mean((0, 2, 3)))
        with torch.no_grad():
            count = self.ranks.size * x.numel() // x.shape[1]
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * count / (count - 1), self.momentum)
            if self.num_batches_tracked is not None:
                self.num_batches_tracked.add_(1)
        scale = self.weight * (variance + self.eps).rsqrt()
        return centred * scale[:, None, None] + self.bias[:, None, None]


def share_batch_norm(network: nn.Module, ranks: Ranks) -> None:
    """Have every batch normalisation within a network take the statistics of all ranks.

    Parameters and buffers stay the same objects under the same names. With one rank, nothing is
    done.
    """
    if ranks.size == 1:
        return
    for module in network.modules():
        for name, child in module.named_children():
            if type(child) is nn.BatchNorm2d:
                shared = RankBatchNorm(child.num_features, child.eps, child.momentum)
                shared.weight, shared.bias = child.weight, child.bias
                shared.running_mean, shared.running_var = child.running_mean, child.running_var
                shared.num_batches_tracked = child.num_batches_tracked
                shared.ranks = ranks
                setattr(module, name, shared.train(child.training))
