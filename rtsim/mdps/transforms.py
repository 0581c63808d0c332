"""MDPs made of MDPs: sticky worlds, sticky actions, a default that repeats."""

from __future__ import annotations

import numpy as np

from rtsim.errors import InvalidValue
from rtsim.mdps import checks
from rtsim.mdps.tabular import TabularMDP


def sticky(mdp: TabularMDP, stay: float = 0.25) -> TabularMDP:
    """With probability ``stay`` a step changes nothing but pays as usual.

    p' = stay·I + (1 − stay)·p for the agent and for the default policy; rewards are kept. Slower and aperiodic, with
    the same optimal gain and policies and a bias 1/(1 − stay) times as large (Puterman 1994, Section 8.5.4).

    Parameters
    ----------
    mdp : TabularMDP
    stay : float
        In 0 <= stay < 1.

    >>> from rtsim import mdps
    >>> sticky(mdps.of("forward(states=2)"), 0.5).p[0]
    array([[0.5, 0.5],
           [1. , 0. ]])
    """
    _check("stay", stay)
    lazy = stay * np.eye(mdp.states)[:, None, :]
    return TabularMDP(
        lazy + (1 - stay) * mdp.p,
        mdp.r,
        lazy + (1 - stay) * mdp.p_default,
        mdp.r_default,
        mdp.default_policy,
        mdp.start,
        mdp.reward,
        mdp.name,
    )


def sticky_actions(mdp: TabularMDP, repeat: float = 0.25) -> TabularMDP:
    """With probability ``repeat`` the agent's previous action is executed instead of the new one.

    Machado et al. 2018 (the Arcade Learning Environment's *sticky actions*). State s·A + l stands for state s with l
    the action executed last; at the start l is action 0. A step of the default policy is never replaced and leaves l
    as it is.

    Parameters
    ----------
    mdp : TabularMDP
    repeat : float
        In 0 <= repeat < 1.

    >>> from rtsim import mdps
    >>> sticky_actions(mdps.of("forward(states=2)"), 0.25).p[1, 0]  # in state 0 after a stay: forward
    array([0.  , 0.25, 0.75, 0.  ])
    """
    _check("repeat", repeat)
    states, actions = mdp.states, mdp.actions
    checks.size("p with the last action in the state", (states * actions, actions, states * actions))
    p = np.zeros((states, actions, actions, states, actions))
    r = np.zeros((states, actions, actions))
    for last in range(actions):
        for a in range(actions):
            p[:, last, a, :, last] += repeat * mdp.p[:, last]
            p[:, last, a, :, a] += (1 - repeat) * mdp.p[:, a]
            r[:, last, a] = repeat * mdp.r[:, last] + (1 - repeat) * mdp.r[:, a]
    p_default = np.zeros((states, actions, mdp.default_actions, states, actions))
    for last in range(actions):
        p_default[:, last, :, :, last] = mdp.p_default
    size = states * actions
    return TabularMDP(
        p.reshape(size, actions, size),
        r.reshape(size, actions),
        p_default.reshape(size, mdp.default_actions, size),
        np.repeat(mdp.r_default, actions, axis=0),
        np.repeat(mdp.default_policy, actions, axis=0),
        _with_last(mdp),
        mdp.reward,
        mdp.name,
    )


def repeat_default(mdp: TabularMDP) -> TabularMDP:
    """The default policy repeats the agent's last action.

    State s·A + l stands for state s with l the agent's action executed last; at the start l is action 0. What the
    default policy needs to know belongs in the state (Riemer et al. 2025, Section 2).

    >>> from rtsim import mdps
    >>> p, _ = repeat_default(mdps.of("forward(states=2)")).chain_under_default
    >>> p.argmax(axis=1)  # after "forward" it goes on, after "stay" it stays
    array([2, 1, 0, 3])
    """
    states, actions = mdp.states, mdp.actions
    checks.size("p with the last action in the state", (states * actions, actions, states * actions))
    p = np.zeros((states, actions, actions, states, actions))
    for a in range(actions):
        p[:, :, a, :, a] = mdp.p[:, None, a]
    size = states * actions
    moves = p.reshape(size, actions, size)
    r = np.repeat(mdp.r, actions, axis=0)
    rows, last = np.arange(size), np.arange(size) % actions
    return TabularMDP(
        moves,
        r,
        moves[rows, last][:, None],
        r[rows, last][:, None],
        np.ones((size, 1)),
        _with_last(mdp),
        mdp.reward,
        mdp.name,
    )


def _with_last(mdp: TabularMDP) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    start = np.zeros((mdp.states, mdp.actions))
    start[:, 0] = mdp.start
    return start.reshape(-1)


def _check(name: str, value: float) -> None:
    if not 0 <= value < 1:
        raise InvalidValue(f"{name} {value:g} must lie in 0 <= {name} < 1")
