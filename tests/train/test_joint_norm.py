"""Batch norm over shares of a batch, against torch's on the whole of it."""

from __future__ import annotations

import copy
import threading
from typing import List, Optional, Type

import pytest
import torch
from torch import Tensor, nn

from edgecvar.train.together.joint_norm import join_norms

pytestmark = pytest.mark.train


class Meeting:
    """Two threads that stand in for two processes."""

    def __init__(self) -> None:
        self._barrier = threading.Barrier(2, timeout=60)
        self._told: List[Optional[Tensor]] = [None, None]

    def gather(self, number: int, vector: Tensor) -> Tensor:
        self._told[number] = vector
        self._barrier.wait()
        everyone = torch.stack([each for each in self._told if each is not None])
        self._barrier.wait()
        return everyone


@pytest.mark.parametrize(
    ("norm", "shape", "momentum"), [(nn.BatchNorm2d, (5, 3, 4, 6), 0.1), (nn.BatchNorm3d, (5, 3, 2, 4, 3), None)]
)
def test_shares_of_a_batch_are_normed_as_the_whole(
    norm: Type[nn.BatchNorm2d], shape: tuple, momentum: Optional[float]
) -> None:
    """Values, running statistics, and gradients of values and parameters, over two steps."""
    torch.manual_seed(0)
    whole = nn.Sequential(norm(3, momentum=momentum), nn.Tanh(), norm(3, momentum=momentum)).double()
    with torch.no_grad():
        for parameter in whole.parameters():
            parameter.copy_(torch.randn(parameter.shape))
    meeting, shares = Meeting(), [copy.deepcopy(whole) for _ in range(2)]
    for number, share in enumerate(shares):
        before = share[0]
        join_norms(share, lambda vector, number=number: meeting.gather(number, vector))
        assert share[0] is before and list(share.state_dict()) == list(whole.state_dict())
    for _ in range(2):
        values = 100 + torch.randn(shape, dtype=torch.float64)
        weights = torch.randn(shape, dtype=torch.float64)
        everything = values.clone().requires_grad_()
        (whole(everything) * weights).sum().backward()
        parts = [values[:2].clone().requires_grad_(), values[2:].clone().requires_grad_()]
        cuts = weights[:2], weights[2:]

        def work(number: int, parts: List[Tensor] = parts, cuts: tuple = cuts) -> None:
            (shares[number](parts[number]) * cuts[number]).sum().backward()

        threads = [threading.Thread(target=work, args=(number,)) for number in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert everything.grad is not None
        assert torch.allclose(torch.cat([part.grad for part in parts]), everything.grad, atol=1e-10)
    for name, value in whole.state_dict().items():
        assert all(torch.allclose(share.state_dict()[name], value, atol=1e-10) for share in shares), name
    for mine, one, other in zip(whole.parameters(), shares[0].parameters(), shares[1].parameters()):
        assert torch.allclose(one.grad + other.grad, mine.grad, atol=1e-9)
    whole.eval(), shares[0].eval()
    assert torch.allclose(shares[0](values), whole(values), atol=1e-9)
