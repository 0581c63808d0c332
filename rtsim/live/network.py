"""Real inference: a forward pass of one of the papers' networks per action. Imports torch."""

from __future__ import annotations

from rtsim.live.agents import Question
from rtsim.live.plan import SIDE
from rtsim.networks.architecture import Architecture
from rtsim.networks.greedy import best_action, network_of

#: Observations of the games.
SHAPE = (SIDE, SIDE, 1)
#: For plain weights of which nobody says what network they are.
REMEDY = "give --profile NAME#MODEL, e.g. --profile epyc#resnet15-k7"


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
        As for :func:`rtsim.networks.greedy.network_of`.

    Raises
    ------
    InvalidValue, FileProblem
    """

    def __init__(self, model: str, actions: int, seed: int, file: str = "") -> None:
        network = (
            network_of(file, actions, SHAPE, model, REMEDY) if file else Architecture(model, actions, SHAPE).build(seed)
        )
        self._best = best_action(network)

    def choose(self, asked: Question) -> tuple[int, ...]:
        """The action of highest value; a chunk repeats it."""
        # The frame lies in shared memory, where the next one but some is written over it.
        return (self._best(asked.frame.copy()),) * asked.chunk
