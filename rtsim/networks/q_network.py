"""Value networks of any architecture as one torch module."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from rtsim.networks.architecture import RESNET, Architecture
from rtsim.networks.heads import Duelling, NoisyLinear, linear
from rtsim.networks.resnet import ResNet
from rtsim.networks.sizes import HIDDEN

#: Units of the hidden layer of the MinAtar network (Young & Tian 2019, Sec. 4).
MINATAR_HIDDEN = 128


class QNetwork(nn.Module):
    """Features, a hidden layer, and a head; a plain ``resnet`` has the weights' names of :class:`ResNet`.

    Parameters
    ----------
    architecture : Architecture

    Examples
    --------
    >>> network = Architecture("mlp(8)", actions=3, observation=(4,)).build(seed=0)
    >>> tuple(network(torch.zeros(2, 4)).shape)
    (2, 3)
    """

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.architecture = architecture
        a = architecture
        layers, flattened, units = _features(a)
        self.features = nn.Sequential(*layers, nn.Flatten())
        self.hidden: nn.Module | None = None
        if a.duelling:
            self.values: nn.Module = Duelling(flattened, units, a.actions, a.atoms, a.noisy)
        else:
            self.hidden = linear(flattened, units, a.noisy)
            self.values = linear(units, a.actions * a.atoms, a.noisy)
        self.register_buffer("returns", torch.linspace(a.low, a.high, a.atoms), persistent=False)
        self.returns: Tensor

    def logits(self, observation: Tensor) -> Tensor:
        """The head's output, float (n, actions, atoms): logits of returns, or with one atom the action values.

        Parameters
        ----------
        observation : Tensor, shape (n, \\*architecture.observation) or, for images, (n, channels, side, side)
            Bytes as the environment gives them, or float; brightness as float is in 0..1.
        """
        a = self.architecture
        x = observation.to(torch.float32)
        if observation.dtype == torch.uint8 and a.pixels:
            x = x / 255
        if a.channels_last and x.shape[1:] == a.observation:
            # One channel: the same bytes either way, and the strides by which convolutions choose their kernels.
            x = x.reshape(-1, 1, *a.observation[:2]) if a.channels == 1 else x.permute(0, 3, 1, 2).contiguous()
        x = self.features(x)
        if self.hidden is not None:
            x = torch.relu(self.hidden(x))
        result: Tensor = self.values(x)
        return result.reshape(-1, a.actions, a.atoms)

    def forward(self, observation: Tensor, logits: bool = False) -> Tensor:
        """Action values, float (n, actions), of a distribution its mean; or the head's :meth:`logits`."""
        found = self.logits(observation)
        if logits:
            return found
        if self.architecture.atoms == 1:
            return found.squeeze(2)
        return (found.softmax(dim=2) * self.returns).sum(dim=2)

    def set_noise(self, generator: np.random.Generator) -> None:
        """Draw new noise for all noisy layers, in their order."""
        for layer in self.modules():
            if isinstance(layer, NoisyLinear):
                count = len(layer.noise_in)
                noise = generator.standard_normal(count + len(layer.noise_out))
                layer.set_noise(noise[:count], noise[count:])


def build(architecture: Architecture, seed: int | None = None) -> QNetwork:
    """The network, its weights drawn from ``seed`` (leaving torch's generator alone), or from that generator."""
    if seed is None:
        return QNetwork(architecture)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return QNetwork(architecture)


def _features(a: Architecture) -> tuple[list[nn.Module], int, int]:
    """Layers up to the rectified features, how many those are, and units of the hidden layer."""
    found = RESNET.fullmatch(a.name)
    if found:
        full = ResNet(float(found[2]), int(found[1]), a.actions)
        return [*full.features, nn.ReLU()], full.hidden.in_features, HIDDEN
    if a.name == "nature":  # Mnih et al. 2015, Methods
        convolutions = [nn.Conv2d(a.channels, 32, 8, 4), nn.Conv2d(32, 64, 4, 2), nn.Conv2d(64, 64, 3)]
        return [layer for c in convolutions for layer in (c, nn.ReLU())], 64 * 7 * 7, HIDDEN
    if a.name == "minatar":  # Young & Tian 2019, Sec. 4: 16 filters 3 × 3, stride 1
        return [nn.Conv2d(a.channels, 16, 3), nn.ReLU()], 16 * 8 * 8, MINATAR_HIDDEN
    units = a.hidden_units
    inputs = int(np.prod(a.observation))
    layers: list[nn.Module] = [nn.Flatten()]
    for outputs in units[:-1]:
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
        inputs = outputs
    return layers, inputs, units[-1]
