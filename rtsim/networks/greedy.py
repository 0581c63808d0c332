"""The best action of a network kept in a file. Imports torch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from rtsim.errors import FileProblem
from rtsim.networks.files import load_weights


def greedy(file: str, actions: int, observation: tuple[int, ...]) -> Callable[[Any], int]:
    """The action of highest value, as a function of the observation; one thread.

    Parameters
    ----------
    file : str
        Weights or a checkpoint that say what network they are of; read without running anything in it.
    actions : int
    observation : tuple of int
        Shape of an observation.

    Raises
    ------
    FileProblem
        If it cannot be read, does not say its network, or is for another environment.
    """
    architecture, weights = load_weights(file)
    if architecture is None:
        raise FileProblem(f"weights {file!r} do not say what network they are of; give a checkpoint of a training")
    if architecture.actions != actions or int(np.prod(architecture.observation)) != int(np.prod(observation)):
        raise FileProblem(
            f"weights {file!r} are for {architecture.actions} actions and observations of shape "
            f"{architecture.observation}; the environment has {actions} actions and {observation}"
        )
    torch.set_num_threads(1)
    network = architecture.build()
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        reason = " ".join(str(error).split())
        raise FileProblem(f"weights {file!r} do not fit the network {architecture.name}: {reason[:200]}") from error
    network.eval()

    @torch.inference_mode()
    def act(seen: Any) -> int:
        image = torch.from_numpy(np.ascontiguousarray(seen)).reshape(1, *architecture.observation)
        return int(network(image).argmax(dim=1).item())

    return act
