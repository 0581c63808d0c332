"""The tighter Equation 4: what counts is how likely the optimal action changes, not the state.

Claim. p_minimax may be taken over groups of states that share an optimal action (a π*-irrelevance abstraction); the
paper adds that states of one group then have equal optimal values.

Derivation. ``aliased`` has 40 groups of 3 states. The state within the group is drawn anew on every step, the group
stays with probability 0.9; the action of the group pays 1/2, and one state in each group pays another 1/2 whatever is
done. The chain of groups is a ``jump``, so the regret is half of its closed form, which is at least (1 − 1/40)/2 of
the tighter bound; and far below the loose bound, whose p_minimax is 0.9/3. Two states of a group differ in value, and
splitting groups by value brings p_minimax down to 0.6: with the paper's addition the expression is no longer reached.
"""

from __future__ import annotations

import numpy as np

import rtsim
from rtsim import agents, mdps
from rtsim.cli.ledger import show
from rtsim.experiments.claims import Claim, estimated, exact
from rtsim.regret import regret
from rtsim.theory import (
    best_delayed,
    delay_regret_per_action,
    jump_delay_regret,
    optimal_action_groups,
    optimum,
    p_minimax,
)

ROUNDING = {"margin": 1e-8, "how": "rounding in the stationary distribution"}


def claim(full: bool = False) -> Claim:
    steps, runs = (50_000, 32) if full else (5_000, 12)
    groups, copies, p = 40, 3, 0.9
    mdp = mdps.aliased(groups, copies, p)
    solved = optimum(mdp)
    labels = optimal_action_groups(mdp, solved)
    # Groups of equal action and equal value: max over a of Q(s, a) is g + h(s).
    values = np.round(solved.bias, 6)
    finer = np.unique(np.stack([labels, values]), axis=1, return_inverse=True)[1].ravel()
    findings = [
        exact("p_minimax of the groups", p_minimax(mdp, labels), p, "ours"),
        exact("p_minimax of the states", p_minimax(mdp), p / copies, "ours"),
        exact("p_minimax of the groups split by value", p_minimax(mdp, finer), p * (1 - 1 / copies), "ours"),
    ]
    for k in (1, 2, 5):
        # An action off its group loses 1/2.
        lost = 2 * (solved.gain - best_delayed(mdp, k).gain)
        tight = delay_regret_per_action(p_minimax(mdp, labels), k)
        split = delay_regret_per_action(p_minimax(mdp, finer), k)
        what = f"k = {k}: regret per action, in units of what a wrong action loses"
        findings += [
            exact(f"{what}; at least the tighter bound", lost, (1 - 1 / groups) * tight, relation=">=", **ROUNDING),
            exact(f"{what}; at most it", lost, tight, relation="<=", **ROUNDING),
            exact(f"{what}; closed form", lost, jump_delay_regret(groups, p, k), "ours", **ROUNDING),
            exact(f"{what}; groups split by value", lost, (1 - 1 / groups) * split, "beyond", ">=", **ROUNDING),
        ]
    k = 2
    schedule = rtsim.simulate(
        rtsim.Scenario(f"time_triggered(deadline={k}steps)", float(k), workers=k + 1, step_time=1.0, steps=steps),
        engine="compiled",
    )
    made = [
        2 * regret(mdp, agents.Tabular(labels), schedule, seed, expected=False).delay / schedule.acted.sum()
        for seed in range(runs)
    ]
    findings.append(estimated(f"k = {k}, simulated", made, jump_delay_regret(groups, p, k), "ours"))
    return Claim(
        "equation_4_tighter",
        "Riemer et al. 2025, App. B.2 (tighter version of Eq. 4)",
        __doc__ or "",
        tuple(findings),
        "states are grouped by a common optimal action alone, not also by equal value",
    )


if __name__ == "__main__":
    show(claim)
