"""Worlds that can be put back where they were, with other randomness from there on: what branching needs.

Emulators, tabular MDPs and Gymnasium environments look alike here: actions are 0..actions-1, ``None`` lets the
default policy act.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable
from typing import Any

import numpy as np

from rtsim.envs import registry
from rtsim.envs.emulator import Emulator, observation_hash
from rtsim.errors import InvalidValue, MissingExtra, UnknownName
from rtsim.mdps import TabularMDP

#: Steps before, and after, the state that is saved in :func:`check_restores`.
TRIAL_STEPS = 20


class Restorable(ABC):
    """A world that can be saved, restored and given other randomness.

    Attributes
    ----------
    name : str
    actions : int
        The agent's actions are 0..actions-1.
    fps : float or None
        Environment steps per second, where the environment says so.
    ended : bool
        The episode is over; :meth:`next_episode` begins another.
    """

    name: str
    actions: int
    fps: float | None
    ended: bool

    @property
    @abstractmethod
    def observation(self) -> Any:
        """What an agent sees now."""

    @abstractmethod
    def key(self) -> Hashable:
        """Equal for equal observations."""

    @abstractmethod
    def reset(self, seed: int) -> None:
        """Begin the first episode of a seed."""

    @abstractmethod
    def next_episode(self) -> None:
        """Begin the episode after one that has ended."""

    @abstractmethod
    def step(self, action: int | None) -> float:
        """Let one environment step pass with an action, or the default policy's if None; returns the reward."""

    @abstractmethod
    def save(self) -> Any:
        """Everything that decides what comes next."""

    @abstractmethod
    def restore(self, state: Any) -> None:
        """Go back to what :meth:`save` returned, as often as one likes."""

    @abstractmethod
    def reseed(self, seed: int) -> None:
        """Other randomness from here on, 0 <= seed < 2**63; all else stays as it is."""

    def close(self) -> None:
        """Let the environment go."""
        return


class RestorableEmulator(Restorable):
    """An emulated game; the default policy presses no button.

    >>> from rtsim.envs import make
    >>> world = RestorableEmulator(make("atari:Boxing(sticky=0.25)"))
    >>> world.reset(0)
    >>> state, before = world.save(), world.key()
    >>> reward = world.step(None)
    >>> world.restore(state)
    >>> world.key() == before
    True
    >>> world.close()
    """

    def __init__(self, emulator: Emulator) -> None:
        self.emulator = emulator
        self.name, self.actions, self.fps = emulator.id, emulator.actions, emulator.fps
        self.ended = False

    @property
    def observation(self) -> Any:
        return self.emulator.observe()

    def key(self) -> Hashable:
        return observation_hash(self.emulator.observe())

    def reset(self, seed: int) -> None:
        self.emulator.reset(seed)
        self.ended = False

    def next_episode(self) -> None:
        self.emulator.reset()
        self.ended = False

    def step(self, action: int | None) -> float:
        _, reward, terminated, truncated, _ = self.emulator.step(self.emulator.noop if action is None else action)
        self.ended = terminated or truncated
        return reward

    def save(self) -> Any:
        return self.emulator.save(), self.ended

    def restore(self, state: Any) -> None:
        saved, self.ended = state
        self.emulator.restore(saved)

    def reseed(self, seed: int) -> None:
        self.emulator.reseed(seed)

    def close(self) -> None:
        self.emulator.close()


class RestorableMDP(Restorable):
    """A tabular MDP as an environment: what is measured of it can be compared with the truth.

    >>> from rtsim import mdps
    >>> world = RestorableMDP(mdps.of("forward(states=3)"))
    >>> world.reset(0)
    >>> [world.step(0) for _ in range(3)], world.observation
    ([0.0, 0.0, 1.0], 0)
    """

    def __init__(self, mdp: TabularMDP) -> None:
        self.mdp = mdp
        self.name, self.actions, self.fps, self.ended = f"mdp:{mdp.name}", mdp.actions, None, False
        self._random = np.random.default_rng(0)
        self._state = 0
        tables = (mdp.p, mdp.p_default, mdp.default_policy, mdp.start)
        self._moves, self._default_moves, self._default, self._start = (t.cumsum(axis=-1) for t in tables)

    @property
    def observation(self) -> int:
        return self._state

    def key(self) -> Hashable:
        return self._state

    def reset(self, seed: int) -> None:
        self.reseed(seed)
        self._state = _drawn(self._start, self._random.random())

    def next_episode(self) -> None:
        """There is but one."""

    def step(self, action: int | None) -> float:
        # Three numbers whatever happens, so that the same seed couples different actions.
        moved, paid, chosen = self._random.random(3)
        s = self._state
        if action is None:
            b = _drawn(self._default[s], chosen)
            reward, row = self.mdp.r_default[s, b], self._default_moves[s, b]
        else:
            reward, row = self.mdp.r[s, action], self._moves[s, action]
        self._state = _drawn(row, moved)
        return float(paid < reward) if self.mdp.reward == "bernoulli" else float(reward)

    def save(self) -> Any:
        return self._state, self._random.bit_generator.state

    def restore(self, state: Any) -> None:
        self._state, self._random.bit_generator.state = state

    def reseed(self, seed: int) -> None:
        self._random = np.random.default_rng(seed)


