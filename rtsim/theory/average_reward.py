"""Optimal gain and bias of an average-reward MDP, three ways that check each other.

The MDP is weakly communicating, so the optimal gain g is one number, and with some bias h

    g + h(s) = max over a of  r(s, a) + Σ_t p(t|s, a) h(t)      for all s

(Puterman 1994, Section 8.4). Whatever h one has, the optimal gain lies between the least and the largest, over s, of
the right side minus h(s) (ibid., Theorem 8.5.5): this bound, computed from the result, is its ``residual``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from rtsim.errors import NoConvergence, UnknownName
from rtsim.mdps import TabularMDP
from rtsim.theory import chains
from rtsim.theory.chains import Floats

Actions = NDArray[np.int64]

#: Multiplications that may go into finding a first policy, about a second.
WARM_WORK = 300_000_000


@dataclass(frozen=True)
class Optimum:
    """The solution of an average-reward MDP.

    Attributes
    ----------
    gain : float
        Best average reward per environment step.
    bias : float64, shape (S,), or (S, A**j) with j pending actions
        Solves the optimality equation, up to ``residual``, with bias 0 in the first state. Where several sets of
        states are recurrent under optimal policies, it is not unique, and every solution serves.
    policy : int64, same shape
        An optimal action in each state.
    iterations : int
        Policies evaluated, or sweeps made.
    residual : float
        The optimal gain lies within this distance of ``gain``, but for rounding.
    method : str
    """

    gain: float
    bias: Floats
    policy: Actions
    iterations: int
    residual: float
    method: str


@dataclass(frozen=True)
class Model:
    """An MDP as the solvers take it: row s·A + a of ``p`` is action a in state s."""

    p: sparse.csr_array
    r: Floats

    @classmethod
    def of(cls, mdp: TabularMDP) -> Model:
        """The agent's part of a table."""
        return cls(sparse.csr_array(mdp.p.reshape(-1, mdp.states)), mdp.r)

    @cached_property
    def drift(self) -> sparse.csr_array:
        """P − I, row s·A + a with 1 taken off in column s."""
        return chains.drift(self.p, self.r.shape[1])

    def changes(self, bias: Floats) -> Floats:
        """r(s, a) + Σ_t p(t|s, a) bias(t) − bias(s), shape (S, A)."""
        return np.asarray(self.r + (self.drift @ bias).reshape(self.r.shape))

    def values(self, bias: Floats) -> Floats:
        """r(s, a) + Σ_t p(t|s, a) bias(t), shape (S, A)."""
        return np.asarray(self.r + (self.p @ bias).reshape(self.r.shape))

    def under(self, policy: Actions) -> sparse.csr_array:
        """The chain (S, S) of a policy."""
        return self.p[np.arange(len(policy)) * self.r.shape[1] + policy]


def optimum(mdp: TabularMDP, method: str = "policy_iteration") -> Optimum:
    """The best average reward an agent without any delay can have.

    Parameters
    ----------
    mdp : TabularMDP
    method : {"policy_iteration", "value_iteration", "linear_programme"}
        Policy iteration is exact up to rounding and the fastest. Value iteration stops at a residual of 1e-9
        and does not get there on slowly mixing chains. The linear programme (HiGHS) is an independent check for
        small MDPs; its bias satisfies the optimality equation as an inequality, with equality where the policy is
        recurrent.

    Returns
    -------
    Optimum

    Raises
    ------
    UnknownName, NoConvergence

    Examples
    --------
    Howard's toymaker (Howard 1960, Chapter 4) gains 2 per week, and being in the successful state is worth 10:

    >>> toymaker = TabularMDP.of(
    ...     p=[[[0.5, 0.5], [0.8, 0.2]], [[0.4, 0.6], [0.7, 0.3]]], r=[[6, 4], [-3, -5]])
    >>> found = optimum(toymaker)
    >>> round(found.gain, 9), found.bias.round(9), found.policy
    (2.0, array([  0., -10.]), array([1, 1]))
    """
    model = Model.of(mdp)
    if method == "policy_iteration":
        return policy_iteration(model)
    if method == "value_iteration":
        return value_iteration(model)
    if method == "linear_programme":
        from rtsim.theory.linear_programme import linear_programme

        return linear_programme(model)
    raise UnknownName("method", method, ("policy_iteration", "value_iteration", "linear_programme"))


