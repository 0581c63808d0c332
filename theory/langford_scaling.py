"""Round-robin learning scales linearly: ⌈τ̄_L/(B τ̄_M)⌉ learners learn from every transition.

Claim. N_L* grows linearly with τ̄_L, limited only by the time to apply an update relative to that of computing a
gradient.

Derivation. Each of N learners takes in B transitions per update, so that N B/τ_L arrive per second and one per τ_M is
needed. Two things are not in the formula. Updates that take τ_apply to apply, one at a time, cannot come more often
than every τ_apply: N learners make min(N/(τ_L + τ_apply), 1/τ_apply) updates, and if τ_apply > B τ_M no number of
them is enough. And updates that land in the order in which they began wait for the slowest: with variable times each
learner loses the difference to those before it. If updates land as they finish, the formula holds for variable times
too, as far as the mean goes.
"""

from __future__ import annotations

import heapq

import rtsim
from rtsim.cli.ledger import show
from rtsim.experiments.claims import Claim, Role, estimated, exact
from rtsim.experiments.required import required_learners
from rtsim.theory import required_learners as formula

LANDING: tuple[tuple[str, Role], ...] = (("lock_free", "claim"), ("round_robin", "beyond"))
APPLYING: tuple[tuple[int, float, Role], ...] = ((1, 0.5, "claim"), (4, 3.0, "claim"), (1, 2.0, "beyond"))


def claim(full: bool = False) -> Claim:
    steps, runs = (60_000, 24) if full else (12_000, 12)

    def scenario(learning: float | str, batch: int, learners: int, rule: str, seed: int = 0) -> rtsim.Scenario:
        return rtsim.Scenario(
            "unstaggered", 1.0, step_time=1.0, steps=steps, seed=seed,
            learning_time=learning, batch=batch, learners=learners, learner_rule=rule,
        )  # fmt: skip

    findings = []
    for batch in (1, 4):
        for learning in (6.0, 20.0, 60.0):
            # The window is a whole number of learning times, so that nothing is cut off at its ends.
            found = required_learners(scenario(learning, batch, 1, "round_robin"), steps - 6_000)
            findings.append(
                exact(f"B = {batch}, τ_L = {learning:g} steps, in turn: fewest learners", found.learners or 0,
                      formula(learning, batch, 1.0))
            )  # fmt: skip
    law = "lognorm(mean=20s, cv=0.5)"
    needed = formula(20.0, 1, 1.0)
    for rule, role in LANDING:
        values = [
            rtsim.simulate(scenario(law, 1, needed, rule, seed), engine="compiled")
            .statistics(steps // 4)
            .transitions_per_step
            for seed in range(runs)
        ]
        findings.append(estimated(f"B = 1, {law}, {rule}, N = {needed}: transitions per step", values, 1.0, role, ">="))
    for batch, apply, role in APPLYING:
        for learners in (formula(20.0 + apply, batch, 1.0), 200):
            found_rate = batch * _updates(20.0, apply, learners, 10_000.0)
            slow = min(learners / (20.0 + apply), 1.0 / apply) * batch
            ends = {
                "margin": batch * (learners + 1) / 10_000,
                "how": "one update of each learner at the end of the run",
            }
            what = f"B = {batch}, τ_L = 20 steps, τ_apply = {apply:g} steps, N = {learners}: transitions per step"
            findings += [
                exact(what, found_rate, 1.0, role, ">=", **ends),
                exact("... closed form", found_rate, slow, "ours", **ends),
            ]
    return Claim(
        "langford_scaling",
        "Riemer et al. 2025, Section 3.1 and Question 4, after Langford et al. 2009",
        __doc__ or "",
        tuple(findings),
        "applying an update takes no longer than B steps, and learning times are constant or updates land as they "
        "finish",
    )


def _updates(gradient: float, apply: float, learners: int, horizon: float) -> float:
    """Updates per unit of time, if only one can be applied at a time."""
    ready = [(gradient + apply * k, k) for k in range(learners)]
    heapq.heapify(ready)
    free, count = 0.0, 0
    while True:
        at, learner = heapq.heappop(ready)
        free = max(at, free) + apply
        if free > 2 * horizon:
            return count / horizon
        count += free > horizon  # the first half is warm-up
        heapq.heappush(ready, (free + gradient, learner))


if __name__ == "__main__":
    show(claim)
