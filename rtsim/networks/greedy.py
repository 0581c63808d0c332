"""The best action of a network, kept in a file or not. Imports torch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from rtsim.errors import FileProblem, InvalidValue
from rtsim.networks.architecture import Architecture
from rtsim.networks.files import load_weights
from rtsim.networks.q_network import QNetwork


def best_action(network: QNetwork) -> Callable[[Any], int]:
    """The action of highest value, as a function of an observation of any shape of the same numbers; one thread.

    >>> best = best_action(Architecture("mlp(4)", 3, (2, 2)).build(0))
    >>> best(np.zeros((2, 2))) == best(np.zeros(4))
    True
    """
    torch.set_num_threads(1)
    network.eval()
    shape = network.architecture.observation

    @torch.inference_mode()
    def act(seen: Any) -> int:
        image = torch.from_numpy(np.ascontiguousarray(seen)).reshape(1, *shape)
        return int(network(image).argmax(dim=1).item())

    return act


def network_of(
    file: str,
    actions: int,
    observation: tuple[int, ...],
    model: str = "",
    remedy: str = "give a checkpoint of a training",
) -> QNetwork:
    """The network whose weights a file holds.

    Parameters
    ----------
    file : str
        Weights or a checkpoint of a training, or a plain ``torch.save(network.state_dict())``; read without
        running anything in it. If it names its own network, that one is built.
    actions : int
    observation : tuple of int
        Shape of an observation; the network may take the same numbers with other axes of length 1, or flat.
    model : str
        What network plain weights are of, e.g. ``resnet15-k7``.
    remedy : str
        What to do where nobody says that.

    Raises
    ------
    InvalidValue
        If neither the file nor ``model`` says what network it is.
    FileProblem
        If it cannot be read, or is for another environment or network.
    """
    architecture, weights = load_weights(file)
    if architecture is None:
        if not model:
            raise InvalidValue(f"weights {file!r} do not say what network they are of; {remedy}")
        architecture = Architecture(model, actions, observation)
    if architecture.actions != actions or not _alike(architecture.observation, observation):
        raise FileProblem(
            f"weights {file!r} do not fit: they are for {architecture.actions} actions and observations of shape "
            f"{architecture.observation}; here are {actions} actions and {observation}"
        )
    network = architecture.build()
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        reason = " ".join(str(error).split())
        raise FileProblem(f"weights {file!r} do not fit the network {architecture.name}: {reason[:200]}") from error
    return network


def _alike(one: tuple[int, ...], other: tuple[int, ...]) -> bool:
    """Whether two shapes are of the same numbers in the same order, axes of length 1 and flat ones apart."""
    a, b = ([length for length in shape if length != 1] for shape in (one, other))
    return a == b or (min(len(a), len(b)) <= 1 and int(np.prod(a)) == int(np.prod(b)))
