"""Equation 1's terms are independent: what delay costs alone and what inaction costs alone add up.

Claim. The decomposition is into three *independent* terms, each with its own cause.

Derivation of the counterexample. ``alternate`` has two states, the last action, and pays 1 for every action unlike
the one before. With actions one step late on every step, no memoryless policy gains more than 1/2. If the default
policy, which always takes action 0, has every other step, the agent always takes action 1 and every step pays:
inaction costs nothing, and with it the delay costs nothing either. Together they cost 0, one by one 1/2 + 0. On
random MDPs, too, the sum is too high wherever there is anything to add: where the default policy acts no action can
be late.
"""

from __future__ import annotations

import numpy as np

import rtsim
from rtsim import agents, mdps
from rtsim.cli.ledger import show
from rtsim.experiments.claims import Claim, exact
from rtsim.rollout import rollout
from rtsim.theory import alternate_delay_gain, best_delayed, optimum


def claim(full: bool = False) -> Claim:
    steps = 100_000 if full else 10_000
    mdp = mdps.alternate()
    best = optimum(mdp).gain
    delay = best - best_delayed(mdp, 1).gain
    inaction = best - best_delayed(mdp, 0, every=2).gain
    # Inference takes one step, learning in the same process another: every other step, one step late.
    both = rtsim.simulate(
        rtsim.Scenario("sequential", 1.0, step_time=1.0, steps=steps, learning_time=1.0, batch=1), engine="compiled"
    )
    late = np.unique(both.delay_steps)
    run = rollout(mdp, agents.Tabular(best_delayed(mdp, 1, every=2).policy), both)
    ends = {"margin": 4 / steps, "how": "the steps before the first action, and the end"}
    only = rtsim.simulate(
        rtsim.Scenario("time_triggered(deadline=1steps)", 1.0, workers=2, step_time=1.0, steps=steps), engine="compiled"
    )
    alone = rollout(mdp, agents.Tabular(best_delayed(mdp, 1).policy), only)
    findings = [
        exact("alternate, every second step, one step late: delay, steps", late.max(), 1, "ours"),
        exact(
            "... regret per step, against the sum of both alone", best - run.rewards.mean(), delay + inaction, **ends
        ),
        exact("... regret per step", best - run.rewards.mean(), 0.0, "ours", **ends),
        exact("alternate, every step, one step late: regret per step", delay, best - alternate_delay_gain(1), "ours"),
        exact("... simulated", best - alone.rewards.mean(), delay, "ours", "=", 4 / steps, ends["how"]),
        exact("alternate, every second step, in time: regret per step", inaction, 0.0, "ours"),
    ]
    shares = []
    for seed in range(20 if full else 8):
        world = mdps.garnet(3, 2, 2, seed=seed)
        top = optimum(world).gain
        parts = [top - best_delayed(world, *setting[:1], every=setting[1]).gain for setting in ((2, 1), (0, 2), (2, 2))]
        shares.append(parts[2] / (parts[0] + parts[1]))
    findings += [
        exact("random MDPs of 3 states, 2 steps late, every second step: least share of the sum", min(shares), 1.0),
        exact("... largest share", max(shares), 1.0, "ours", "<="),
    ]
    return Claim(
        "equation_1_independent",
        "Riemer et al. 2025, Theorem 1 and App. B.2 (proof of Eq. 1)",
        __doc__ or "",
        tuple(findings),
        counterexample="on two states that pay for alternation, a delay of one step alone costs 1/2 per step, acting "
        "on every second step alone nothing, and both together nothing",
    )


if __name__ == "__main__":
    show(claim)
