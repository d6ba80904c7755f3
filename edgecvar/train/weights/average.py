"""The running mean of a network's weights, which judges better than the weights that the last steps threw about."""

from __future__ import annotations

import copy

import torch

from edgecvar.nets.network import Network


class WeightAverage:
    """A network of averaged weights: each step keeps `decay` of it, less in the first ones, which start from nothing.

    Of step t it is at most t / (t + 9), so that after some steps a tenth of them is remembered, whatever `decay`.
    The statistics of batch norm are averaged as the weights are, so that they are of the same steps; counts are copied.
    """

    def __init__(self, network: Network, decay: float, steps: int = 0) -> None:
        self._decay, self.steps = decay, steps
        self.network = copy.deepcopy(network).eval().requires_grad_(False)

    @torch.no_grad()
    def update(self, network: Network) -> None:
        """Take in the weights that a step has left."""
        self.steps += 1
        keep = min(self._decay, self.steps / (self.steps + 9))
        pairs = list(zip(self.network.state_dict().values(), network.state_dict().values()))
        means = [pair for pair in pairs if pair[0].is_floating_point()]
        torch._foreach_lerp_([mean for mean, _ in means], [value for _, value in means], 1 - keep)
        for mean, value in pairs:
            if not mean.is_floating_point():
                mean.copy_(value)
