"""How far an environment's randomness reaches: the measures in the papers' delay bounds."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rtsim.errors import InvalidValue
from rtsim.mdps import TabularMDP
from rtsim.theory.average_reward import Optimum, gaps
from rtsim.theory.delayed import MAX_DELAY, fits
from rtsim.timing.units import whole

#: Most augmented states for which the influence of pending actions is computed.
MAX_STATES = 1_000_000


def p_minimax(mdp: TabularMDP, labels: ArrayLike | None = None) -> float:
    """The least, over states and actions, of the probability of the most likely next state.

    min over (s, a) of max over s' of p(s'|s, a) (Riemer et al. 2025, Theorem 1), over the agent's actions. With
    ``labels`` the next states are grouped, as in the tighter version of Equation 4 (ibid., App. B.2): the probability
    is that of the most likely group.

    Parameters
    ----------
    mdp : TabularMDP
    labels : array_like of int, shape (S,), optional
        Group of each state, e.g. :func:`optimal_action_groups`.

    Raises
    ------
    InvalidValue
        If there is not one label per state.

    Examples
    --------
    Of the printed delay worst case it is max(p, 1 − p), not p:

    >>> from rtsim import mdps
    >>> p_minimax(mdps.of("delay(n=10, p=0.3)"))
    0.7
    >>> aliased = mdps.of("aliased(groups=2, copies=5, p=0.9)")
    >>> round(p_minimax(aliased), 6), round(p_minimax(aliased, np.arange(10) // 5), 6)
    (0.18, 0.9)
    """
    p = mdp.p
    if labels is not None:
        found = np.asarray(labels)
        if found.shape != (mdp.states,):
            raise InvalidValue(f"labels have shape {found.shape}; they must be ({mdp.states},), one for each state")
        p = p @ (found[:, None] == np.unique(found)).astype(np.float64)
    return float(p.max(axis=2).min())


def optimal_action_groups(mdp: TabularMDP, solved: Optimum, tolerance: float = 1e-9) -> NDArray[np.int64]:
    """A π*-irrelevance abstraction: states grouped by an action that is optimal in all of them.

    Li, Walsh & Littman 2006, as used by Riemer et al. 2025, App. B.2. The label of a state is one of its optimal
    actions: that which is optimal in the most states not yet labelled. Where every state has one optimal action this
    is the coarsest such grouping; with ties it need not be. The paper adds that states of one group have the same
    optimal value, which is the definition of the finer a*-irrelevance: two states of ``aliased`` share their action
    and differ in value.

    Parameters
    ----------
    mdp : TabularMDP
    solved : Optimum
    tolerance : float
        Actions whose gap is at most this count as optimal.

    Returns
    -------
    int64, shape (S,)

    >>> from rtsim import mdps
    >>> from rtsim.theory import optimum
    >>> aliased = mdps.of("aliased(groups=2, copies=3)")
    >>> optimal_action_groups(aliased, optimum(aliased))
    array([0, 0, 0, 1, 1, 1])
    """
    optimal = gaps(mdp, solved)[0] <= tolerance
    labels = np.full(mdp.states, -1, dtype=np.int64)
    while (labels < 0).any():
        action = int(optimal[labels < 0].sum(axis=0).argmax())
        labels[(labels < 0) & optimal[:, action]] = action
    return labels


def pending_influence(mdp: TabularMDP, delay: int) -> float:
    """How much the actions under way matter for what follows from a delayed state: 0 if not at all, 1 at most.

    The largest total variation distance, over states s k steps old and pairs of sequences of k actions, between the
    distributions of the state in which the new action is applied. It is 0 exactly if the transitions seen by a policy
    that knows only the delayed state are Markov whatever it did before, and with the actions in the state they always
    are (Anokhin et al. 2025, Proposition 2).

    Parameters
    ----------
    mdp : TabularMDP
    delay : int
        k, steps.

    Raises
    ------
    InvalidValue
        If S·A^k is more than 1,000,000.

    >>> from rtsim import mdps
    >>> pending_influence(mdps.of("delay(n=3)"), 2), pending_influence(mdps.of("forward"), 2)
    (0.0, 1.0)
    """
    delay = whole(delay, "delay", 0, MAX_DELAY)
    if not fits(mdp.states, mdp.actions, delay, MAX_STATES):
        raise InvalidValue(f"delay {delay} is too long: S·A^delay must be at most {MAX_STATES}")
    largest = 0.0
    for s in range(mdp.states):
        ahead = np.eye(1, mdp.states, s)
        for _ in range(delay):
            ahead = np.einsum("qs,sat->qat", ahead, mdp.p).reshape(-1, mdp.states)
            ahead = np.unique(ahead, axis=0)
        for row in ahead:
            largest = max(largest, float(np.abs(ahead - row).sum(axis=1).max()) / 2)
    return largest
