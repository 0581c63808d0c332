"""Remark 2 for Algorithm 2: with enough processes inaction regret per second tends to zero.

Claim. There is an N_I* (App. B.4: ⌈τ̄_θ/τ̄_M⌉) such that for all N_I >= N_I* the inaction regret per second vanishes.

Derivation. As the running mean converges, waiting times vanish, and with them whatever holds the workers apart: each
becomes a renewal process of its own. After many more than 1/c.v.² inferences their offsets are independent, so that a
step is missed by all N with probability (1 − (1/τ̄_θ) ∫₀^τ_M (1 − F))^N, which is positive for *every* N: there is no
N_I*. Only constant times keep their offsets. A queue mends it: N > τ̄_θ/τ_M workers release more than one action per
step on average, and a queue that is mostly full is not empty; the price is delay.
"""

from __future__ import annotations

import rtsim
from rtsim.cli.ledger import show
from rtsim.experiments.claims import Claim, estimated, exact
from rtsim.theory import required_workers_exp_time, unsynchronised_inaction


def claim(full: bool = False) -> Claim:
    steps, runs = (60_000, 32) if full else (12_000, 12)
    warm = steps // 3

    def inaction(law: str | float, workers: int, seed: int = 0, mailbox: str = "latest") -> float:
        scenario = rtsim.Scenario(
            "exp_time", law, workers=workers, step_time=1.0, steps=steps, seed=seed, mailbox=mailbox
        )
        return rtsim.simulate(scenario, engine="compiled").statistics(warm).inaction_fraction

    needed = required_workers_exp_time(20.0, 1.0)
    findings = [exact(f"τ_θ = 20 τ_M, N = {n}: inaction", inaction(20.0, n), 0.0) for n in (needed, needed + 3)]
    law = rtsim.law("lognorm(mean=20s, cv=0.3)")
    for n in (22, 26):
        queued = [inaction(str(law), n, seed, "fifo(40)") for seed in range(runs)]
        findings.append(
            exact(f"{law}, N = {n}, a queue of 40: most inaction of {runs} runs", max(queued), 0.0,
                  how="in the diffusion limit a queue of 40 that gains N/20 − 1 a step, with variance N·0.3²/20, is "
                  "empty with probability below e^−80")
        )  # fmt: skip
    for n in (needed, 2 * needed):
        free = [inaction(str(law), n, seed) for seed in range(runs)]
        findings += [
            estimated(f"{law}, N = {n}: inaction", free, 0.0, "beyond"),
            estimated("... of independent offsets", free, unsynchronised_inaction(law, 1.0, n), "ours"),
        ]
    return Claim(
        "remark_2_algorithm_2",
        "Riemer et al. 2025, Remark 2 (Algorithm 2)",
        __doc__ or "",
        tuple(findings),
        "inference times are constant, or released actions wait in a queue and N_I > τ̄_θ/τ̄_M",
    )


if __name__ == "__main__":
    show(claim)
