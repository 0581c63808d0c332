"""Heads of value networks: noisy layers, and the two streams of a duelling network."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

#: Initial scale of the noise (Fortunato et al. 2018, Sec. 3.2, factorised noise).
NOISE = 0.5


class NoisyLinear(nn.Module):
    """A linear layer whose weights are μ + σ·ε, with ε the outer product of two vectors of noise.

    Source: Fortunato et al. 2018, Eqs. 10 and 11, f(x) = sgn(x)√|x|. In evaluation mode ε is zero.

    Parameters
    ----------
    inputs, outputs : int, >= 1

    Examples
    --------
    >>> layer = NoisyLinear(3, 2)
    >>> layer.set_noise(np.zeros(3), np.zeros(2))
    >>> layer(torch.ones(1, 3)).equal(layer.eval()(torch.ones(1, 3)))
    True
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        bound = 1 / math.sqrt(inputs)
        self.weight = nn.Parameter(torch.empty(outputs, inputs).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(outputs).uniform_(-bound, bound))
        self.weight_scale = nn.Parameter(torch.full((outputs, inputs), NOISE * bound))
        self.bias_scale = nn.Parameter(torch.full((outputs,), NOISE * bound))
        # Not part of the weights: noise is drawn anew for every use.
        self.register_buffer("noise_in", torch.zeros(inputs), persistent=False)
        self.register_buffer("noise_out", torch.zeros(outputs), persistent=False)
        self.noise_in: Tensor
        self.noise_out: Tensor

    def set_noise(self, inputs: NDArray[np.float64], outputs: NDArray[np.float64]) -> None:
        """Take standard normal noise, float64, shapes (inputs,) and (outputs,)."""
        for buffer, noise in ((self.noise_in, inputs), (self.noise_out, outputs)):
            values = np.sign(noise) * np.sqrt(np.abs(noise))
            buffer.copy_(torch.from_numpy(values.astype(np.float32)))

    def forward(self, x: Tensor) -> Tensor:
        """Map float (n, inputs) to (n, outputs)."""
        if not self.training:
            return functional.linear(x, self.weight, self.bias)
        weight = self.weight + self.weight_scale * torch.outer(self.noise_out, self.noise_in)
        return functional.linear(x, weight, self.bias + self.bias_scale * self.noise_out)


def linear(inputs: int, outputs: int, noisy: bool) -> nn.Module:
    """A linear layer, noisy or not."""
    return NoisyLinear(inputs, outputs) if noisy else nn.Linear(inputs, outputs)


class Duelling(nn.Module):
    """Q = V + A − mean A, from two streams with a hidden layer each (Wang et al. 2016, Eq. 9).

    Parameters
    ----------
    inputs, units, actions, atoms : int, >= 1
        Atoms are outputs per action, added up stream by stream (Hessel et al. 2018).
    noisy : bool
    """

    def __init__(self, inputs: int, units: int, actions: int, atoms: int, noisy: bool) -> None:
        super().__init__()
        self.actions, self.atoms = actions, atoms
        self.value = nn.Sequential(linear(inputs, units, noisy), nn.ReLU(), linear(units, atoms, noisy))
        self.advantage = nn.Sequential(linear(inputs, units, noisy), nn.ReLU(), linear(units, actions * atoms, noisy))

    def forward(self, x: Tensor) -> Tensor:
        """Map float (n, inputs) to (n, actions · atoms)."""
        value: Tensor = self.value(x)
        advantage: Tensor = self.advantage(x).reshape(-1, self.actions, self.atoms)
        return (value.unsqueeze(1) + advantage - advantage.mean(dim=1, keepdim=True)).flatten(1)
