"""Proposition 1: skip connections bring the delay regret from 1 − p^⌈Nδ⌉ down to 1 − p^⌈δ⌉.

Claim. In a worst case, t steps cost at least t (1 − p_minimax^⌈Nδ⌉) without temporal skip connections, and t (1
− p_minimax^⌈δ⌉) with them, for N layers of δ steps each that work in parallel.

Derivation. An action rests on input that was read Nδ before, or δ before by way of a skip connection, and is applied
at the next step. On ``jump``, the worst case of Equation 4, the least regret of an action k steps late is (1 − 1/n)(1
− λ^k). Inputs are read when a layer is free, every δ, and if that is in the middle of a step the newest observation
is already old: some actions are one step later than ⌈Nδ⌉ or ⌈δ⌉, which a whole number of steps per layer, or of
layers per step, excludes. t counts actions (for δ > 1 there is one in δ steps).
"""

from __future__ import annotations

import rtsim
from rtsim import agents, mdps
from rtsim.cli.ledger import show
from rtsim.experiments.claims import Claim, estimated, exact
from rtsim.regret import regret
from rtsim.theory import jump_delay_regret, pipeline_delay, pipeline_delay_regret


def claim(full: bool = False) -> Claim:
    steps, runs = (60_000, 48) if full else (8_000, 16)
    n, p, layers = 40, 0.9, 4
    mdp = mdps.jump(n, p)
    findings = []
    for delta in (0.5, 1.0, 2.0, 1.3):
        for skip in (False, True):
            schedule = rtsim.simulate(
                rtsim.Scenario(
                    f"pipeline(layers={layers}, skip={str(skip).lower()})", layers * delta, step_time=1.0, steps=steps
                ),
                engine="compiled",
            )
            late = pipeline_delay(layers, delta, skip)
            what = f"δ = {delta:g} steps, {'skip connections' if skip else 'none'}"
            if delta == 1.3:
                findings.append(exact(f"{what}: largest delay, steps", schedule.delay_steps.max(), late, "beyond"))
                continue
            lost = [
                regret(mdp, agents.Tabular(range(n)), schedule, seed, expected=False).delay / schedule.acted.sum()
                for seed in range(runs)
            ]
            bound = (1 - 1 / n) * pipeline_delay_regret(1, layers, delta, p, skip)
            findings += [
                exact(f"{what}: least delay, steps", schedule.delay_steps.min(), late),
                exact(f"{what}: largest delay, steps", schedule.delay_steps.max(), late),
                estimated(f"{what}: regret per action", lost, bound, relation=">="),
                estimated("... closed form", lost, jump_delay_regret(n, p, late), "ours"),
            ]
    return Claim(
        "proposition_1",
        "Anokhin et al. 2025, Proposition 1 (Eqs. 1 and 2)",
        __doc__ or "",
        tuple(findings),
        "a layer takes a whole number of steps, or a step a whole number of layers",
    )


if __name__ == "__main__":
    show(claim)
