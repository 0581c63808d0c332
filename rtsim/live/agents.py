"""Who chooses actions in a live run.

``random`` draws uniformly, ``noop`` never acts, ``scripted`` is a player written for the game,
``greedy`` takes the best action of a network: of a file of weights (``greedy:FILE``), or of
the run's own network with random weights.

A choice depends on the seed, the worker, the index of its inference and what it saw: not on
when it was made, so that a replay can make it again.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from rtsim.errors import InvalidValue, MissingExtra, UnknownName, check_file
from rtsim.live.plan import LivePlan
from rtsim.timing.composite import draws_exploration

KINDS = ("random", "noop", "scripted", "greedy")


class Question(NamedTuple):
    """What an inference is asked: all that a choice may depend on, beside the seed.

    Attributes
    ----------
    frame : uint8, shape (7056,)
        The observation, row by row.
    console : uint8, shape (8192,)
        The console's work memory at that step, padded; there for scripted players only.
    worker, inference : int
        Which inference it is.
    component : int
        Component of a mixture law that its time was drawn from.
    chunk : int
        How many actions.
    """

    frame: NDArray[np.uint8]
    console: NDArray[np.uint8]
    worker: int
    inference: int
    component: int
    chunk: int


class Agent(Protocol):
    """Chooses the actions of one inference."""

    def choose(self, asked: Question) -> tuple[int, ...]:
        """The actions of one inference, ``asked.chunk`` of them."""
        ...


class RandomAgent:
    """Uniformly random actions.

    >>> agent = RandomAgent(6, seed=0)
    >>> nothing = np.zeros(0, np.uint8)
    >>> asked = Question(nothing, nothing, worker=1, inference=7, component=0, chunk=3)
    >>> agent.choose(asked) == agent.choose(asked)
    True
    """

    def __init__(self, actions: int, seed: int) -> None:
        self._actions, self._seed = actions, seed

    def choose(self, asked: Question) -> tuple[int, ...]:
        key = np.array([self._seed, asked.worker], np.uint64)
        generator = np.random.Generator(np.random.Philox(key=key, counter=asked.inference))
        found: list[int] = generator.integers(self._actions, size=asked.chunk).tolist()
        return tuple(found)


class NoopAgent:
    """Does nothing, and says so."""

    def __init__(self, noop: int) -> None:
        self._noop = noop

    def choose(self, asked: Question) -> tuple[int, ...]:
        return (self._noop,) * asked.chunk


class EpsilonAgent:
    """Where the time was drawn from the first component of a mixture, the action is random."""

    def __init__(self, agent: Agent, random: RandomAgent) -> None:
        self._agent, self._random = agent, random

    def choose(self, asked: Question) -> tuple[int, ...]:
        agent = self._random if asked.component == 0 else self._agent
        return agent.choose(asked)


def check_agent(text: str) -> tuple[str, str]:
    """Kind of an agent and its file.

    Raises
    ------
    UnknownName, InvalidValue

    >>> check_agent("greedy:weights.pt")
    ('greedy', 'weights.pt')
    """
    kind, colon, file = text.partition(":")
    if kind == "greedy" and colon and not file:
        raise InvalidValue("agent 'greedy:' lacks its file of weights; give e.g. greedy:run.pt")
    if kind not in KINDS or (file and kind != "greedy"):
        raise UnknownName("agent", text, (*KINDS, "greedy:FILE"))
    return kind, file


def check_ready(plan: LivePlan) -> None:
    """Refuse an agent that cannot play, before any process is started: cheap, and without torch.

    Raises
    ------
    UnknownName, InvalidValue, FileProblem
        If it is unknown, nobody wrote a player for the game, or the file of weights is not there.
    """
    kind, file = check_agent(plan.agent)
    if kind == "scripted":
        ScriptedAgent(plan.game)
    if file:
        check_file(file, "weights")


def agent_of(plan: LivePlan, actions: int, noop: int) -> Agent:
    """The agent of a plan, in the process that needs it; torch is imported for networks only.

    Parameters
    ----------
    plan : LivePlan
    actions, noop : int
        Of the game.

    Raises
    ------
    UnknownName, InvalidValue, FileProblem, MissingExtra
    """
    kind, file = check_agent(plan.agent)
    random = RandomAgent(actions, plan.scenario.seed)
    agent: Agent = random
    if kind == "noop":
        agent = NoopAgent(noop)
    elif kind == "scripted":
        agent = ScriptedAgent(plan.game)
    if kind == "greedy" or plan.inference == "real":
        network = _network(plan, actions, file)
        # With real inference others pay for the forward pass, too, and then do as they like.
        agent = network if kind == "greedy" else _Paying(network, agent)
    drawn = plan.inference == "timed" and draws_exploration(plan.scenario.inference_time)
    return EpsilonAgent(agent, random) if drawn else agent


def _network(plan: LivePlan, actions: int, file: str) -> Agent:
    try:
        from rtsim.live.network import NetworkAgent
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise MissingExtra("an agent with a network", "torch", "live") from None
    return NetworkAgent(plan.network, actions, plan.scenario.seed, file)


class ScriptedAgent:
    """A player written for the game, which looks at the console's memory; a chunk repeats its action."""

    def __init__(self, game: str) -> None:
        from rtsim.envs.players import player

        self._player = player(game)

    def choose(self, asked: Question) -> tuple[int, ...]:
        return (self._player.act(asked.console.tobytes()),) * asked.chunk


class _Paying:
    """Runs the network for its time, and takes the other agent's action."""

    def __init__(self, network: Agent, agent: Agent) -> None:
        self._network, self._agent = network, agent

    def choose(self, asked: Question) -> tuple[int, ...]:
        self._network.choose(asked)
        return self._agent.choose(asked)
