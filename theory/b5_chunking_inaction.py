"""Appendix B.5, first question: action chunking ends inaction for some policies, but not in general.

Claim. With k actions per inference inaction ends where τ_θ/k is no more than τ_M; since τ_θ grows with k, no k may be
enough when inferences are long.

Derivation. One process that makes k actions in τ(k) = τ_θ (1 + growth·(k − 1)) serves k steps per max(k τ_M, τ(k)):
inaction is max(0, 1 − k τ_M/τ(k)). It is 0 from k = τ_θ (1 − growth)/(τ_M − growth·τ_θ) on, and never if each further
action takes a step or longer, growth·τ_θ >= τ_M; then it falls with k to 1 − τ_M/(growth·τ_θ) and no further.
"""

from __future__ import annotations

import rtsim
from rtsim.cli.ledger import show
from rtsim.experiments.claims import Claim, exact
from rtsim.theory import chunking_inaction, required_chunk


def claim(full: bool = False) -> Claim:
    steps = 400_000 if full else 40_000

    def inaction(k: int, growth: float) -> float:
        scenario = rtsim.Scenario(f"chunking(size={k}, growth={growth})", 20.0, step_time=1.0, steps=steps)
        return rtsim.simulate(scenario, engine="compiled").statistics(steps // 5).inaction_fraction

    findings = []
    for growth in (0.0, 0.02, 0.04):
        enough = required_chunk(20.0, 1.0, growth)
        assert enough is not None
        for k in (1, enough // 2, enough):
            expected = chunking_inaction(20.0, 1.0, k, growth)
            findings.append(
                exact(
                    f"τ_θ = 20 steps, growth {growth:g}, k = {k}: inaction", inaction(k, growth), expected,
                    margin=None if k == enough else 2 * k / (0.8 * steps),
                    how="the chunks at the ends of the run, if they leave a gap",
                )
            )  # fmt: skip
    growth = 0.06
    none = required_chunk(20.0, 1.0, growth)
    findings.append(exact("growth 0.06: a k that is enough (1: there is one)", float(none is not None), 0.0))
    for k in (10, 100, 400):
        ends = {"margin": 2 * k / (0.8 * steps), "how": "the chunks at the ends of the run"}
        found = inaction(k, growth)
        findings += [
            exact(
                f"growth 0.06, k = {k}: inaction, never below its limit",
                found,
                1 - 1 / (growth * 20),
                relation=">=",
                **ends,
            ),
            exact("... closed form", found, chunking_inaction(20.0, 1.0, k, growth), "ours", **ends),
        ]
    return Claim(
        "b5_chunking_inaction", "Riemer et al. 2025, App. B.5 (first question)", __doc__ or "", tuple(findings)
    )


if __name__ == "__main__":
    show(claim)