def _drawn(cumulated: Any, number: float) -> int:
    # A sum may lack a last bit to 1.
    return min(int(np.searchsorted(cumulated, number, side="right")), len(cumulated) - 1)


def restorable(text: str) -> Restorable:
    """A world from a text, as on the command line.

    Parameters
    ----------
    text : str
        As for :func:`rtsim.envs.worlds.environment`.

    Raises
    ------
    UnknownName, InvalidValue, FileProblem, MissingExtra
        Also if the environment has no finite set of actions, or does not come back to a saved state.

    >>> restorable("mdp:jump(n=4)").actions, restorable("CartPole-v1").actions
    (4, 2)
    """
    kind = registry.kind_of(text)
    if kind in registry.ENTRIES:
        world: Restorable = RestorableEmulator(registry.make(text))
    elif kind == "mdp":
        from rtsim.mdps import of

        world = RestorableMDP(of(text.strip().removeprefix("mdp").lstrip()[1:]))
    else:
        try:
            from rtsim.envs.restorable_gym import of as of_env
            from rtsim.envs.worlds import environment
        except ModuleNotFoundError as error:
            if error.name != "gymnasium":
                raise
            raise MissingExtra("a Gymnasium environment", "gymnasium", "envs") from None
        world = of_env(environment(text), text.strip())
    try:
        check_restores(world)
    except BaseException:
        world.close()
        raise
    return world


def check_restores(world: Restorable) -> None:
    """Refuse a world that, put back where it was, goes on in another way than before.

    Raises
    ------
    InvalidValue
    """
    random = np.random.default_rng(0)
    world.reset(0)
    for action in random.integers(world.actions, size=TRIAL_STEPS).tolist():
        if world.ended:
            world.next_episode()
        world.step(action)
    if world.ended:
        world.next_episode()
    state = world.save()
    actions = random.integers(world.actions, size=TRIAL_STEPS).tolist()
    first = _trace(world, actions)
    world.restore(state)
    if _trace(world, actions) != first:
        raise InvalidValue(
            f"{world.name} cannot be saved and restored: from a restored state the same actions led elsewhere"
        )


def _trace(world: Restorable, actions: list[int]) -> list[Any]:
    found: list[Any] = [world.key()]
    for action in actions:
        if world.ended:
            break
        found.append((world.step(action), world.key()))
    return found


#: What acts in a world: it may look at it, not step it; None leaves the step to the default policy.
Policy = Callable[[Restorable, np.random.Generator], int | None]
POLICIES = ("random", "noop", "scripted", "best")


def policy_of(text: str, world: Restorable) -> Policy:
    """A policy by name.

    Parameters
    ----------
    text : {"random", "noop", "scripted", "best"}
        Uniformly random actions; the default policy; the player written for a game (:mod:`rtsim.envs.players`); an
        optimal policy of the undelayed MDP.
    world : Restorable

    Raises
    ------
    UnknownName, InvalidValue

    >>> world = restorable("mdp:jump(n=4)")
    >>> policy_of("best", world)(world, np.random.default_rng(0)) == world.observation
    True
    """
    if text == "random":
        return lambda world, random: int(random.integers(world.actions))
    if text == "noop":
        return lambda world, random: None
    if text == "scripted":
        return _scripted(world)
    if text == "best":
        if not isinstance(world, RestorableMDP):
            raise InvalidValue(
                f"policy best needs an MDP whose table is known, such as mdp:riverswim, not {world.name}"
            )
        from rtsim.theory import optimum

        actions = optimum(world.mdp).policy
        return lambda world, random: int(actions[world.observation])
    raise UnknownName("policy", text, POLICIES)


def _scripted(world: Restorable) -> Policy:
    from rtsim.envs.players import no_player, player

    if not isinstance(world, RestorableEmulator):
        raise no_player(world.name)
    emulator, acting = world.emulator, player(world.name)

    def act(world: Restorable, random: np.random.Generator) -> int | None:
        action = acting.act(emulator.memory())
        return None if action == emulator.noop else action

    return act
