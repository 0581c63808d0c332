"""Remark 1: sequential interaction loses (τ̄_θ − τ̄_M)/(τ̄_M τ̄_θ) per second to inaction, for ever.

Claim. With sequential interaction τ_I is τ_θ (App. B.3: at least τ_θ), so that in the worst case the regret per
second is at least that, however long the agent learns.

Derivation. On the worst case of Equation 3 every default step costs 1. A process that begins its next inference when
the last one has ended acts once in τ̄_θ on average, whatever the law, if no inference is shorter than a step:
equality. Anything else makes it rarer: waiting for a fresh observation, learning in the same process, two inferences
ending in one step, a one-step lag, or Algorithm 1 with one process, which holds every action until the longest
inference has passed. Algorithm 2 with one process is the sequential loop.
"""

from __future__ import annotations

import rtsim
from rtsim import agents, mdps
from rtsim.cli.ledger import show
from rtsim.experiments.claims import Claim, Finding, estimated, exact
from rtsim.regret import regret
from rtsim.theory import inaction_regret, sequential_inaction_rate, sequential_interaction_time

STEP = 0.02


def claim(full: bool = False) -> Claim:
    steps, runs = (100_000, 32) if full else (10_000, 12)
    mdp, policy = mdps.inaction(), agents.Tabular([0, 0])

    def rate(rule: str, law: str, learning: str | None, seed: int = 0) -> float:
        """Inaction regret per second."""
        schedule = rtsim.simulate(
            rtsim.Scenario(rule, law, step_time=STEP, steps=steps, seed=seed, learning_time=learning, batch=1),
            engine="compiled",
        )
        return regret(mdp, policy, schedule, seed, expected=False).per_second(schedule)["inaction"]

    ends = {"margin": 2 / (steps * STEP), "how": "the first and the last action of the run"}
    findings: list[Finding] = []
    for rule, learning, between in (
        ("sequential", None, sequential_interaction_time(0.09, 0.0, STEP)),
        ("sequential(wait_observation=true)", None, sequential_interaction_time(0.09, 0.0, STEP, True)),
        ("sequential", "35ms", sequential_interaction_time(0.09, 0.035, STEP)),
        ("one_step_lag", None, sequential_interaction_time(0.09, 0.0, STEP, True)),
        ("max_time", None, sequential_interaction_time(0.09, 0.0, STEP)),
        ("exp_time", None, sequential_interaction_time(0.09, 0.0, STEP)),
    ):
        found = rate(rule, "90ms", learning)
        what = f"{rule}, 90 ms{' and learning ' + learning if learning else ''}, steps of 20 ms: regret per second"
        findings += [
            exact(what, found, sequential_inaction_rate(0.09, STEP), relation=">=", **ends),
            exact("... closed form", found, inaction_regret(1.0, between, STEP), "ours", **ends),
        ]
    for rule, law in (
        ("sequential", "lognorm(mean=90ms, cv=0.3)"),
        ("exp_time", "lognorm(mean=90ms, cv=0.3)"),
        ("max_time", "lognorm(mean=90ms, cv=0.3)"),
        ("sequential", "exp(mean=90ms)"),
        ("one_step_lag", "exp(mean=90ms)"),
    ):
        values = [rate(rule, law, None, seed) for seed in range(runs)]
        bound = sequential_inaction_rate(0.09, STEP)
        findings.append(estimated(f"{rule}, {law}: regret per second", values, bound, relation=">="))
        if rule == "sequential" and law.startswith("lognorm"):
            findings.append(estimated("... with equality", values, bound, "ours"))
    return Claim("remark_1", "Riemer et al. 2025, Remark 1 and App. B.3", __doc__ or "", tuple(findings))


if __name__ == "__main__":
    show(claim)
