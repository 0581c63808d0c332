"""Equation 3: on the worst case inaction costs τ/τ̄_I · (τ̄_I − τ̄_M)/τ̄_M.

Claim. Δ_inaction(τ) ∈ Θ(τ/τ̄_I · (τ̄_I − τ̄_M)/τ̄_M) in the worst case; this line is about the lower bound, the upper
one has its own.

Derivation. On the two-state example of App. B.2 every default step costs exactly 1, so the regret per step is 1
− τ̄_M/τ̄_I. What is checked is the interaction time, which is *predicted* here and not measured: the sequential
loop's is the mean inference time (a renewal process that never ends twice within a step), or a whole number of steps
if it waits for observations; Algorithm 1's with constant times is τ_θ/N; for N workers with independent offsets each
step is missed with probability (1 − τ_M/τ̄_θ)^N, and ``time_triggered`` with exponential times is a loss system that
is solved exactly.
"""

from __future__ import annotations

import rtsim
from rtsim import agents, mdps
from rtsim.cli.ledger import show
from rtsim.experiments.claims import Claim, estimated, exact
from rtsim.regret import step_gaps
from rtsim.rollout import rollout
from rtsim.theory import (
    inaction_regret,
    interaction_time_max_time,
    sequential_interaction_time,
    time_triggered_inaction,
    unsynchronised_inaction,
)

GAMMA = "gamma(mean=5s, cv=0.2)"


def claim(full: bool = False) -> Claim:
    steps, runs = (100_000, 32) if full else (10_000, 12)
    warm = steps // 5
    mdp, policy = mdps.inaction(), agents.Tabular([0, 1])

    def lost(rule: str, law: float | str, workers: int, seed: int = 0) -> float:
        """Regret per step after the warm-up."""
        schedule = rtsim.simulate(
            rtsim.Scenario(rule, law, workers=workers, step_time=1.0, steps=steps, seed=seed), engine="compiled"
        )
        return float(step_gaps(mdp, rollout(mdp, policy, schedule, seed))[warm:].mean())

    constant = [
        ("sequential", 2.5, 1, sequential_interaction_time(2.5, 0.0, 1.0)),
        ("sequential(wait_observation=true)", 2.5, 1, sequential_interaction_time(2.5, 0.0, 1.0, True)),
        ("max_time", 7.5, 3, interaction_time_max_time(7.5, 3, 1.0)),
        ("max_time", 7.5, 9, interaction_time_max_time(7.5, 9, 1.0)),
        ("exp_time", 7.5, 3, interaction_time_max_time(7.5, 3, 1.0)),
    ]
    findings = [
        exact(
            f"{rule}, τ_θ = {time} τ_M, N = {workers}: regret per step", lost(rule, time, workers),
            inaction_regret(1.0, between, 1.0), margin=(workers + 1) / (steps - warm),
            how="each worker's action at either end of the run",
        )
        for rule, time, workers, between in constant
    ]  # fmt: skip
    law, short = rtsim.law(GAMMA), rtsim.law("exp(mean=5s)")
    assert law.cdf(1.0) < 1e-6  # none ends twice within a step
    missed = [unsynchronised_inaction(law, 1.0, workers) for workers in (3, 6)]
    blocked = time_triggered_inaction(short, 1.0, 6, 8)
    assert blocked.exact
    random = [
        ("sequential", law, 1, sequential_interaction_time(law.mean, 0.0, 1.0)),
        ("unstaggered", law, 3, 1.0 / (1.0 - missed[0])),
        ("unstaggered", law, 6, 1.0 / (1.0 - missed[1])),
        ("exp_time", law, 6, 1.0 / (1.0 - missed[1])),
        ("max_time(initial_max=30s)", law, 6, interaction_time_max_time(30.0, 6, 1.0)),
        ("time_triggered(deadline=8steps)", short, 6, 1.0 / (1.0 - blocked.upper)),
    ]
    for rule, times, workers, between in random:
        values = [lost(rule, str(times), workers, seed) for seed in range(runs)]
        what = f"{rule}, {times}, τ_M = 1 s, N = {workers}: regret per step"
        findings.append(estimated(what, values, inaction_regret(1.0, between, 1.0)))
    return Claim("equation_3", "Riemer et al. 2025, Theorem 1, Eq. 3 and App. B.2", __doc__ or "", tuple(findings))


if __name__ == "__main__":
    show(claim)
