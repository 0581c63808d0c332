"""Remark 2 for Algorithm 1: with enough processes inaction regret per second tends to zero.

Claim. For any τ̄_θ there is an N_I* (App. B.4: ⌈τ_θ^max/τ̄_M⌉) such that for all N_I >= N_I* the inaction regret per
second vanishes.

Derivation. If all N workers hold their actions until the same τ^max and begin equally far apart, one action is
released every τ^max/N, which is no more than a step. That takes two things: a maximum, which a law with an unbounded
tail does not have (the running maximum passes N τ_M in the end, whatever N is, and every inference after that is held
so long; so inaction grows for ever), and equal offsets. Workers that are in flight when the maximum rises are not
shifted as the others are, so that a cold start leaves gaps which never close; a warm start at the maximum is exact.
"""

from __future__ import annotations

import rtsim
from rtsim.cli.ledger import show
from rtsim.experiments.claims import Claim, estimated, exact
from rtsim.theory import held_inaction, required_workers_max_time


def claim(full: bool = False) -> Claim:
    steps, runs = (200_000, 16) if full else (8_000, 8)

    def inaction(rule: str, law: str | float, workers: int, seed: int = 0, length: int = steps) -> float:
        scenario = rtsim.Scenario(rule, law, workers=workers, step_time=1.0, steps=length, seed=seed)
        return rtsim.simulate(scenario, engine="compiled").statistics(length // 2).inaction_fraction

    needed = required_workers_max_time(22.0, 1.0)
    law = "uniform(18s, 22s)"
    findings = [
        exact("τ_θ = 20.5 τ_M, N = N*: inaction", inaction("max_time", 20.5, required_workers_max_time(20.5, 1.0)), 0.0)
    ]
    for workers in (needed, needed + 3, 2 * needed):
        most = max(inaction("max_time(initial_max=22s)", law, workers, seed) for seed in range(runs))
        findings.append(exact(f"{law}, warm start, N = {workers}: most inaction of {runs} runs", most, 0.0))
    few = [inaction("max_time(initial_max=22s)", law, 11, seed) for seed in range(runs)]
    findings.append(
        exact("... N = 11: inaction", max(few), held_inaction(22.0, 1.0, 11), "ours", margin=13 / (steps // 2),
              how="each worker's action at the ends of the run")
    )  # fmt: skip
    for workers in (needed, needed + 3, 2 * needed):
        cold = [inaction("max_time", law, workers, seed) for seed in range(max(runs, 12))]
        findings.append(estimated(f"{law}, cold start, N = {workers}: inaction", cold, 0.0, "beyond"))
    tail = "pareto(mean=5s, alpha=2.5)"
    for workers in (12, 36):
        rule = f"max_time(initial_max={workers}s)"
        heavy = [inaction(rule, tail, workers, seed) for seed in range(max(runs, 12))]
        findings.append(estimated(f"{tail}, warm start at N steps, N = {workers}: inaction", heavy, 0.0, "beyond"))
    return Claim(
        "remark_2_algorithm_1",
        "Riemer et al. 2025, Remark 2 (Algorithm 1)",
        __doc__ or "",
        tuple(findings),
        "inference times are bounded and the offsets begin equal (constant times, or a warm start at the bound)",
    )


if __name__ == "__main__":
    show(claim)
