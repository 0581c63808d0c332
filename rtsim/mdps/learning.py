"""MDPs that are hard, or just random, to learn."""

from __future__ import annotations

import numpy as np

from rtsim.errors import InvalidValue
from rtsim.mdps import checks
from rtsim.mdps.tabular import TabularMDP


def jao(states: int = 2, actions: int = 2, delta: float = 0.1, epsilon: float = 0.05, good: int = 0) -> TabularMDP:
    """The two-state family behind the lower bound on learning, optionally in several copies.

    Jaksch, Ortner & Auer 2010, proof of Theorem 5. State 0 of a copy pays nothing, state 1 pays 1. Every action leaves
    either state with probability delta, except that in state 0 of one copy, the last, one good action leaves it with
    delta + epsilon. With more than two states the copies' states 0 are the nodes of a tree, in which every node has
    ``actions`` children, and actions + 1 deterministic, unpaid actions are added: first to the parent,
    then to each child; where there is none, and in states 1, they stay. State 2i is
    state 0 of copy i, state 2i + 1 its state 1. The optimal gain is (delta + epsilon)/(2 delta + epsilon) for any
    number of copies. Default: stay, earning nothing, whose gap is the optimal gain in every state.

    Parameters
    ----------
    states : int
        Even.
    actions : int
        Actions of a copy; the MDP has 2·actions + 1 if there is more than one copy.
    delta, epsilon : float
        delta > 0, epsilon >= 0, delta + epsilon <= 1.
    good : int
        The good action, 0..actions − 1: any but 0 for a learner that takes the first of equals.

    >>> jao().p[0]
    array([[0.85, 0.15],
           [0.9 , 0.1 ]])
    >>> jao(states=8).actions
    5
    """
    if states % 2:
        raise InvalidValue(f"states {states} must be even: the family has two states per copy")
    if not (delta > 0 and epsilon >= 0 and delta + epsilon <= 1):
        raise InvalidValue(
            f"delta {delta:g} and epsilon {epsilon:g} must satisfy delta > 0, epsilon >= 0, delta + epsilon <= 1"
        )
    if not 0 <= good < actions:
        raise InvalidValue(f"good {good} must be an action in 0..{actions - 1}")
    copies = states // 2
    total = actions if copies == 1 else 2 * actions + 1
    zero, one = np.arange(0, states, 2), np.arange(1, states, 2)
    checks.size("p", (states, total, states))
    p = np.zeros((states, total, states))
    p[zero, :actions, zero] = p[one, :actions, one] = 1 - delta
    p[zero, :actions, one] = p[one, :actions, zero] = delta
    p[zero[-1], good, zero[-1]], p[zero[-1], good, one[-1]] = 1 - delta - epsilon, delta + epsilon
    if copies > 1:
        p[one, actions:, one] = 1.0
        for copy in range(copies):
            children = copy * actions + 1 + np.arange(actions)
            targets = [(copy - 1) // actions if copy else copy, *np.where(children < copies, children, copy)]
            p[2 * copy, actions + np.arange(actions + 1), 2 * np.array(targets)] = 1.0
    r = np.zeros((states, total))
    r[one, :actions] = 1.0
    return TabularMDP.of(p, r)


def riverswim(states: int = 6) -> TabularMDP:
    """A river to swim up: a small reward at the bottom, a large one at the top, a current between.

    Strehl & Littman 2008, with the probabilities in common use since (Osband, Van Roy & Russo 2013). Action 0 swims
    left and always gets there; action 1 swims right: from the first state it succeeds with probability 0.6, in
    between it moves on with 0.35, stays with 0.6 and is carried back with 0.05, in the last state it stays with 0.6.
    Swimming left in the first state pays 0.005, right in the last 1. Default: left, the current carries the swimmer.

    >>> riverswim(3).p[1, 1]
    array([0.05, 0.6 , 0.35])
    """
    if states < 2:
        raise InvalidValue(f"states {states} must be at least 2")
    p = np.zeros((states, 2, states))
    inner, last = np.arange(1, states - 1), states - 1
    p[np.arange(states), 0, np.maximum(np.arange(states) - 1, 0)] = 1.0
    p[0, 1, 0], p[0, 1, 1] = 0.4, 0.6
    p[inner, 1, inner - 1], p[inner, 1, inner], p[inner, 1, inner + 1] = 0.05, 0.6, 0.35
    p[last, 1, last - 1], p[last, 1, last] = 0.4, 0.6
    r = np.zeros((states, 2))
    r[0, 0], r[last, 1] = 0.005, 1.0
    return TabularMDP.of(p, r, default=0)


def garnet(states: int = 10, actions: int = 4, branching: int = 3, seed: int = 0) -> TabularMDP:
    """A random MDP with a given number of successors per action.

    After Archibald, McKinnon & Thomas 1995: every action in every state leads to ``branching`` different random
    states, with probabilities cut from the unit interval at uniform points, and pays a uniform reward in 0..1. So
    that it is always communicating, one successor of action 0 in state s is s + 1 (modulo S). Default: stay.

    Parameters
    ----------
    states, actions : int
    branching : int
        Successors, 1..states.
    seed : int

    >>> (garnet(5, 2, 3, seed=1).p > 0).sum(axis=2)
    array([[3, 3],
           [3, 3],
           [3, 3],
           [3, 3],
           [3, 3]])
    """
    if not 1 <= branching <= states:
        raise InvalidValue(f"branching {branching} must lie in 1..states, here 1..{states}")
    checks.size("p", (states, actions, states))
    random = np.random.default_rng(seed)
    p = np.zeros((states, actions, states))
    for s in range(states):
        for a in range(actions):
            targets = random.permutation(states)[:branching]
            ahead = (s + 1) % states
            if a == 0 and ahead not in targets:
                targets[0] = ahead
            # A cut of length 0 would remove a successor; 1 - U is in (0, 1].
            weights = -np.log(1.0 - random.random(branching)) + 1e-9
            p[s, a, targets] = weights / weights.sum()
    return TabularMDP.of(p, random.random((states, actions)))
