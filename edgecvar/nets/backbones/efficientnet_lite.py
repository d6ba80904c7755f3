"""EfficientNet-Lite's layers: EfficientNet without squeeze and excitation, with ReLU6, made to be quantised.

There is no paper. As Google published it in 2020: B0's rows (Tan and Le 2019, table 1) scaled in width and depth as
B0 to B2 are, but for the stem, the head of 1280 channels and the repeats of the first and the last row; ReLU6 in SiLU's
place, so that every activation has one range; no gates, which tensors of one number a channel are made for. Its
convolutions pad as TensorFlow's "SAME" does: with a stride of 2, an even side gets its zeros behind rather than around.
"""

from __future__ import annotations

from typing import Any, List, Tuple

from torch import Tensor, nn
from torch.nn import functional

NORM = {"eps": 1e-3, "momentum": 0.01}
"""Of the batch norms, as published."""

HEAD_CHANNELS = 1280

IMAGE_MEAN, IMAGE_STD = 127 / 255, 128 / 255
"""What a picture's samples in 0 to 1 were normalised with when the published weights were trained, every channel."""


class SameConv2d(nn.Conv2d):
    """A convolution whose side shrinks to ceil(side / stride), the zeros where TensorFlow has them.

    What is missing is added half in front and half behind, the odd one behind.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, groups: int) -> None:
        padding = kernel // 2 if stride == 1 else 0
        super().__init__(inputs, outputs, kernel, stride, padding, groups=groups, bias=False)

    def forward(self, maps: Tensor) -> Tensor:
        if self.stride[0] > 1:
            height, width = (self._missing(axis, int(maps.shape[2 + axis])) for axis in (0, 1))
            maps = functional.pad(maps, [*width, *height])
        return super().forward(maps)

    def _missing(self, axis: int, side: int) -> Tuple[int, int]:
        """Zeros in front of and behind one side."""
        kernel, stride = self.kernel_size[axis], self.stride[axis]
        missing = max(0, (-(-side // stride) - 1) * stride + kernel - side)
        return missing // 2, missing - missing // 2


class LiteConvNorm(nn.Sequential):
    """Convolution, batch norm and, unless it is a projection, ReLU6; the side shrinks to ceil(side / stride)."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int, *, stride: int = 1, groups: int = 1, act: bool = True
    ) -> None:
        norm: Any = NORM
        conv = SameConv2d(inputs, outputs, kernel, stride, groups)
        layers: List[nn.Module] = [conv, nn.BatchNorm2d(outputs, **norm)]
        super().__init__(*layers, *([nn.ReLU6()] if act else []))
