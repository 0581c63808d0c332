"""Equation 2: in the worst case the learning regret grows like the root of the number of interactions.

Claim. Δ_learn(τ) ∈ Ω(√(τ/τ̄_I)), and known algorithms come within a logarithmic factor (footnote 4).

Derivation. For T lessons nature chooses, in the two-state family of Jaksch et al. 2010 (Theorem 5), how much better
the good action is: too little to be found in T steps, or so much that the search is short, costs less than ε ~ 1/√T,
where it costs about √T. No simulation proves a bound for all algorithms; what can be seen is that UCRL2, whose regret
is optimal but for a logarithm, has on the worst ε for each T an exponent of at least 1/2, nearer to that of a root
than to that of a line, and a regret below its bound 34 D S √(A T ln(T/δ)) (ibid., Theorem 2), from whose logarithm the
rest of the exponent comes. The confidence widths are scaled by 0.1, since at full width these T are all beginning. T
counts interactions: if the agent acts on every third step and the world stands still between, the same learner makes
the same progress per action.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

import rtsim
from rtsim import agents, mdps
from rtsim.cli.ledger import show
from rtsim.experiments.claims import Claim, estimated, exact
from rtsim.mdps import TabularMDP
from rtsim.regret import regret
from rtsim.rollout import undelayed


def claim(full: bool = False) -> Claim:
    # Short runs are all beginning, with a regret that grows like T: they would make the exponent too large.
    lengths = 2 ** (np.arange(13, 22) if full else np.arange(11, 17))
    batches, each = 20, 4
    learner = agents.UCRL2(scale=0.1, every_step=True)
    worst = np.zeros((batches, len(lengths)))
    for epsilon in np.geomspace(0.0005 if full else 0.003, 0.2, 13 if full else 9):
        mdp = _family(float(epsilon))
        for at, steps in enumerate(lengths.tolist()):
            schedule = undelayed(steps)
            for batch in range(batches):
                lost = [
                    regret(mdp, learner, schedule, seed, best=agents.Oracle()).learn
                    for seed in range(batch * each, (batch + 1) * each)
                ]
                worst[batch, at] = max(worst[batch, at], float(np.mean(lost)))
    exponents = _exponents(lengths, worst)
    # Jaksch et al. 2010, Theorem 2, with S = A = 2, confidence 0.05, and the diameter: the mean time to leave a state.
    bound = 34 * (1 / 0.1) * 2 * np.sqrt(2 * lengths * np.log(lengths / 0.05))

    mdp, steps, runs = _family(0.05), 2**14 if full else 2**12, 64
    third = rtsim.simulate(
        rtsim.Scenario("sequential", 0.0, step_time=1.0, steps=3 * steps, learning_time=3.0, batch=1), engine="compiled"
    )
    by_state = agents.UCRL2(scale=0.1, every_step=True, credit="state")
    slow, fast = [], []
    for seed in range(runs):
        found = regret(mdp, by_state, third, seed, best=agents.Oracle())
        slow.append(found.learn)
        fast.append(regret(mdp, by_state, undelayed(steps), seed + runs, best=agents.Oracle()).learn)
    findings = (
        estimated("exponent of UCRL2's regret on the worst of the family", exponents, 0.5, relation=">="),
        estimated("... nearer to a root than to a line", exponents, 0.75, "ours", "<="),
        estimated("... of the regret over the root of the logarithm in UCRL2's bound",
                  _exponents(lengths, worst / np.sqrt(np.log(lengths / 0.05))), 0.5, "ours"),
        exact("largest share of the bound for UCRL2, 34 D S √(A T ln(T/δ))", float((worst / bound).max()), 1.0,
              relation="<="),
        exact("one interaction every three steps: share of steps", float(third.acted.mean()), 1 / 3, "ours",
              margin=1 / steps, how="one interaction at the end"),
        estimated(
            "learning regret at τ_I = 3 τ_M less that at τ_I = τ_M, after as many interactions",
            np.subtract(slow, fast), 0.0,
        ),
    )  # fmt: skip
    return Claim("equation_2", "Riemer et al. 2025, Theorem 1, Eq. 2 and footnote 4", __doc__ or "", findings)


def _exponents(lengths: NDArray[np.int64], worst: NDArray[np.float64]) -> list[float]:
    """Slope of log regret against log T, of every batch."""
    return [float(np.polyfit(np.log(lengths), np.log(row), 1)[0]) for row in worst]


def _family(epsilon: float) -> TabularMDP:
    """The better action last, so that taking the first of equals is no help."""
    made = mdps.jao(epsilon=epsilon)
    return TabularMDP.of(made.p[:, ::-1], made.r[:, ::-1], default=(made.p_default, made.r_default))


if __name__ == "__main__":
    show(claim)