@np.errstate(over="ignore", invalid="ignore", divide="ignore")  # what is beyond doubles is told by NaN
def policy_iteration(model: Model, first: Actions | None = None) -> Optimum:
    """Howard's policy iteration, made to work where policies on the way have several recurrent classes.

    Before a policy is evaluated, states from which it may enter another than its best recurrent class are redirected
    towards that class, along shortest paths of possible transitions; such paths exist because the MDP is weakly
    communicating. So every policy evaluated has one recurrent class. An improved policy has a better class, or it has
    the same class alone, and then a bias that is nowhere smaller and somewhere larger: no policy comes twice, and the
    last one solves the optimality equation.

    Parameters
    ----------
    model : Model
    first : int64, shape (S,), optional
        Policy to begin with; by default the greedy one after some sweeps of value iteration, so many that
        news can cross the state space a few times: one sweep carries them as far as one policy.

    Raises
    ------
    NoConvergence
        If rounding, where returns take astronomically long, left a residual above 1e-6 of the largest reward.
    """
    largest = float(np.abs(model.r).max())
    if first is None:
        sweeps = max(100, min(10 * len(model.r), WARM_WORK // max(model.p.nnz, 1)))
        first = _sweeps(model, sweeps, 1e-7 * largest)[0]
    policy = np.array(first, dtype=np.int64)
    found = _improve(model, policy)
    # A policy that hardly ever leaves some states has a bias beyond doubles. Discounting bounds the
    # values; the optimum for a long horizon leaves such states, and is the better policy to begin with.
    for horizon in (1e3, 1e4, 1e5, 1e6, 1e7):
        if found.residual <= 1e-6 * largest:
            return found
        policy = _discounted(model, policy, horizon, found.gain)
        found = _improve(model, policy)
    if not found.residual <= 1e-6 * largest:
        raise NoConvergence(
            f"policy iteration left a residual of {found.residual:.3g}: returns to a state take too long for doubles"
        )
    return found


def _improve(model: Model, policy: Actions) -> Optimum:
    """Policy iteration to its end; of all policies evaluated that with the least residual, for rounding's sake."""
    states = np.arange(len(policy))
    largest = float(np.abs(model.r).max())
    seen: set[bytes] = set()
    best: Optimum | None = None
    while policy.tobytes() not in seen:
        seen.add(policy.tobytes())
        policy, inside = _one_class(model, policy)
        chain = model.under(policy)
        gain, bias = chains.evaluate(chain, model.r[states, policy], chains.busiest(chain, inside))
        advantage = model.changes(bias) - gain
        found = _result(gain, bias, policy, len(seen), advantage, "policy_iteration")
        if best is None or np.isnan(best.residual) or found.residual < best.residual:
            best = found
        greedy = advantage.argmax(axis=1)
        gained = advantage[states, greedy] - advantage[states, policy]
        better = gained > 1e-13 * (np.abs(bias).max() + largest)
        if not better.any():
            break
        policy = np.where(better, greedy, policy)
    assert best is not None
    return best


def _discounted(model: Model, policy: Actions, horizon: float, level: float) -> Actions:
    """Policy iteration with discount 1 − 1/horizon, at most 1,000 policies; rewards are taken less ``level``."""
    states = np.arange(len(policy))
    discount = 1.0 - 1.0 / horizon
    for _ in range(1_000):
        matrix = sparse.csr_array(sparse.eye_array(len(policy)) - discount * model.under(policy))
        values = chains.solver(matrix)(model.r[states, policy] - level)
        ahead = model.values(discount * values)
        greedy = ahead.argmax(axis=1)
        better = ahead[states, greedy] - ahead[states, policy] > 1e-13 * np.abs(values).max()
        if not better.any():
            break
        policy = np.where(better, greedy, policy)
    return policy


def value_iteration(model: Model, tolerance: float = 1e-9, sweeps: int = 100_000) -> Optimum:
    """Relative value iteration, stopped when the gain is known within ``tolerance``.

    Half of each step is taken if whole ones do not help, which makes every chain aperiodic without
    changing gain or policies (Puterman 1994, Section 8.5.4).

    Raises
    ------
    NoConvergence
        With the bounds reached.
    """
    policy, bias, made, low, high = _sweeps(model, sweeps, tolerance)
    if high - low > 2 * tolerance:
        raise NoConvergence(
            f"value iteration knows the gain only within {low:.6g}..{high:.6g} after {made} sweeps; "
            "use policy iteration"
        )
    advantage = model.changes(bias) - (low + high) / 2
    return _result((low + high) / 2, bias, policy, made, advantage, "value_iteration")


def gaps(mdp: TabularMDP, solved: Optimum) -> tuple[Floats, Floats]:
    """What one step loses against the optimum, by state and action.

    g + h(s) − r(s, a) − Σ_t p(t|s, a) h(t), the terms of the performance-difference identity (Kakade & Langford 2002;
    for average reward Puterman 1994, Section 8.2).

    Parameters
    ----------
    mdp : TabularMDP
    solved : Optimum
        Of :func:`optimum`.

    Returns
    -------
    agent : float64, shape (S, A)
        >= 0 up to ``solved.residual``, and 0 for the optimal actions.
    default : float64, shape (S, B)
        Of the default policy's own actions; negative where they are better than all of the agent's.

    >>> from rtsim import mdps
    >>> inaction = mdps.of("inaction")
    >>> gaps(inaction, optimum(inaction))[1]
    array([[1.],
           [1.]])
    """
    level = solved.gain + solved.bias[:, None]
    return level - mdp.r - mdp.p @ solved.bias, level - mdp.r_default - mdp.p_default @ solved.bias


def _result(gain: float, bias: Floats, policy: Actions, iterations: int, advantage: Floats, method: str) -> Optimum:
    best = advantage.max(axis=1)
    residual = float(max(best.max(), -best.min(), 0.0))
    return Optimum(gain, bias - bias.flat[0], policy, iterations, residual, method)


def _sweeps(model: Model, sweeps: int, tolerance: float) -> tuple[Actions, Floats, int, float, float]:
    """Value iteration from 0: greedy policy, values, sweeps made and bounds of the gain."""
    values = np.zeros(len(model.r))
    step, spread = 1.0, np.inf
    made, low, high = 0, -np.inf, np.inf
    while made < sweeps:
        change = model.changes(values).max(axis=1)
        made += 1
        low, high = max(low, float(change.min())), min(high, float(change.max()))
        if high - low <= 2 * tolerance:
            break
        if made % 50 == 0:
            step = 0.5 if high - low > 0.5 * spread else step
            spread = high - low
        values = values + step * change
        values -= values[0]
    return model.changes(values).argmax(axis=1), values, made, low, high


def _one_class(model: Model, policy: Actions) -> tuple[Actions, NDArray[np.int64]]:
    """The policy led to its best recurrent class from everywhere, and that class."""
    chain = model.under(policy)
    classes = chains.recurrent_classes(chain)
    if len(classes) == 1:
        return policy, classes[0]
    rewards = model.r[np.arange(len(policy)), policy]
    gains = [float(chains.frequencies(chain, inside) @ rewards[inside]) for inside in classes]
    chosen = int(np.nan_to_num(gains, nan=-np.inf).argmax())
    astray = np.zeros(len(policy), dtype=bool)
    for number, inside in enumerate(classes):
        astray[inside] = number != chosen
    while True:
        more = astray | (chain @ astray.astype(np.float64) > 0)
        if (more == astray).all():
            break
        astray = more
    return np.where(astray, towards(model, classes[chosen]), policy), classes[chosen]


def towards(model: Model, target: NDArray[np.int64]) -> Actions:
    """In each state an action that may lead one transition nearer to a set of states; shape (S,), 0 inside."""
    reached = np.zeros(len(model.r), dtype=bool)
    reached[target] = True
    action = np.zeros(len(model.r), dtype=np.int64)
    while not reached.all():
        ways = (model.p @ reached.astype(np.float64)).reshape(model.r.shape) > 0
        new = ways.any(axis=1) & ~reached
        assert new.any(), "the MDP is not weakly communicating"
        action[new] = ways[new].argmax(axis=1)
        reached |= new
    return action
