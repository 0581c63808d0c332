"""Proposition 3: with layers in parallel the inaction regret is t (δ − 1), whatever the number of layers.

Claim. For δ <= 1 inaction regret is zero; for δ >= 1 it is in Θ(t (δ − 1)), independent of N, where one layer after
the other costs t (Nδ − 1).

Derivation. A pipeline starts an inference every δ and therefore acts every δ steps, whatever N is; without it, every
Nδ. On the worst case of Equation 3 each default step costs 1: δ − 1 of them for each action of the agent. So t counts
the agent's interactions. Per environment step, as t does in the first equations of the same paper, the regret is (δ
− 1)/δ and cannot exceed 1.
"""

from __future__ import annotations

import rtsim
from rtsim import agents, mdps
from rtsim.cli.ledger import show
from rtsim.experiments.claims import Claim, exact
from rtsim.regret import regret
from rtsim.theory import pipeline_inaction_regret


def claim(full: bool = False) -> Claim:
    steps = 200_000 if full else 20_000
    mdp, policy = mdps.inaction(), agents.Tabular([0, 0])
    findings = []
    for delta in (0.5, 1.0, 1.5, 4.0):
        for layers in (2, 8):
            schedule = rtsim.simulate(
                rtsim.Scenario(f"pipeline(layers={layers})", layers * delta, step_time=1.0, steps=steps),
                engine="compiled",
            )
            found = regret(mdp, policy, schedule, expected=False)
            acted = int(schedule.acted.sum())
            what = f"δ = {delta:g} steps, N = {layers}"
            late = layers * delta + delta
            ends = {"margin": 2 * late / acted, "how": "the steps before the first action and after the last"}
            expected = pipeline_inaction_regret(1, delta)
            findings.append(exact(f"{what}: regret per interaction", found.inaction / acted, expected, **ends))
            findings.append(
                exact(f"{what}: regret per environment step", found.inaction / steps,
                      pipeline_inaction_regret(1, delta, per="step"), "ours", **ends)
            )  # fmt: skip
            if delta == 4.0:
                findings.append(
                    exact(
                        f"{what}: regret per environment step, as t (δ − 1)",
                        found.inaction / steps,
                        expected,
                        "beyond",
                        **ends,
                    )
                )
    for layers, delta in ((4, 1.0), (4, 2.0)):
        schedule = rtsim.simulate(
            rtsim.Scenario("sequential(wait_observation=true)", layers * delta, step_time=1.0, steps=steps),
            engine="compiled",
        )
        found = regret(mdp, policy, schedule, expected=False)
        acted = int(schedule.acted.sum())
        findings.append(
            exact(f"δ = {delta:g} steps, N = {layers}, one layer after the other: regret per interaction",
                  found.inaction / acted, pipeline_inaction_regret(1, delta, layers),
                  margin=2 * layers * delta / acted, how="the steps before the first action and after the last")
        )  # fmt: skip
    return Claim(
        "proposition_3",
        "Anokhin et al. 2025, Proposition 3 (App. H, Eq. 5)",
        __doc__ or "",
        tuple(findings),
        "t counts the agent's interactions, not environment steps",
    )


if __name__ == "__main__":
    show(claim)
