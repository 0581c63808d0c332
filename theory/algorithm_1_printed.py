"""Algorithm 1 as printed: a process sleeps every delay that others put on it.

Claim. "Sleep for any delays accumulated by other processes" (lines 276 and 277): ``sleep(delay)``, then ``delay ← 0``.

Derivation of the counterexample. The two lines are one step for a process that is alone, but others add to its delay
while it sleeps, whenever the maximum rises; and what they add meanwhile is zeroed and never slept. The smallest case
has two processes: the first one's inference of 100 puts 50 on the second, its next one of 140 another 20 while the
second sleeps the 50; 70 are owed, 50 are slept. With the lines exchanged (take the delay, set it to zero, then sleep)
nothing is lost. With constant times there is one rise and nobody sleeps then: both are the same. With times that vary
the maximum rises mostly in the beginning, when offsets are made that stay for ever.
"""

from __future__ import annotations

import rtsim
from rtsim.cli.ledger import show
from rtsim.experiments.claims import Claim, estimated, exact

RULES = {"as printed": "max_time(printed=true)", "lines exchanged": "max_time"}


def claim(full: bool = False) -> Claim:
    steps, runs = (40_000, 64) if full else (8_000, 32)
    law, workers = "lognorm(mean=20s, cv=0.02)", 22

    def inaction(rule: str, times: str, seed: int) -> float:
        scenario = rtsim.Scenario(rule, times, workers=workers, step_time=1.0, steps=steps, seed=seed)
        return rtsim.simulate(scenario, engine="compiled").statistics(2_000).inaction_fraction

    apart = [inaction(RULES["as printed"], law, s) - inaction(RULES["lines exchanged"], law, s) for s in range(runs)]
    same = inaction(RULES["as printed"], "20s", 0) - inaction(RULES["lines exchanged"], "20s", 0)
    return Claim(
        "algorithm_1_printed",
        "Riemer et al. 2025, Algorithm 1 (lines 276 and 277)",
        __doc__ or "",
        (
            exact("two processes, 50 + 20 owed, as printed: slept", _slept(RULES["as printed"]), 70.0),
            exact("... lines exchanged", _slept(RULES["lines exchanged"]), 70.0, "ours"),
            estimated(f"{law}, N = {workers}: inaction as printed less that with the lines exchanged", apart, 0.0),
            exact("constant times: the same difference", same, 0.0, "ours"),
        ),
        counterexample="two processes: what one puts on the other while that sleeps is zeroed when it wakes; with "
        "lognormal times (c.v. 0.02, N = 22) this leaves another twentieth of the steps to the default policy",
    )


def _slept(rule: str) -> float:
    """How long the second of two processes sleeps, in all."""
    program = rtsim.Scenario(rule, 100.0, workers=2, step_time=1.0, steps=1).program()
    memory = program.params, program.state
    program.on_end(100, 0, 0, 0, 0, 0, *memory)  # 100 long: 50 for the second process
    first = program.next_start(100, 1, 0, 0, *memory)
    program.on_end(first - 10, 0, first - 150, 0, 0, 0, *memory)  # 140 long: another 20, while it sleeps
    program.next_start(first, 1, 0, 0, *memory)  # wakes and infers
    second = program.next_start(400, 1, 0, 0, *memory)
    return float(first - 100 + second - 400)


if __name__ == "__main__":
    show(claim)
