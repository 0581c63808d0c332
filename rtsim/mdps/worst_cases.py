"""The MDPs on which the papers' bounds are proved, as printed and corrected."""

from __future__ import annotations

import numpy as np

from rtsim.errors import InvalidValue
from rtsim.mdps import checks
from rtsim.mdps.checks import Floats
from rtsim.mdps.tabular import TabularMDP


def inaction() -> TabularMDP:
    """Two states on which every step without an action costs exactly 1.

    Riemer et al. 2025, App. B.2, proof of Equation 3: state 0 pays 1 and state 1 pays 0; both of the
    agent's actions lead to state 0, the default policy's own action leads to state 1. The optimal
    gain is 1 and the gap of every default step is 1, in either state.

    >>> inaction().chain_under_default[1]
    array([1., 0.])
    """
    p = np.zeros((2, 2, 2))
    p[:, :, 0] = 1.0
    p_default = np.zeros((2, 1, 2))
    p_default[:, :, 1] = 1.0
    return TabularMDP.of(p, [[1.0, 1.0], [0.0, 0.0]], default=(p_default, np.array([[1.0], [0.0]])))


def pit(depth: int = 10) -> TabularMDP:
    """A ladder out of a pit into which every step without an action falls: one such step costs up to ``depth``.

    State 0 pays 1 per step, states 1..depth pay nothing. The agent's one action climbs a rung, or stays on top; the
    default policy's own action falls to the bottom, state ``depth``. With depth 1 it is :func:`inaction` with one
    action less. The optimal gain is 1; if the default policy acts on a step with probability q, the top is where no
    one fell for ``depth`` steps, and the gain is (1 − q)^depth. So inaction can cost more than the largest reward per
    default step, against the upper bound in Equation 3 of Riemer et al. 2025 (ours): see
    :func:`rtsim.theory.pit_inaction_regret`.

    Parameters
    ----------
    depth : int
        Rungs, at least 1.

    >>> pit(2).p[:, 0].argmax(axis=1), pit(2).p_default[:, 0].argmax(axis=1)
    (array([0, 0, 1]), array([2, 2, 2]))
    """
    if depth < 1:
        raise InvalidValue(f"depth {depth} must be at least 1")
    states = depth + 1
    top = np.eye(states)[:, :1]
    climb = np.eye(states)[np.maximum(np.arange(states) - 1, 0)]
    fall = np.repeat(np.eye(states)[-1:], states, axis=0)
    return TabularMDP.of(climb[:, None], top, default=(fall[:, None], top))


def delay(n: int = 10, p: float = 0.9) -> TabularMDP:
    """The cycle of Appendix B.2 as printed: stay with probability p, else move to the next state.

    n states and n actions; action i pays 1 in state i and nothing elsewhere, the default policy's own
    action pays nothing, and no action changes where the state goes (Riemer et al. 2025, App. B.2,
    proof of Equation 4). The optimal gain is 1. It does not attain the bound: see
    :func:`rtsim.theory.cycle_delay_regret`.

    Parameters
    ----------
    n : int
        States, at least 2.
    p : float
        Probability of staying, in 0 <= p < 1. The paper calls it p_minimax, which is max(p, 1 − p).

    >>> delay(3, 0.5).p[:, 0]
    array([[0.5, 0.5, 0. ],
           [0. , 0.5, 0.5],
           [0.5, 0. , 0.5]])
    """
    _check(n, p)
    return _follow(p * np.eye(n) + (1 - p) * np.roll(np.eye(n), 1, axis=1))


def jump(n: int = 10, p: float = 0.9) -> TabularMDP:
    """The corrected delay worst case: stay with probability p, else jump to any other state.

    As :func:`delay`, but a move goes to a uniformly random other state, so that the old state remains the best
    guess while p >= 1/n. It attains Equation 4's bound as n → ∞ (ours): see
    :func:`rtsim.theory.jump_delay_regret`.

    Parameters
    ----------
    n : int
        States, at least 2.
    p : float
        Probability of staying, in 0 <= p < 1.

    >>> jump(3, 0.5).p[0, 0]
    array([0.5 , 0.25, 0.25])
    """
    _check(n, p)
    return _follow(p * np.eye(n) + (1 - p) / (n - 1) * (1 - np.eye(n)))


