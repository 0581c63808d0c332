"""What a policy is expected to lose on each step of a Schedule, where its actions do not move the state.

The state is then a Markov chain of its own, moved by M₁ on agent steps and by M₀ on the default policy's; which of them
is known from the Schedule. With d_i the distribution of s_i, an action computed from s_o and applied on step i loses

    E gap_i = Σ_s d_o(s) Σ_a π(a|s) (M_o M_{o+1} ⋯ M_{i−1} gap(·, a))(s)

exactly, since nothing that happens between depends on an action. Elsewhere it does, on actions whose own observations
have to do with s_o: that takes the joint distribution of all of them, and a coupled rollout is used instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rtsim.agents import Policy, Tabular, kernel
from rtsim.agents.policies import actions_or_chances
from rtsim.agents.world import solved as solution
from rtsim.mdps import TabularMDP
from rtsim.schedule import Schedule

if TYPE_CHECKING:
    from rtsim.theory import Optimum

Floats = NDArray[np.float64]

#: Most multiplications to carry the distribution along a Schedule (about a second), and most numbers to keep.
MOST_WORK, MOST_KEPT = 10**9, 10**7
#: How far the distribution may be from the true one at the end, in the 1-norm, if it is taken for stationary before.
STATIONARY = 1e-9


def expected_gaps(mdp: TabularMDP, policy: Policy, schedule: Schedule, solved: Optimum | None = None) -> Floats | None:
    """Expected gap of a memoryless policy on each step, given the Schedule; float64, shape (T,), reward.

    Parameters
    ----------
    mdp : TabularMDP
    policy : Policy
    schedule : Schedule
    solved : Optimum, optional
        Gain and bias of the undelayed MDP; by default :func:`rtsim.theory.optimum`.

    Returns
    -------
    float64, shape (T,), or None
        None where it is not known: the policy is no :class:`~rtsim.agents.Tabular`, an action of the agent moves the
        state otherwise than another, or it would take more than :data:`MOST_WORK` or :data:`MOST_KEPT`.

    Examples
    --------
    Two steps late on the corrected worst case, once the first actions are there: 1 − P(same state after 2 steps).

    >>> import rtsim
    >>> from rtsim import mdps, theory
    >>> late = rtsim.simulate(rtsim.Scenario("max_time", 1.5, workers=2, step_time=1.0, steps=6))
    >>> expected_gaps(mdps.of("jump(n=10, p=0.9)"), Tabular(range(10)), late).round(6)
    array([1.      , 1.      , 0.188889, 0.188889, 0.188889, 0.188889])
    >>> round(theory.jump_delay_regret(10, 0.9, 2), 6)
    0.188889
    """
    from rtsim.theory import gaps

    if not isinstance(policy, Tabular) or (mdp.p != mdp.p[:, :1]).any():
        return None
    moves = np.stack([mdp.chain_under_default[0], mdp.p[:, 0]])
    alike = bool(np.array_equal(*moves))
    row, target = np.nonzero(moves.reshape(-1, mdp.states))
    of_agent, of_default = gaps(mdp, solution(mdp) if solved is None else solved)
    actions, chances = actions_or_chances(mdp, policy.table)
    if not len(chances):
        chances = np.eye(mdp.actions)[actions]
    found = _ways(schedule, moves, alike, of_agent)
    if found is None:
        return None
    late, which = found
    tables = [(mdp.default_policy * of_default).sum(axis=1), *((chances * ahead).sum(axis=1) for ahead in late)]
    seen = np.where(schedule.acted, schedule.steps["observation"], np.arange(len(schedule)))
    kept = np.zeros((int((np.arange(len(schedule)) - seen).max()) + 2, mdp.states))
    kept[0] = mdp.start
    lost = np.empty(len(schedule))
    left = kernel.loop("expect")(
        np.searchsorted(row, np.arange(2 * mdp.states + 1)).astype(np.int64),
        target.astype(np.int64),
        moves.reshape(-1, mdp.states)[row, target],
        schedule.acted.astype(np.int64),
        seen.astype(np.int64),
        which,
        np.concatenate(tables),
        np.array([STATIONARY if alike else -1.0]),
        np.array([MOST_WORK // len(row)]),
        kept.reshape(-1),
        lost,
    )
    return None if left else lost


def least_expected(mdp: TabularMDP, schedule: Schedule) -> NDArray[np.int64] | None:
    """The memoryless policy that is expected to lose least under a Schedule; int64, shape (S,).

    What the agent does changes nothing but the gaps of its own steps, so each observed state s has its own best action,
    that of the least Σ_i d_o(s) (M_o ⋯ M_{i−1} gap(·, a))(s) over the agent steps i. None under the same conditions as
    :func:`expected_gaps`.

    Parameters
    ----------
    mdp : TabularMDP
    schedule : Schedule

    >>> import rtsim
    >>> from rtsim import mdps
    >>> late = rtsim.simulate(rtsim.Scenario("max_time", 1.5, workers=2, step_time=1.0, steps=100))
    >>> least_expected(mdps.of("delay(n=4, p=0.1)"), late)
    array([2, 3, 0, 1])
    """
    from rtsim.theory import gaps

    if (mdp.p != mdp.p[:, :1]).any():
        return None
    from scipy import sparse

    moves = np.stack([mdp.chain_under_default[0], mdp.p[:, 0]])
    alike = bool(np.array_equal(*moves))
    found = _ways(schedule, moves, alike, gaps(mdp, solution(mdp))[0])
    if found is None:
        return None
    late, which = found
    steps, at = len(schedule), [mdp.start]  # distribution of the state on each step
    for acts in schedule.acted[:-1].astype(int).tolist():
        after = at[-1] @ moves[acts]
        # What a chain changes in a step never grows, in the 1-norm.
        if alike and np.abs(after - at[-1]).sum() * steps < STATIONARY:
            break
        at.append(after)
        if len(at) * mdp.states > MOST_KEPT or len(at) * mdp.states**2 > MOST_WORK:
            return None
    acted = np.flatnonzero(schedule.acted)
    observed = np.minimum(schedule.steps["observation"][acted], len(at) - 1)
    shape = (len(late), len(at))
    often = sparse.coo_array((np.ones(len(acted)), (which[acted] - 1, observed)), shape=shape).tocsr()
    lost = np.einsum("ws,wsa->sa", often @ np.array(at), np.array(late).reshape(-1, mdp.states, mdp.actions))
    return np.asarray(lost.argmin(axis=1), dtype=np.int64)


def _ways(schedule: Schedule, moves: Floats, alike: bool, gap: Floats) -> tuple[list[Floats], NDArray[np.int64]] | None:
    """Expected gap by observed state and action, (S, A) for each way to get from there to the action; each step's way.

    A way is who acted on the steps between, or only how many there are if both move alike. They are counted from 1; 0
    is the default policy.
    """
    ways: dict[bytes, int] = {}
    ahead = {b"": gap}  # (S, A), by the way
    which = np.zeros(len(schedule), dtype=np.int64)
    acted = np.ones(len(schedule), dtype=np.uint8) if alike else schedule.acted.astype(np.uint8)
    observation = schedule.steps["observation"].tolist()
    for i in np.flatnonzero(schedule.acted).tolist():
        way = acted[observation[i] : i].tobytes()
        if way not in ways:
            for begin in range(len(way) - 1, -1, -1):
                if way[begin:] not in ahead:
                    ahead[way[begin:]] = moves[way[begin]] @ ahead[way[begin + 1 :]]
                    if (len(ahead) + len(ways)) * gap.size > MOST_KEPT:
                        return None
            ways[way] = len(ways) + 1
        which[i] = ways[way]
    return [ahead[way] for way in ways], which
