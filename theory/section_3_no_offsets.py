"""Section 3: with constant inference times and no offsets, more processes are no use.

Claim. If all processes took a deterministic time with no offset between them, all additional actions would be
overwritten, whereas with staggering the speedup is linear.

Derivation. Without offsets all N begin and end together, so that of N actions released at once N − 1 are replaced
before a step reads them, and inaction is that of one process, 1 − τ_M/τ_θ. Algorithm 1 spaces them by τ_θ/N: 1 − N
τ_M/τ_θ.
"""

from __future__ import annotations

import rtsim
from rtsim.cli.ledger import show
from rtsim.experiments.claims import Claim, exact
from rtsim.theory import held_inaction, unsynchronised_inaction


def claim(full: bool = False) -> Claim:
    steps = 100_000 if full else 10_000
    law = rtsim.law("20s")
    findings = []
    for workers in (1, 4, 16):
        ends = {"margin": 2 * (workers + 1) / steps, "how": "each worker's action at the ends of the run"}
        apart = {
            rule: rtsim.simulate(
                rtsim.Scenario(rule, law, workers=workers, step_time=1.0, steps=steps), engine="compiled"
            ).statistics(100)
            for rule in ("unstaggered", "max_time")
        }
        found = apart["unstaggered"]
        one = unsynchronised_inaction(law, 1.0, 1)
        findings += [
            exact(f"20 steps, no offsets, N = {workers}: inaction", found.inaction_fraction, one, **ends),
            exact("... share of actions overwritten", found.overwritten_fraction, 1 - 1 / workers, **ends),
            exact(
                f"20 steps, Algorithm 1, N = {workers}: inaction", apart["max_time"].inaction_fraction,
                held_inaction(20.0, 1.0, workers), **ends,
            ),
        ]  # fmt: skip
    return Claim("section_3_no_offsets", "Riemer et al. 2025, Section 3", __doc__ or "", tuple(findings))


if __name__ == "__main__":
    show(claim)
