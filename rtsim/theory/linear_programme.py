"""The optimal gain as a linear programme, solved by HiGHS."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from rtsim.errors import NoConvergence
from rtsim.theory import chains
from rtsim.theory.average_reward import Model, Optimum, towards


def linear_programme(model: Model) -> Optimum:
    """The least g with g + h(s) >= r(s, a) + Σ_t p(t|s, a) h(t) for some h and all s, a.

    Puterman 1994, Section 8.8 (unichain) and 9.3; with one g for all states it holds for weakly communicating MDPs,
    whose optimal gain and bias are feasible, while every feasible g bounds every policy's gain from above. The dual
    variables are the frequencies of the states and actions of an optimal policy; where they are all zero the policy
    returned moves towards the states where they are not.

    Parameters
    ----------
    model : Model

    Returns
    -------
    Optimum
        ``residual`` is the upper bound that the variables prove, less the gain of the policy returned.

    Raises
    ------
    NoConvergence
        If HiGHS fails, or the residual is above 1e-6 of the largest reward.
    """
    from scipy.optimize import linprog

    states, actions = model.r.shape
    less = sparse.hstack([model.drift, -np.ones((states * actions, 1))], format="csr")
    cost = np.zeros(states + 1)
    cost[-1] = 1.0
    solved = linprog(
        cost, A_ub=less, b_ub=-model.r.reshape(-1), bounds=[(0, 0)] + [(None, None)] * states, method="highs"
    )
    if solved.status != 0:
        raise NoConvergence(f"HiGHS did not solve the linear programme: {solved.message}")
    bias, gain = solved.x[:-1], float(solved.x[-1])
    shares = np.maximum(-solved.ineqlin.marginals, 0.0).reshape(states, actions)
    used = np.flatnonzero(shares.sum(axis=1) > 1e-9)
    policy = towards(model, used)
    policy[used] = shares[used].argmax(axis=1)
    chain = model.under(policy)
    rewards = chains.long_run_rewards(chain, model.r[np.arange(states), policy])
    upper = float(model.changes(bias).max())
    residual = max(upper - float(rewards.min()), 0.0)
    if not residual <= 1e-6 * float(np.abs(model.r).max()):
        raise NoConvergence(
            f"the linear programme left a residual of {residual:.3g}: what is seldom left is within its tolerance; "
            "use policy iteration"
        )
    return Optimum(gain, bias, policy, int(solved.nit), residual, "linear_programme")
