"""The networks whose inference and learning times the papers study.

Sizes (:func:`parameter_count`, :func:`size_label`) are integer arithmetic and need no torch;
:class:`ResNet` imports torch when it is first asked for, so that planning stays light.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rtsim.errors import MissingExtra
from rtsim.networks.sizes import (
    DEPTHS,
    PUBLISHED_K,
    Block,
    activation_count,
    blocks,
    filters,
    parameter_count,
    size_label,
)

if TYPE_CHECKING:
    from rtsim.networks.resnet import ResNet

__all__ = [
    "DEPTHS",
    "PUBLISHED_K",
    "Block",
    "ResNet",
    "activation_count",
    "blocks",
    "filters",
    "parameter_count",
    "size_label",
]


def __getattr__(name: str) -> Any:
    if name != "ResNet":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        from rtsim.networks.resnet import ResNet
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise MissingExtra("rtsim.networks.ResNet", "torch", "live") from error
    return ResNet
