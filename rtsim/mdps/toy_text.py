"""Gymnasium's toy-text environments, which carry their own transition table."""

from __future__ import annotations

import inspect
import warnings
from typing import Any

import numpy as np

from rtsim.errors import InvalidValue, MissingExtra
from rtsim.mdps.tabular import Default, TabularMDP


def toy_text(environment: str, *, default: Default = "stay", **options: Any) -> TabularMDP:
    """The table of a Gymnasium environment, its episodes closed by a reset that takes no time.

    Every transition that ends an episode leads to the environment's start distribution instead. States that cannot be
    reached from there, by the agent or the default policy, are left out, the others keep their order. A reward that
    depends on the next state is replaced by its mean over next states. Time limits (truncation) are not part of the
    table.

    Parameters
    ----------
    environment : str
        Such as ``"FrozenLake-v1"``, or without a version, ``"Taxi"``, for the newest.
    default : {"stay", "random"}, int or tuple
        As in :meth:`TabularMDP.of`; tables refer to all of the environment's states.
    options
        Handed to ``gymnasium.make``, e.g. ``is_slippery=False``.

    Raises
    ------
    MissingExtra
        Without Gymnasium.
    InvalidValue
        If there is no such environment or it has no table.

    >>> toy_text("FrozenLake-v1")
    TabularMDP('gym:FrozenLake-v1', states=11, actions=4, default_actions=1)
    """
    try:
        import gymnasium
    except ImportError as error:
        raise MissingExtra("a Gymnasium environment", "gymnasium", "envs") from error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that a newer version exists
            made = gymnasium.make(environment, **options)
    except (gymnasium.error.Error, TypeError, ValueError, KeyError, AssertionError, ImportError) as error:
        reason = " ".join(str(error).split())[:200]
        raise InvalidValue(f"Gymnasium cannot make {environment!r}: {reason}") from error
    _check_switches(environment, made.unwrapped, options)
    try:
        rows = getattr(made.unwrapped, "P", None)
        start = getattr(made.unwrapped, "initial_state_distrib", None)
    finally:
        made.close()
    if not isinstance(rows, dict) or start is None:
        raise InvalidValue(
            f"{environment!r} carries no transition table; those that do are FrozenLake-v1, FrozenLake8x8-v1, "
            "Taxi and CliffWalking"
        )
    start = np.asarray(start, dtype=np.float64)
    states, actions = len(rows), len(rows[0])
    p = np.zeros((states, actions, states))
    r = np.zeros((states, actions))
    for s in range(states):
        for a in range(actions):
            for chance, target, reward, ends in rows[s][a]:
                p[s, a] += chance * (start if ends else np.eye(1, states, int(target))[0])
                r[s, a] += chance * reward
    return _closed(p, r, start, default, f"gym:{environment}")


def _check_switches(environment: str, made: Any, options: dict[str, Any]) -> None:
    """An option whose default is true or false is that; Gymnasium would take any text for true."""
    known = inspect.signature(type(made).__init__).parameters
    for name, value in options.items():
        if name in known and isinstance(known[name].default, bool) and not isinstance(value, bool):
            raise InvalidValue(f"option {name}={str(value)[:40]} of {environment} must be true or false")


def _closed(p: Any, r: Any, start: Any, default: Default, name: str) -> TabularMDP:
    """The part that can be reached; the rest may be a world of its own."""
    from rtsim.mdps.tabular import default_tables

    p_default, r_default, policy = default_tables(p, r, default)
    p_default, r_default, policy = np.asarray(p_default), np.asarray(r_default), np.asarray(policy)
    moves = (p > 0).any(axis=1) | (p_default > 0).any(axis=1)
    reached = start > 0
    while True:
        more = reached | moves[reached].any(axis=0)
        if (more == reached).all():
            break
        reached = more
    kept = np.flatnonzero(reached)
    return TabularMDP(
        p[kept][:, :, kept],
        r[kept],
        p_default[kept][:, :, kept],
        r_default[kept],
        policy[kept],
        start[kept],
        "expected",
        name,
    )
