"""Real inference: a forward pass of one of the papers' networks per action. Imports torch."""

from __future__ import annotations

import torch

from rtsim.errors import FileProblem, InvalidValue
from rtsim.live.agents import Question
from rtsim.live.plan import SIDE
from rtsim.networks.architecture import Architecture
from rtsim.networks.files import load_weights
from rtsim.networks.q_network import QNetwork

#: Observations of the games, and the other shapes of the same bytes.
SHAPE = (SIDE, SIDE, 1)
SAME = (SHAPE, (1, SIDE, SIDE), (SIDE, SIDE), (SIDE * SIDE,))


class NetworkAgent:
    """The best action of a network, by one forward pass on one thread.

    Parameters
    ----------
    model : str
        E.g. ``resnet15-k7``; not needed where the file says what it holds.
    actions : int
    seed : int
        Of the random weights, if there is no file.
    file : str
        Weights or a checkpoint of a training, or a plain ``torch.save(network.state_dict())``; read without
        running anything in it. If it names its own network, that one is built.

    Raises
    ------
    InvalidValue, FileProblem
    """

    def __init__(self, model: str, actions: int, seed: int, file: str = "") -> None:
        torch.set_num_threads(1)
        self._network = _loaded(model, actions, file) if file else Architecture(model, actions, SHAPE).build(seed)
        self._network.eval()

    @torch.inference_mode()
    def choose(self, asked: Question) -> tuple[int, ...]:
        """The action of highest value; a chunk repeats it."""
        image = torch.from_numpy(asked.frame.copy()).reshape(1, *self._network.architecture.observation)
        action = int(self._network(image).argmax(dim=1).item())
        return (action,) * asked.chunk


def _loaded(model: str, actions: int, file: str) -> QNetwork:
    architecture, weights = load_weights(file)
    if architecture is None:
        if not model:
            raise InvalidValue(
                f"weights {file!r} do not say what network they are of; give --profile NAME#MODEL, "
                "e.g. --profile epyc#resnet15-k7"
            )
        architecture = Architecture(model, actions, SHAPE)
    if architecture.observation not in SAME or architecture.actions != actions:
        raise FileProblem(
            f"weights {file!r} do not fit the game: they are for {architecture.actions} actions and observations of "
            f"shape {architecture.observation}, and the game has {actions} actions and {SHAPE}"
        )
    network = architecture.build()
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        reason = " ".join(str(error).split())
        raise FileProblem(f"weights {file!r} do not fit the network {architecture.name}: {reason[:200]}") from error
    return network
