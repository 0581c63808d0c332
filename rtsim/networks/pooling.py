"""Max pooling that is quick where no gradient is wanted: for learners, whose target network needs none."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


class QuickMaxPool(nn.MaxPool2d):
    """Max pooling over squares of 3, first over rows, then over columns, unless a gradient is wanted: the same values.

    torch's own kernel looks for the place of every maximum, too, one element at a time: on a CPU ten times as slow.

    >>> x = torch.randn(2, 3, 9, 8)
    >>> with torch.no_grad():
    ...     torch.equal(QuickMaxPool(3, 2)(x), nn.MaxPool2d(3, 2)(x))
    True
    """

    def forward(self, x: Tensor) -> Tensor:
        """Float (n, channels, height, width) to float (n, channels, fewer, fewer)."""
        if torch.is_grad_enabled():
            result: Tensor = super().forward(x)
            return result
        stride: Any = self.stride
        return _along(_along(x, 2, stride), 3, stride)


def _along(x: Tensor, axis: int, stride: int) -> Tensor:
    """The largest of three neighbours on one axis."""
    count = (x.shape[axis] - 3) // stride + 1
    parts = [x.narrow(axis, offset, stride * (count - 1) + 1) for offset in range(3)]
    first, second, third = (part[:, :, ::stride] if axis == 2 else part[..., ::stride] for part in parts)
    return torch.maximum(torch.maximum(first, second), third)


def quicken_pooling(network: nn.Module) -> None:
    """Replace a network's pooling over squares of 3, in place."""
    for parent in list(network.modules()):
        for name, child in list(parent.named_children()):
            if type(child) is nn.MaxPool2d and child.kernel_size == 3 and not child.padding:
                setattr(parent, name, QuickMaxPool(3, child.stride))
