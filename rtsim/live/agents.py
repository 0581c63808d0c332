"""Who chooses actions in a live run.

``random`` draws uniformly, ``noop`` never acts, ``scripted`` is a player written for the game,
``greedy`` takes the best action of a network: of a file of weights (``greedy:FILE``), or of
the run's own network with random weights.

A choice depends on the seed, the worker, the index of its inference and what it saw: not on
when it was made, so that a replay can make it again.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from rtsim.errors import InvalidValue, UnknownName
from rtsim.live.plan import LivePlan
from rtsim.timing import Annealed, Law, Mixture

KINDS = ("random", "noop", "scripted", "greedy")


class Agent(Protocol):
    """Chooses the actions of one inference."""

    def choose(
        self,
        frame: NDArray[np.uint8],
        console: NDArray[np.uint8],
        worker: int,
        inference: int,
        component: int,
        chunk: int,
    ) -> tuple[int, ...]:
        """The actions of one inference.

        Parameters
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

        Returns
        -------
        tuple of int, length ``chunk``
        """
        ...


class RandomAgent:
    """Uniformly random actions.

    >>> agent = RandomAgent(6, seed=0)
    >>> agent.choose(None, None, 1, 7, 0, 3) == agent.choose(None, None, 1, 7, 0, 3)
    True
    """

    def __init__(self, actions: int, seed: int) -> None:
        self._actions, self._seed = actions, seed

    def choose(
        self, frame: object, console: object, worker: int, inference: int, component: int, chunk: int
    ) -> tuple[int, ...]:
        key = np.array([self._seed, worker], np.uint64)
        generator = np.random.Generator(np.random.Philox(key=key, counter=inference))
        found: list[int] = generator.integers(self._actions, size=chunk).tolist()
        return tuple(found)


class NoopAgent:
    """Does nothing, and says so."""

    def __init__(self, noop: int) -> None:
        self._noop = noop

    def choose(
        self, frame: object, console: object, worker: int, inference: int, component: int, chunk: int
    ) -> tuple[int, ...]:
        return (self._noop,) * chunk


class EpsilonAgent:
    """Where the time was drawn from the first component of a mixture, the action is random."""

    def __init__(self, agent: Agent, random: RandomAgent) -> None:
        self._agent, self._random = agent, random

    def choose(
        self,
        frame: NDArray[np.uint8],
        console: NDArray[np.uint8],
        worker: int,
        inference: int,
        component: int,
        chunk: int,
    ) -> tuple[int, ...]:
        agent = self._random if component == 0 else self._agent
        return agent.choose(frame, console, worker, inference, component, chunk)


def agent_of(plan: LivePlan) -> Agent:
    """The agent of a plan, in the process that needs it; torch is imported for networks only.

    Raises
    ------
    UnknownName, InvalidValue, FileProblem, MissingExtra
    """
    from rtsim.envs import game

    about = game(plan.game)
    kind, _, file = plan.agent.partition(":")
    if kind not in KINDS or (file and kind != "greedy"):
        raise UnknownName("agent", plan.agent, (*KINDS[:-1], "greedy", "greedy:FILE"))
    random = RandomAgent(about.actions, plan.scenario.seed)
    agent: Agent = random
    if kind == "noop":
        agent = NoopAgent(about.noop)
    elif kind == "scripted":
        player = about.player
        if player is None:
            raise InvalidValue(f"nobody has written a player for game {plan.game}; give --agent random or greedy")
        agent = player()
    if kind == "greedy" or plan.inference == "real":
        from rtsim.live.network import NetworkAgent

        network = NetworkAgent(plan.network, about.actions, plan.scenario.seed, file)
        # With real inference others pay for the forward pass, too, and then do as they like.
        agent = network if kind == "greedy" else _Paying(network, agent)
    drawn = plan.inference == "timed" and isinstance(_plain(plan.scenario.inference_time), Mixture | Annealed)
    return EpsilonAgent(agent, random) if drawn else agent


class _Paying:
    """Runs the network for its time, and takes the other agent's action."""

    def __init__(self, network: Agent, agent: Agent) -> None:
        self._network, self._agent = network, agent

    def choose(
        self,
        frame: NDArray[np.uint8],
        console: NDArray[np.uint8],
        worker: int,
        inference: int,
        component: int,
        chunk: int,
    ) -> tuple[int, ...]:
        self._network.choose(frame, console, worker, inference, component, chunk)
        return self._agent.choose(frame, console, worker, inference, component, chunk)


def _plain(law: Law) -> Law:
    """A law without the slow spells around it."""
    inner = getattr(law, "law", None)
    return _plain(inner) if isinstance(inner, Law) else law
