"""Batch norm over a batch that several processes share, on any device that they can talk on.

torch's own (SyncBatchNorm) is for CUDA alone. Statistics are combined from each process's mean and sum of squares about
it (Chan, Golub and LeVeque 1979), so that nothing cancels.
"""

from __future__ import annotations

from typing import Any, Callable, Tuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm

Gather = Callable[[Tensor], Tensor]
"""A vector (n,) to those of all processes (processes, n)."""


class JointNorm(_BatchNorm):
    """Batch norm whose statistics in training are of all processes' values, its gradient too."""

    gather: Gather

    def forward(self, maps: Tensor) -> Tensor:
        if not self.training:
            return super().forward(maps)
        values = maps if maps.dtype.itemsize >= 4 else maps.float()
        mean, variance, count = self._statistics(values.detach())
        out: Tensor = _Normalised.apply(values, self.weight, self.bias, mean, variance, self.eps, count, self.gather)
        return out.to(maps.dtype)

    @torch.no_grad()
    def _statistics(self, values: Tensor) -> Tuple[Tensor, Tensor, float]:
        """Mean and variance of each channel and how many values they are of; the running ones take them in."""
        channels, count = values.shape[1], values.numel() // values.shape[1]
        variance, mean = torch.var_mean(values.double(), _axes(values), correction=0)
        packed = torch.cat([mean, variance * count, mean.new_tensor([count])])
        everyone = self.gather(packed)  # (P, 2 * channels + 1)
        means, squares, counts = everyone[:, :channels], everyone[:, channels:-1], everyone[:, -1:]
        total = float(counts.sum())
        mean = (counts * means).sum(0) / total
        squares = (squares + counts * (means - mean).square()).sum(0)
        self._take_in(mean, squares / max(1.0, total - 1))
        return mean.to(values.dtype), (squares / total).to(values.dtype), total

    def _take_in(self, mean: Tensor, variance: Tensor) -> None:
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return
        self.num_batches_tracked += 1
        part = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean.to(self.running_mean.dtype), part)
        self.running_var.lerp_(variance.to(self.running_var.dtype), part)

    def _check_input_dim(self, input: Tensor) -> None:
        """Of any number of dimensions."""


class _Normalised(torch.autograd.Function):
    """(values - mean) / deviation, where mean and deviation depend on the values of all processes."""

    @staticmethod
    def forward(
        ctx: Any,
        values: Tensor,
        weight: Tensor,
        bias: Tensor,
        mean: Tensor,
        variance: Tensor,
        eps: float,
        count: float,
        gather: Gather,
    ) -> Tensor:
        ctx.save_for_backward(values, weight, mean, variance)
        ctx.eps, ctx.count, ctx.gather = eps, count, gather
        return functional.batch_norm(values, mean, variance, weight, bias, False, 0.0, eps)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        """Of weight and bias this process's part, as of every other parameter; of the values the whole."""
        (gradient,) = gradients
        values, weight, mean, variance = ctx.saved_tensors
        shape = (1, -1, *[1] * (values.ndim - 2))
        scale = torch.rsqrt(variance + ctx.eps)
        centred = values - mean.view(shape)
        own = torch.stack([gradient.sum(_axes(values)), (gradient * centred).sum(_axes(values))])  # (2, channels)
        joint = ctx.gather(own.double().flatten()).sum(0).view_as(own).to(own.dtype) / ctx.count
        inner = gradient - joint[0].view(shape) - centred * (joint[1] * scale.square()).view(shape)
        into = scale if weight is None else scale * weight
        both = (None, None) if weight is None else (own[1] * scale, own[0])
        return (inner * into.view(shape), *both, None, None, None, None, None)


def join_norms(module: nn.Module, gather: Gather) -> None:
    """Let every batch norm of a module be joint; each stays the object that it is, for whoever holds it."""
    for part in module.modules():
        if isinstance(part, _BatchNorm):
            part.__class__ = JointNorm
            cast(JointNorm, part).gather = gather


def _axes(values: Tensor) -> Tuple[int, ...]:
    return (0, *range(2, values.ndim))
