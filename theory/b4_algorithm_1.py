"""Appendix B.4, Algorithm 1: the mean interaction time is τ_θ^max/N, or τ_M if that is longer.

Claim. With N equally spaced processes each interval is at most ⌈τ_θ^max/(N τ_M)⌉ steps, their mean is τ_θ^max/N where
that exceeds τ_M, and τ_M elsewhere.

Derivation. Every action is released τ_θ^max after its inference began, so N workers at equal offsets release one
every τ_θ^max/N. A step uses what was released since the one before, hence intervals of the two neighbouring whole
numbers of steps, whose mean is that of the releases. The condition is equal offsets, which a cold start does not
reach for variable times.
"""

from __future__ import annotations

import numpy as np

import rtsim
from rtsim.cli.ledger import show
from rtsim.experiments.claims import Claim, estimated, exact
from rtsim.theory import interaction_time_max_time

LAW = "uniform(18s, 22s)"


def claim(full: bool = False) -> Claim:
    steps, runs = (100_000, 64) if full else (10_000, 20)
    warm = steps // 4

    def intervals(rule: str, law: str | float, workers: int, seed: int = 0) -> np.ndarray:
        """Steps between actions, after the warm-up."""
        scenario = rtsim.Scenario(rule, law, workers=workers, step_time=1.0, steps=steps, seed=seed)
        return np.diff(np.flatnonzero(rtsim.simulate(scenario, engine="compiled").acted[warm:]))

    findings = []
    for rule, law, longest in (("max_time", 22.5, 22.5), ("max_time(initial_max=22s)", LAW, 22.0)):
        for workers in (5, 9, 16, 40):
            found = intervals(rule, law, workers)
            what = f"{rule}, {law}, N = {workers}"
            mean = interaction_time_max_time(longest, workers, 1.0)
            most = interaction_time_max_time(longest, workers, 1.0, rounded=True)
            findings += [
                exact(
                    f"{what}: mean interval, steps", float(found.mean()), mean,
                    margin=2 * mean**2 * (workers + 1) / (steps - warm),
                    how="each worker's action at the ends of the run",
                ),
                exact(f"{what}: longest interval, steps", found.max(), most, relation="<="),
            ]  # fmt: skip
    for workers in (22, 40):
        means = [intervals("max_time", LAW, workers, seed).mean() for seed in range(runs)]
        findings.append(
            estimated(
                f"{LAW}, cold start, N = {workers}: mean interval, steps", means,
                interaction_time_max_time(22.0, workers, 1.0), "beyond",
            )
        )  # fmt: skip
    return Claim(
        "b4_algorithm_1",
        "Riemer et al. 2025, App. B.4 (interaction time of Algorithm 1)",
        __doc__ or "",
        tuple(findings),
        "the offsets are equal (constant times, or a warm start at the bound of the law)",
    )


if __name__ == "__main__":
    show(claim)
