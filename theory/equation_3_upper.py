"""Equation 3 bounds the regret of inaction from above: no default step costs more than the largest reward.

Claim. Δ_inaction(τ) <= r_max · τ/τ̄_I · (τ̄_I − τ̄_M)/τ̄_M, since the agent cannot incur regret from inaction while
it acts.

Derivation of the counterexample. A default step can spoil the steps after it. ``pit`` pays 1 on top of a ladder; a
default step falls to the bottom and each action climbs one rung. With two rungs and an agent that acts on every other
step, the top is never reached: the regret is 1 per step, where the bound is 1/2 for r_max = 1. There is nothing to
learn (one action), and acting late changes nothing (one action), so no other term can take the difference. With
``depth`` rungs and default steps at random, with probability q, the regret is 1 − (1 − q)^depth, about depth times
the bound for small q. What does bound it is the largest gap: r_max plus the span of the bias.
"""

from __future__ import annotations

import numpy as np

import rtsim
from rtsim import agents, mdps
from rtsim.cli.ledger import show
from rtsim.experiments.claims import Claim, exact
from rtsim.rollout import rollout
from rtsim.theory import delayed_gain, gaps, inaction_regret, optimum, pit_inaction_regret, sequential_interaction_time


def claim(full: bool = False) -> Claim:
    steps = 100_000 if full else 10_000
    mdp = mdps.pit(2)
    schedule = rtsim.simulate(
        rtsim.Scenario("sequential(wait_observation=true)", 2.0, step_time=1.0, steps=steps), engine="compiled"
    )
    run = rollout(mdp, agents.Tabular([0, 0, 0]), schedule)
    regret = 1.0 - float(run.rewards.mean())
    between = sequential_interaction_time(2.0, 0.0, 1.0, wait_observation=True)
    ends = {"margin": 3 / steps, "how": "the way down at the beginning"}
    findings = [
        exact(
            "pit of depth 2, τ_θ = 2 τ_M: regret per step",
            regret,
            inaction_regret(1.0, between, 1.0),
            relation="<=",
            **ends,
        ),
        exact("... found", regret, 1.0, "ours", **ends),
    ]
    for depth, q in ((2, 0.1), (10, 0.1), (50, 0.01)):
        world = mdps.pit(depth)
        solved = optimum(world)
        lost = solved.gain - delayed_gain(world, np.zeros(depth + 1, int), inaction=q)
        largest = float(gaps(world, solved)[1].max())
        findings += [
            exact(f"depth {depth}, default steps with probability {q:g}: regret per step", lost, q, relation="<="),
            exact(
                "... closed form", lost, pit_inaction_regret(depth, q), "ours", margin=1e-8,
                how="rounding in the stationary distribution",
            ),
            exact("... largest gap times q", lost, q * largest, "ours", "<="),
        ]  # fmt: skip
    return Claim(
        "equation_3_upper",
        "Riemer et al. 2025, Theorem 1, Eq. 3 (the upper bound) and App. B.2",
        __doc__ or "",
        tuple(findings),
        counterexample="a ladder of two rungs (three states, one action) from which default steps fall: acting on "
        "every second step, the regret is 1 per step and the bound 1/2",
    )


if __name__ == "__main__":
    show(claim)