def aliased(groups: int = 2, copies: int = 5, p: float = 0.9) -> TabularMDP:
    """States change all the time, but the optimal action seldom does.

    The groups jump as the states of :func:`jump` do, with probability p of staying; within its group the state is
    drawn anew on every step, each of the ``copies`` equally likely. Action g pays one half in group g; the first copy
    of each group pays another half, whatever the action, so that states which share an optimal action differ in
    value. For the tighter Equation 4 (Riemer et al. 2025, App. B.2): p_minimax of the states is small, that of the
    groups is p.

    Parameters
    ----------
    groups, copies : int
        At least 2 and 1.
    p : float
        Probability of staying in the group, in 0 <= p < 1.

    >>> aliased(2, 2, 0.9).p[0, 0].round(3)
    array([0.45, 0.45, 0.05, 0.05])
    """
    _check(groups, p, "groups")
    checks.size("p", (groups * copies, groups, groups * copies))
    move = p * np.eye(groups) + (1 - p) / (groups - 1) * (1 - np.eye(groups))
    spread = np.repeat(np.repeat(move, copies, axis=0), copies, axis=1) / copies
    bonus = (np.arange(groups * copies) % copies == 0) * 0.5
    states = groups * copies
    pay = np.repeat(np.eye(groups), copies, axis=0) * 0.5 + bonus[:, None]
    return TabularMDP.of(
        np.repeat(spread[:, None], groups, axis=1), pay, default=(spread.reshape(states, 1, states), bonus[:, None])
    )


def forward(states: int = 4, start: int = 0) -> TabularMDP:
    """A deterministic cycle with a goal: move on (action 0) or stay (action 1); default stay.

    The last state pays 1 per step, all others nothing, so the optimal gain is 1. A counterexample to "deterministic,
    so no regret from delay" (Riemer et al. 2025, footnote 5 and App. B.6) for deterministic policies that see only a
    k steps old state: with k + 1 states none of them halts at the goal from everywhere (ours). A policy that moves by
    a coin does; no policy of this kind does well on :func:`alternate`.

    Parameters
    ----------
    states : int
        At least 2.
    start : int

    >>> forward(3).p[:, 0].argmax(axis=1), forward(3).p[:, 1].argmax(axis=1)
    (array([1, 2, 0]), array([0, 1, 2]))
    """
    p = np.stack([np.roll(np.eye(states), 1, axis=1), np.eye(states)], axis=1)
    r = np.zeros((states, 2))
    r[-1] = 1.0
    return TabularMDP.of(p, r, default=1, start=start)


def alternate() -> TabularMDP:
    """A deterministic world that pays for every action unlike the one before; default action 0.

    The state is the last action; action a pays 1 in the other state, so the optimal gain is 1. Acting on a k >= 1
    steps old state alone, no policy gains more than 1/2, with or without a coin: its actions form k + 1 interleaved
    chains that know nothing of each other (ours). It is the counterexample to "deterministic, so no regret from
    delay" (Riemer et al. 2025, footnote 5 and App. B.6); see :func:`rtsim.theory.alternate_delay_gain`.

    >>> alternate().r
    array([[0., 1.],
           [1., 0.]])
    """
    return TabularMDP.of(np.repeat(np.eye(2)[None], 2, axis=0), 1 - np.eye(2), default=0)


def _check(n: int, p: float, name: str = "n") -> None:
    if n < 2:
        raise InvalidValue(f"{name} {n} must be at least 2")
    if not 0 <= p < 1:
        raise InvalidValue(f"p {p:g} must lie in 0 <= p < 1; at p = 1 states would never change")


def _follow(move: Floats) -> TabularMDP:
    """An MDP whose state moves on its own, and whose action i is right in state i."""
    n = len(move)
    return TabularMDP.of(np.repeat(move[:, None], n, axis=1), np.eye(n), default=(move[:, None], np.zeros((n, 1))))
