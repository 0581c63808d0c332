"""Section 3.2: the mean interaction time is the *minimum* of τ/N and τ̄_M (Algorithm 1: at most that).

Claim. τ̄_I <= min(τ_θ^max/N_I, τ̄_M) for Algorithm 1, and τ̄_I = min(τ̄_θ/N_I, τ̄_M) for Algorithm 2; App. B.4
repeats both.

Derivation of the counterexample. Actions are used once per step, so that τ̄_I >= τ̄_M always; and N processes make no
more than N actions per τ̄_θ. Hence the *maximum* is meant, as the sentences before it in App. B.4 say. With constant
times of 25 steps, 10 processes act every 2.5 steps, where the minimum is 1, and 40 processes every step, where it is
0.625.
"""

from __future__ import annotations

import rtsim
from rtsim.cli.ledger import show
from rtsim.experiments.claims import Claim, Relation, exact
from rtsim.theory import interaction_time_max_time

RULES: tuple[tuple[str, Relation], ...] = (("max_time", "<="), ("exp_time", "="))


def claim(full: bool = False) -> Claim:
    steps = 100_000 if full else 10_000
    findings = []
    for rule, relation in RULES:
        for workers in (10, 40):
            scenario = rtsim.Scenario(rule, 25.0, workers=workers, step_time=1.0, steps=steps)
            found = rtsim.simulate(scenario, engine="compiled").statistics(100).interaction_steps
            assert found is not None
            ends = {"margin": 50 / steps, "how": "the ends of the run: fewer than 50 steps, two cycles"}
            what = f"{rule}, 25 steps, N = {workers}: mean interval, steps"
            findings += [
                exact(f"{what}, against the minimum", found, min(25.0 / workers, 1.0), relation=relation, **ends),
                exact(f"{what}, the maximum", found, interaction_time_max_time(25.0, workers, 1.0), "ours", **ends),
            ]
    return Claim(
        "section_3_2_minimum",
        "Riemer et al. 2025, Section 3.2 and App. B.4",
        __doc__ or "",
        tuple(findings),
        counterexample="constant times of 25 steps, N = 10: the mean interval is 2.5 steps, the minimum 1; the "
        "maximum is meant",
    )


if __name__ == "__main__":
    show(claim)
