"""The tabular asynchronous MDP ⟨S, A, p, r, β⟩: a world that does not wait.

Where no action of the agent is there, the default policy β acts, over an action set of its own
(Riemer et al. 2025, Section 2). Everything is a table of float64; nothing is changed after
construction.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from rtsim.errors import InvalidValue
from rtsim.mdps import checks
from rtsim.mdps.checks import Floats

Reward = Literal["expected", "bernoulli"]
#: ``"stay"``, ``"random"``, one of the agent's actions, or tables (p_default, r_default[, default_policy]).
Default = str | int | tuple[ArrayLike, ArrayLike] | tuple[ArrayLike, ArrayLike, ArrayLike]

#: Longest name; that of an MDP made of others by fifty transforms is some thousands of characters long.
MAX_NAME = 10_000

TABLES = ("p", "r", "p_default", "r_default", "default_policy", "start")


@dataclass(frozen=True, eq=False, repr=False)
class TabularMDP:
    """A finite MDP with a default policy for the steps on which the agent has no action.

    Two are equal, and hash alike, if all tables and the reward kind are equal; the name is a label.
    Rows of probabilities may miss 1 by 1e-9, as in a file with ten digits; a row off by more than
    1e-12 is divided by its sum, all others are kept bit for bit.

    Attributes
    ----------
    p : float64, shape (S, A, S)
        p[s, a, t], the probability of state t one step after the agent's action a in state s.
    r : float64, shape (S, A)
        Expected reward per step.
    p_default : float64, shape (S, B, S)
    r_default : float64, shape (S, B)
        The same for the default policy's own actions.
    default_policy : float64, shape (S, B)
        Probabilities of the default policy's actions in each state.
    start : float64, shape (S,)
        Distribution of the first state.
    reward : {"expected", "bernoulli"}
        Whether a simulated reward is r itself, or 1 with probability r and 0 otherwise.
    name : str

    Raises
    ------
    InvalidValue
        Naming the first entry, row or set of states at fault. The MDP must be weakly communicating
        under the agent's actions: only then is its optimal gain one number.

    Examples
    --------
    >>> mdp = TabularMDP.of(p=[[[0.0, 1.0]], [[0.5, 0.5]]], r=[[0.0], [1.0]], default="stay")
    >>> mdp
    TabularMDP(states=2, actions=1, default_actions=1)
    >>> TabularMDP.of(p=[[[0.0, 0.9]], [[0.5, 0.5]]], r=[[0.0], [1.0]])
    Traceback (most recent call last):
    rtsim.errors.InvalidValue: row 0 of p for action 0 sums to 0.9; it must sum to 1
    """

    p: Floats
    r: Floats
    p_default: Floats
    r_default: Floats
    default_policy: Floats
    start: Floats
    reward: Reward = "expected"
    name: str = ""

    def __post_init__(self) -> None:
        p = checks.table(self.p, "p", (None, None, None))
        states, actions, targets = p.shape
        if targets != states:
            raise InvalidValue(f"p has shape {p.shape}; it must be (S, A, S), the first and last size equal")
        p_default = checks.table(self.p_default, "p_default", (states, None, states))
        extra = p_default.shape[1]
        checked = {
            "p": checks.distributions(p, "p", "row {} of p for action {}"),
            "r": checks.rewards(self.r, "r", (states, actions)),
            "p_default": checks.distributions(
                p_default, "p_default", "row {} of p_default for the default policy's action {}"
            ),
            "r_default": checks.rewards(self.r_default, "r_default", (states, extra)),
            "default_policy": checks.distributions(
                checks.table(self.default_policy, "default_policy", (states, extra)),
                "default_policy",
                "row {} of default_policy",
            ),
            "start": checks.distributions(checks.table(self.start, "start", (states,)), "start", "start"),
        }
        if self.reward not in ("expected", "bernoulli"):
            raise InvalidValue(f"reward {self.reward!r} must be 'expected' or 'bernoulli'")
        if self.reward == "bernoulli":
            for what in ("r", "r_default"):
                rewards = checked[what]
                if ((rewards < 0) | (rewards > 1)).any():
                    place = np.argwhere((rewards < 0) | (rewards > 1))[0]
                    raise InvalidValue(
                        f"{what}[{place[0]}, {place[1]}] is {rewards[tuple(place)]:g}; Bernoulli rewards need "
                        "probabilities in 0..1, or say reward='expected'"
                    )
        # Neither control characters nor those that turn the direction of writing may reach a terminal.
        if not isinstance(self.name, str) or not self.name.isprintable() or len(self.name) > MAX_NAME:
            raise InvalidValue(f"name must be a text of at most {MAX_NAME} printable characters on one line")
        checks.weakly_communicating(checked["p"])
        for what, array in checked.items():
            array.flags.writeable = False
            object.__setattr__(self, what, array)

    @classmethod
    def of(
        cls,
        p: ArrayLike,
        r: ArrayLike,
        *,
        default: Default = "stay",
        start: int | ArrayLike = 0,
        reward: Reward = "expected",
        name: str = "",
    ) -> TabularMDP:
        """An MDP from the agent's tables and a short way to say the default policy.

        Parameters
        ----------
        p : array_like, shape (S, A, S)
        r : array_like, shape (S, A)
        default : {"stay", "random"}, int or tuple
            ``"stay"``: the state does not change and nothing is earned. ``"random"``: one of the agent's
            actions, uniformly. An int: that action of the agent (a *noop*, say). A tuple: tables
            (p_default, r_default), each action equally likely, or (p_default, r_default, default_policy).
        start : int or array_like, shape (S,)
            First state, or its distribution.
        reward : {"expected", "bernoulli"}
        name : str

        Raises
        ------
        InvalidValue

        >>> TabularMDP.of(np.full((3, 2, 3), 1 / 3), np.zeros((3, 2)), default=1).default_actions
        1
        """
        p = checks.table(p, "p", (None, None, None))
        r = checks.table(r, "r", (p.shape[0], p.shape[1]))
        p_default, r_default, policy = default_tables(p, r, default)
        if isinstance(start, int | np.integer) and not isinstance(start, bool):
            if not 0 <= start < len(p):
                raise InvalidValue(f"start {start} must be a state in 0..{len(p) - 1}")
            start = np.eye(len(p))[int(start)]
        return cls(p, r, p_default, r_default, policy, np.asarray(start), reward, name)

    @property
    def states(self) -> int:
        """S."""
        return int(self.p.shape[0])

    @property
    def actions(self) -> int:
        """A, the number of the agent's actions."""
        return int(self.p.shape[1])

    @property
    def default_actions(self) -> int:
        """B, the number of the default policy's own actions."""
        return int(self.p_default.shape[1])

    @cached_property
    def chain_under_default(self) -> tuple[Floats, Floats]:
        """Transitions (S, S) and expected rewards (S,) of a step on which the default policy acts.

        p^β(t|s) = Σ_b β(b|s) p(t|s, b) and r^β(s) = Σ_b β(b|s) r(s, b) (Riemer et al. 2025, Section 2).
        """
        p = np.einsum("sb,sbt->st", self.default_policy, self.p_default)
        r = np.einsum("sb,sb->s", self.default_policy, self.r_default)
        p.flags.writeable = r.flags.writeable = False
        return p, r

    def with_default(self, default: Default) -> TabularMDP:
        """The same world with another default policy; see :meth:`of`.

        >>> from rtsim import mdps
        >>> mdps.of("inaction").with_default("random").default_policy
        array([[0.5, 0.5],
               [0.5, 0.5]])
        """
        return TabularMDP(self.p, self.r, *default_tables(self.p, self.r, default), self.start, self.reward, self.name)

    def save(self, path: str | Path) -> Path:
        """Write a ``.json`` file (readable) or an ``.npz`` file (compact), whole or not at all.

        Raises
        ------
        FileProblem, InvalidValue
        """
        from rtsim.mdps import files

        return files.save(self, path)

    @classmethod
    def load(cls, path: str | Path) -> TabularMDP:
        """Read a file written by :meth:`save`, or by hand in the same format.

        Raises
        ------
        FileProblem
            If it cannot be read or is of another kind.
        InvalidValue
            If a table in it is wrong, naming the place.
        """
        from rtsim.mdps import files

        return files.load(path)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of all tables and the reward kind, in hexadecimal; the name does not count."""
        found = hashlib.sha256(f"{self.p.shape}{self.p_default.shape}{self.reward}".encode())
        for what in TABLES:
            found.update(np.ascontiguousarray(getattr(self, what)).tobytes())
        return found.hexdigest()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TabularMDP) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def __reduce__(self) -> tuple[Any, ...]:
        # Through the constructor, so that arrays are read-only on the other side too.
        return TabularMDP, (*(getattr(self, what) for what in TABLES), self.reward, self.name)

    def __repr__(self) -> str:
        name = f"{self.name!r}, " if self.name else ""
        return f"TabularMDP({name}states={self.states}, actions={self.actions}, default_actions={self.default_actions})"


def default_tables(p: Floats, r: Floats, default: Default) -> tuple[Any, Any, Any]:
    """p_default, r_default and default_policy for a way to say the default; see :meth:`TabularMDP.of`."""
    states, actions = r.shape
    if isinstance(default, str):
        if default == "stay":
            return np.eye(states)[:, None, :], np.zeros((states, 1)), np.ones((states, 1))
        if default == "random":
            return p, r, np.full((states, actions), 1.0 / actions)
    elif isinstance(default, int | np.integer) and not isinstance(default, bool):
        if 0 <= default < actions:
            chosen = slice(int(default), int(default) + 1)
            return p[:, chosen], r[:, chosen], np.ones((states, 1))
    elif isinstance(default, tuple) and len(default) in (2, 3):
        p_default = checks.table(default[0], "p_default", (states, None, states))
        extra = p_default.shape[1]
        policy = default[2] if len(default) == 3 else np.full((states, extra), 1.0 / extra)
        return p_default, default[1], policy
    shown = repr(default) if isinstance(default, str | int) else type(default).__name__
    raise InvalidValue(
        f"default {shown[:60]} must be 'stay', 'random', an action in 0..{actions - 1}, "
        "or tables (p_default, r_default[, default_policy])"
    )
