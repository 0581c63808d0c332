"""Algorithm 2 as printed: when the mean falls, processes wait so that spacing is equal again.

Claim. "Wait more closer to the current process" (lines 935 to 937): when the estimated mean has fallen by |δ|, one that
is dist places behind waits (N − 1)·dist·|δ|/N longer.

Derivation. Spacing is to shrink from τ/N to (τ − |δ|)/N, so a process dist places behind should come dist·|δ|/N
sooner than it would. Nobody can wait less than nothing, so all wait, those closer more: (N − dist)·|δ|/N, which is the
same up to one cycle, |δ|. The printed (N − 1)·dist·|δ|/N grows with the distance, against the listing's own comment
and the wrong way: for N = 2 both are the same, for N = 3 it makes the farther process wait four thirds of |δ| where it
should wait one third. In the long run the offsets drift apart anyway (see Appendix B.4); on the way there the printed
line leaves more steps to the default policy.
"""

from __future__ import annotations

import rtsim
from rtsim.cli.ledger import show
from rtsim.experiments.claims import Claim, Finding, estimated, exact

RULES = {"as printed": "exp_time(printed=true)", "corrected": "exp_time"}


def claim(full: bool = False) -> Claim:
    steps, runs = (8_000, 1_024) if full else (8_000, 256)
    law, workers = "lognorm(mean=20s, cv=0.3)", 40
    findings: list[Finding] = []
    for n in (2, 3, 5):
        for name, rule in RULES.items():
            waits = _waits(rule, n)
            role = "ours" if name == "corrected" or n == 2 else "claim"
            findings.append(
                exact(f"N = {n}, the mean falls by 60, {name}: largest difference to equal spacing",
                      max(abs(wait - (n - dist) * 60 / n) for dist, wait in waits.items()), 0.0, role)
            )  # fmt: skip
        if n > 2:
            printed = _waits(RULES["as printed"], n)
            findings.append(
                exact(f"N = {n}, as printed: wait of the closest process, at least that of the farthest",
                      printed[1], printed[n - 1], relation=">=")
            )  # fmt: skip

    def inaction(rule: str, seed: int) -> float:
        scenario = rtsim.Scenario(rule, law, workers=workers, step_time=1.0, steps=steps, seed=seed)
        return rtsim.simulate(scenario, engine="compiled").statistics(2_000).inaction_fraction

    apart = [inaction(RULES["as printed"], s) - inaction(RULES["corrected"], s) for s in range(runs)]
    findings.append(
        estimated(f"{law}, N = {workers}: inaction as printed, no more than corrected", apart, 0.0, relation="<=")
    )
    return Claim(
        "algorithm_2_printed",
        "Riemer et al. 2025, App. A, Algorithm 2 (lines 935 to 937)",
        __doc__ or "",
        tuple(findings),
        counterexample="three processes: when the mean falls by |δ| the farther one waits 4/3 |δ| and the closer one "
        "2/3 |δ|; equal spacing takes 1/3 and 2/3",
    )


def _waits(rule: str, workers: int) -> dict[int, int]:
    """How long each process waits after the mean of the first one's inferences fell from 180 to 120, by distance."""
    program = rtsim.Scenario(rule, 100.0, workers=workers, step_time=1.0, steps=1).program()
    memory = program.params, program.state
    program.on_end(1_000, 0, 1_000 - 180, 0, 0, 0, *memory)
    for other in range(1, workers):
        slept = program.next_start(1_000, other, 0, 0, *memory)
        program.next_start(slept, other, 0, 0, *memory)
    program.on_end(2_000, 0, 2_000 - 60, 0, 0, 0, *memory)
    return {other: program.next_start(2_000, other, 0, 0, *memory) - 2_000 for other in range(1, workers)}


if __name__ == "__main__":
    show(claim)
