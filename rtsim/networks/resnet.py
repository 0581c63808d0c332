"""The first paper's ResNets as torch modules; shapes and their sources in ``sizes.py``."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from rtsim.networks.sizes import HIDDEN, blocks, parameter_count


class Residual(nn.Module):
    """x + conv(relu(conv(relu(x)))), as in the IMPALA network.

    Source: Espeholt et al. 2018, Fig. 3, right.

    Parameters
    ----------
    filters : int, > 0
        Channels in and out; both convolutions are 3 × 3 and keep the image side.
    """

    def __init__(self, filters: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(filters, filters, 3, padding=1)
        self.second = nn.Conv2d(filters, filters, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Map float (n, filters, side, side) to the same shape."""
        hidden: Tensor = self.second(torch.relu(self.first(torch.relu(x))))
        return x + hidden


class ResNet(nn.Module):
    """The ResNet of Riemer et al. 2025 (Sec. 5, App. A) with 15 or 30 convolutions.

    Parameters
    ----------
    k : float, 1/16 <= k <= 10000
        Filter multiplier: 16k filters in the first block, 32k in the others.
    depth : int, 15 or 30
        Number of convolutions.
    actions : int, >= 1
        Number of action values.

    Raises
    ------
    InvalidValue
        If a parameter is out of range.

    Examples
    --------
    Ask for the ``meta`` device to look at a large model without its memory.

    >>> with torch.device("meta"):
    ...     billion = ResNet(k=98)
    >>> sum(p.numel() for p in billion.parameters())
    1008092742
    >>> values = ResNet(k=0.0625, actions=6)(torch.zeros(2, 1, 84, 84))
    >>> tuple(values.shape)
    (2, 6)
    """

    def __init__(self, k: float = 1.0, depth: int = 15, actions: int = 6) -> None:
        super().__init__()
        # Checks the three values, so that no half-built module comes out of a wrong one.
        parameter_count(k, depth, actions)
        layout = blocks(k, depth)
        layers: list[nn.Module] = []
        for block in layout:
            layers += [
                nn.Conv2d(block.inputs, block.filters, 3),
                nn.MaxPool2d(3, stride=block.stride),
                Residual(block.filters),
                Residual(block.filters),
            ]
        self.features = nn.Sequential(*layers)
        self.hidden = nn.Linear(layout[-1].filters * layout[-1].side ** 2, HIDDEN)
        self.values = nn.Linear(HIDDEN, actions)

    def forward(self, observation: Tensor) -> Tensor:
        """Action values of a batch of images.

        Parameters
        ----------
        observation : Tensor of float, shape (n, 1, 84, 84), in 0..1

        Returns
        -------
        Tensor of float, shape (n, actions)
        """
        features = torch.relu(self.features(observation)).flatten(1)
        result: Tensor = self.values(torch.relu(self.hidden(features)))
        return result
