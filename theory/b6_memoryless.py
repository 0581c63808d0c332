"""Footnote 5 and Appendix B.6: in deterministic worlds there is no regret from delay.

Claim. When the environment is deterministic, p_minimax = 1 and Δ_delay(τ) = 0; also for the paper's own policies,
which see one old state ("these actions are not available when computation begins").

Derivation of the counterexample. On ``alternate`` the state is the last action, and an action pays if it differs from
it. Acting on a state that is k >= 1 steps old makes each action from the one k + 1 before: k + 1 interleaved chains
that know nothing of each other. Neighbours are independent draws in the long run and differ with probability at most
1/2; no policy, with or without a coin, gains more. Deterministic policies fail on ``forward``, a ring of k + 1 states
with a goal, too: 1/(k + 1). With pending actions known both gain the full 1.
"""

from __future__ import annotations

import numpy as np

import rtsim
from rtsim import agents, mdps
from rtsim.cli.ledger import show
from rtsim.experiments.claims import Claim, estimated, exact
from rtsim.rollout import rollout
from rtsim.theory import (
    alternate_delay_gain,
    best_delayed,
    delayed_gain,
    forward_delay_gain,
    p_minimax,
    pending_optimum,
)


def claim(full: bool = False) -> Claim:
    steps, runs, grid = (50_000, 32, 21) if full else (5_000, 12, 9)
    alternate = mdps.alternate()
    findings = [exact("p_minimax of alternate", p_minimax(alternate), 1.0, "ours")]
    chances = np.linspace(0.0, 1.0, grid)
    for k in (1, 2, 3):
        # With every action certain the chains stay alike for ever; those corners have their closed form.
        gains = [delayed_gain(alternate, np.array([[1 - a, a], [1 - b, b]]), k) for a in chances for b in chances]
        fixed = best_delayed(alternate, k, start="worst").gain
        ring = mdps.forward(k + 1)
        halts = best_delayed(ring, k, start="worst")
        assert halts.exact
        findings += [
            exact(f"alternate, k = {k}: least regret per step of {len(gains)} policies", 1.0 - max(gains), 0.0),
            exact("... closed form", max(gains), alternate_delay_gain(k), "ours", "<="),
            exact("... of deterministic ones", fixed, alternate_delay_gain(k, deterministic=True), "ours"),
            exact("... with pending actions known: gain", pending_optimum(alternate, k).gain, 1.0, "ours"),
            exact(f"forward, {k + 1} states, k = {k}: regret of the best deterministic policy", 1.0 - halts.gain, 0.0),
            exact("... closed form", halts.gain, forward_delay_gain(k), "ours"),
            exact("... with pending actions known: gain", pending_optimum(ring, k).gain, 1.0, "ours"),
        ]
    late = rtsim.simulate(
        rtsim.Scenario("time_triggered(deadline=2steps)", 2.0, workers=3, step_time=1.0, steps=steps), engine="compiled"
    )
    coin = agents.Tabular(np.full((2, 2), 0.5))
    found = [1.0 - rollout(alternate, coin, late, seed).rewards[10:].mean() for seed in range(runs)]
    findings += [
        estimated("alternate, two steps late, simulated: regret per step of a coin", found, 0.0),
        estimated("... closed form", found, 1.0 - alternate_delay_gain(2), "ours"),
    ]
    return Claim(
        "b6_memoryless",
        "Riemer et al. 2025, footnote 5 and App. B.6",
        __doc__ or "",
        tuple(findings),
        counterexample="two states that pay for every action unlike the one before: acting one step late or more "
        "without knowing the actions under way, no policy gains more than half",
    )


if __name__ == "__main__":
    show(claim)
