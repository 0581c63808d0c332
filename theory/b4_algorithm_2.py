"""Appendix B.4, Algorithm 2: the mean interaction time is τ̄_θ/N, or τ_M if that is longer.

Claim. As the estimate of τ̄_θ converges, waiting times vanish, spacing remains equal, and ⌈τ̄_θ/τ̄_M⌉ processes act
on every step.

Derivation of the counterexample. Without waiting nothing keeps N processes with variable times apart: the difference
of two of them is a random walk, and their offsets become independent. What N independent renewal processes miss of
the steps is q = (1 − (1/τ̄_θ) ∫₀^τ_M (1 − F))^N, so that the mean interaction time is τ_M/(1 − q): above max(τ_M,
τ̄_θ/N) for every N > 1.
"""

from __future__ import annotations

import rtsim
from rtsim.cli.ledger import show
from rtsim.experiments.claims import Claim, estimated, exact
from rtsim.theory import interaction_time_exp_time, required_workers_exp_time, unsynchronised_inaction


def claim(full: bool = False) -> Claim:
    steps, runs = (60_000, 32) if full else (12_000, 12)
    law = rtsim.law("lognorm(mean=20s, cv=0.3)")

    def between(times: str | float, workers: int, seed: int = 0) -> float:
        scenario = rtsim.Scenario("exp_time", times, workers=workers, step_time=1.0, steps=steps, seed=seed)
        found = rtsim.simulate(scenario, engine="compiled").statistics(steps // 3).interaction_steps
        assert found is not None
        return found

    needed = required_workers_exp_time(law.mean, 1.0)
    findings = [exact(f"constant 20 steps, N = {needed}: mean interval, steps", between(20.0, needed), 1.0, "ours")]
    for workers in (needed // 2, needed, 2 * needed):
        means = [between(str(law), workers, seed) for seed in range(runs)]
        drifted = 1.0 / (1.0 - unsynchronised_inaction(law, 1.0, workers))
        findings += [
            estimated(
                f"{law}, N = {workers}: mean interval, steps", means, interaction_time_exp_time(20.0, workers, 1.0)
            ),
            estimated("... of independent offsets", means, drifted, "ours"),
        ]
    at_needed = 1.0 / (1.0 - unsynchronised_inaction(law, 1.0, needed))
    return Claim(
        "b4_algorithm_2",
        "Riemer et al. 2025, App. B.4 (interaction time of Algorithm 2)",
        __doc__ or "",
        tuple(findings),
        counterexample=f"lognormal times of mean 20 steps with c.v. 0.3, N = {needed}: the mean interval is "
        f"{at_needed:.2f} steps and not 1, because the offsets drift apart",
    )


if __name__ == "__main__":
    show(claim)
