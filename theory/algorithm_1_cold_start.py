"""Algorithm 1 from a cold start keeps its processes equally spaced and needs ⌈τ_θ^max/τ_M⌉ of them.

Claim. The listing starts with an estimate of 0 and adjusts waiting times whenever the maximum rises, so that the
spacing is equal whenever the maximum does not change (App. B.4), and ⌈τ_θ^max/τ̄_M⌉ processes are enough.

Derivation of the counterexample. When the maximum rises by δ, worker j is to be shifted by dist·δ/N; but a worker
adds its delays up and sleeps them *before its next inference*, and those who are in flight at the time hold their
actions to different maxima. The shifts do not add up to equal offsets, and since later cycles are all equally long
the offsets freeze as they are. With times of mean 20 steps and a coefficient of variation of only 0.02, N = 23 and 24
workers leave 0.1 to 0.3 of the steps to the default policy, for ever; an absolute grid of release times
(``phase_locked``) or a warm start leaves none.
"""

from __future__ import annotations

import rtsim
from rtsim.cli.ledger import show
from rtsim.experiments.claims import Claim, estimated, exact
from rtsim.theory import held_inaction


def claim(full: bool = False) -> Claim:
    steps, runs = (40_000, 48) if full else (8_000, 16)
    law = "lognorm(mean=20s, cv=0.02)"

    def run(rule: str, workers: int, seed: int) -> tuple[float, float]:
        """Inaction after the start, and the longest inference there was."""
        schedule = rtsim.simulate(
            rtsim.Scenario(rule, law, workers=workers, step_time=1.0, steps=steps, seed=seed), engine="compiled"
        )
        return schedule.statistics(2_000).inaction_fraction, schedule.totals["longest_inference_ns"] / 1e9

    findings = []
    for workers in (23, 24):
        found = [run("max_time", workers, seed) for seed in range(runs)]
        longest = max(longest for _, longest in found)
        what = f"{law}, N = {workers}, longest inference below {workers} steps: inaction"
        findings += [
            exact("longest inference, steps", longest, workers, "ours", "<="),
            estimated(what, [inaction for inaction, _ in found], held_inaction(longest, 1.0, workers)),
            estimated("... more than a tenth", [inaction for inaction, _ in found], 0.1, "ours", ">="),
        ]
    warm = max(run("max_time(initial_max=23s)", 23, seed)[0] for seed in range(8))
    findings.append(exact("warm start at 23 steps, N = 23: most inaction", warm, 0.0, "ours"))
    grid = max(run("phase_locked", 23, seed)[0] for seed in range(8))
    findings.append(
        exact("phase_locked, cold, N = 23: most inaction", grid, 0.0, "ours", "<=", margin=0.01,
              how="a rise of the maximum costs up to two steps, and there are some 20 of them early on")
    )  # fmt: skip
    return Claim(
        "algorithm_1_cold_start",
        "Riemer et al. 2025, Algorithm 1 and App. B.4",
        __doc__ or "",
        tuple(findings),
        counterexample="lognormal times of mean 20 steps with c.v. 0.02, N = 23 and 24: more than a tenth of the steps "
        "is left to the default policy for ever, although N exceeds the longest inference in steps",
    )


if __name__ == "__main__":
    show(claim)
