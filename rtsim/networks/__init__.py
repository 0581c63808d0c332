"""The networks whose inference and learning times the papers study.

Sizes (:func:`parameter_count`, :func:`size_label`) are integer arithmetic and need no torch, nor does
:class:`Architecture`, a network by name; :class:`ResNet` and :class:`QNetwork` import torch when
they are first asked for, so that planning stays light.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rtsim.errors import MissingExtra
from rtsim.networks.architecture import FAMILIES, Architecture
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
    from rtsim.networks.q_network import QNetwork
    from rtsim.networks.resnet import ResNet

__all__ = [
    "DEPTHS",
    "FAMILIES",
    "PUBLISHED_K",
    "Architecture",
    "Block",
    "QNetwork",
    "ResNet",
    "activation_count",
    "blocks",
    "filters",
    "parameter_count",
    "size_label",
]


def __getattr__(name: str) -> Any:
    if name not in ("QNetwork", "ResNet"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        from rtsim.networks import q_network, resnet
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise MissingExtra(f"rtsim.networks.{name}", "torch", "live") from error
    return resnet.ResNet if name == "ResNet" else q_network.QNetwork
