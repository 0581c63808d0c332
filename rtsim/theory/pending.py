"""The best policy that knows which actions are under way: what delay alone costs.

With the actions chosen but not yet applied in the state, a delayed MDP is an MDP again (Altman & Nain 1992;
Katsikopoulos & Engelbrecht 2003), of S·A^j states for j actions under way. Its optimum bounds every policy with that
delay from above, and the second paper's Proposition 2 (Anokhin et al. 2025) rests on it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from rtsim.errors import InvalidValue, NoConvergence, UnknownName
from rtsim.mdps import TabularMDP
from rtsim.theory.average_reward import WARM_WORK, Actions, Model, Optimum, policy_iteration
from rtsim.theory.chains import Floats
from rtsim.theory.delayed import blocks, fits

#: Most augmented states for value iteration, and for the direct solution.
MAX_STATES, MAX_DIRECT = 20_000_000, 300_000
METHODS = ("auto", "value_iteration", "direct")


def pending_optimum(
    mdp: TabularMDP,
    delay: int,
    *,
    every: int = 1,
    inaction: float = 0.0,
    method: str = "auto",
    tolerance: float = 1e-9,
    sweeps: int = 2_000,
) -> Optimum:
    """Best average reward with delayed actions if the policy knows the actions under way.

    Parameters
    ----------
    mdp : TabularMDP
    delay, every, inaction
        As for :func:`delayed_gain`; the delay is fixed. j = ⌊delay/every⌋ actions are under way.
    method : {"auto", "value_iteration", "direct"}
        Value iteration on a compact form takes S²·A^(j+1) multiplications a sweep and little memory, but many sweeps
        on slowly mixing chains (a birth-death line of 1,000 states does not get there). The direct solution, policy
        iteration with a sparse LU of the augmented chain, does not care how slowly it mixes, but fills in on random
        ones; up to 300,000 augmented states. "auto" begins with value iteration and turns to the direct solution if
        that is still not there after ``sweeps`` sweeps.
    tolerance : float
        The gain of value iteration is known within this much, reward per step.
    sweeps : int

    Returns
    -------
    Optimum
        ``bias`` and ``policy`` of shape (S, A**j): in column Σ q_i A^(j−1−i) the actions under way are q_0, the next
        one to be applied, to q_(j−1). ``policy`` is the action to choose now.

    Raises
    ------
    InvalidValue, UnknownName
    NoConvergence
        With the bounds reached.

    Examples
    --------
    A deterministic world has no delay regret for a policy that knows its pending actions:

    >>> from rtsim import mdps
    >>> pending_optimum(mdps.forward(4), 3).gain
    1.0
    """
    if isinstance(delay, bool) or not isinstance(delay, int | np.integer):
        raise InvalidValue("delay must be a whole number of steps; for random delays use delayed_gain")
    if method not in METHODS:
        raise UnknownName("method", method, METHODS)
    world = blocks(mdp, int(delay), every, inaction)
    p, r, depth = world.p[:, :-1], world.r[:, :-1], world.depth
    limit = MAX_DIRECT if method == "direct" else MAX_STATES
    if not fits(mdp.states, mdp.actions, depth, limit):
        raise InvalidValue(
            f"{mdp.states}·{mdp.actions}^{depth} augmented states are more than the {limit} that fit; shorten the delay"
        )
    shape = (mdp.states, mdp.actions**depth)
    size = mdp.states * shape[1]
    if method == "direct":
        # Enough sweeps for news to cross the states a few times make a first policy that needs few improvements.
        sweeps = min(10 * (mdp.states + depth), int(3 * WARM_WORK // (size * mdp.actions)) + 10)
    found, low, high = _value_iteration(p, r, depth, every * tolerance, sweeps)
    if high - low > 2 * every * tolerance:
        if method == "value_iteration" or size > MAX_DIRECT:
            raise NoConvergence(
                f"value iteration knows the gain only within {low / every:.6g}..{high / every:.6g} after "
                f"{found.iterations} sweeps; give more sweeps, or method='direct'"
            )
        method = "direct"
    if method == "direct":
        found = policy_iteration(augmented(p, r, depth), found.policy.reshape(-1))
    return _per_step(found, shape, every)


def augmented(p: Floats, r: Floats, depth: int) -> Model:
    """The augmented MDP as a sparse model: state s·A^j + queue, the queue's first action its highest digit.

    Parameters
    ----------
    p : float64, shape (S, A, S)
    r : float64, shape (S, A)
    depth : int
        j, actions under way.
    """
    states, actions = r.shape
    if depth == 0:
        return Model(sparse.csr_array(p.reshape(-1, states)), r)
    queues = actions**depth
    state, queue = np.divmod(np.arange(states * queues), queues)
    applied, rest = np.divmod(queue, queues // actions)
    entries = sparse.csr_array(p.reshape(-1, states))[state * actions + applied].tocoo()
    rows = entries.row[:, None] * actions + np.arange(actions)
    columns = entries.col[:, None] * queues + (rest[entries.row] * actions)[:, None] + np.arange(actions)
    data = np.repeat(entries.data, actions)
    n = states * queues
    moves = sparse.csr_array((data, (rows.reshape(-1), columns.reshape(-1))), shape=(n * actions, n))
    return Model(moves, np.repeat(r[state, applied][:, None], actions, axis=1))


def _per_step(found: Optimum, shape: tuple[int, int], every: int) -> Optimum:
    return Optimum(
        found.gain / every,
        found.bias.reshape(shape),
        found.policy.reshape(shape),
        found.iterations,
        found.residual / every,
        found.method,
    )


def _value_iteration(p: Floats, r: Floats, depth: int, tolerance: float, sweeps: int) -> tuple[Optimum, float, float]:
    """Relative value iteration without ever writing down the augmented transitions; and bounds of the gain.

    The values (S, A^j) of all queues that begin with one action are one product of that action's (S, S) matrix with all
    values, then a maximum over the action chosen now.
    """
    states, actions = r.shape
    # Sparse products run on one core; the threads of a dense one cost more than they bring at this size.
    matrices = [sparse.csr_array(p[:, a]) for a in range(actions)]
    queues = actions**depth
    values = np.zeros((states, queues))
    change = np.empty_like(values)
    low, high, spread, step = -np.inf, np.inf, np.inf, 1.0
    made = 0
    while made < sweeps:
        _backup(matrices, r, values, change)
        np.subtract(change, values, out=change)
        made += 1
        low, high = max(low, float(change.min())), min(high, float(change.max()))
        if high - low <= 2 * tolerance:
            break
        if made % 50 == 0:
            step = 0.5 if high - low > 0.5 * spread else step
            spread = high - low
        if step != 1.0:
            change *= step
        values += change
        values -= values[0, 0]
    gain = (low + high) / 2
    residual = max(high - gain, gain - low)
    return Optimum(gain, values, _greedy(matrices, r, values), made, residual, "value_iteration"), low, high


def _backup(matrices: list[Any], r: Floats, values: Floats, out: Floats) -> None:
    states, actions = r.shape
    queues = values.shape[1]
    if queues == 1:
        out[:, 0] = np.max([r[:, a] + matrices[a] @ values[:, 0] for a in range(actions)], axis=0)
        return
    share = queues // actions
    for a in range(actions):
        ahead = (matrices[a] @ values).reshape(states, share, actions)
        part = out[:, a * share : (a + 1) * share]
        np.maximum(ahead[:, :, 0], ahead[:, :, min(1, actions - 1)], out=part)
        for b in range(2, actions):
            np.maximum(part, ahead[:, :, b], out=part)
        part += r[:, a : a + 1]


def _greedy(matrices: list[Any], r: Floats, values: Floats) -> Actions:
    states, actions = r.shape
    queues = values.shape[1]
    if queues == 1:
        chosen = np.argmax([r[:, a] + matrices[a] @ values[:, 0] for a in range(actions)], axis=0)
        return np.asarray(chosen[:, None], dtype=np.int64)
    ahead = [(matrices[a] @ values).reshape(states, queues // actions, actions).argmax(axis=2) for a in range(actions)]
    return np.asarray(np.concatenate(ahead, axis=1), dtype=np.int64)
