r"""Realtime regret and its parts: inaction, delay, learning.

With optimal gain g and bias h of the undelayed MDP, step i of a run has the gap

    gap_i = g + h(s_i) − r(s_i, a_i) − Σ_t p(t|s_i, a_i) h(t)

(the performance-difference identity: Kakade & Langford 2002; for average reward Puterman 1994, Section 8.2), on
default steps with the default policy's own action. Summed over T steps,

    Σ gap_i = (T g − Σ r_i) + (h(s_0) − h(s_T)) + Σ (h(s_{i+1}) − E h(s_{i+1})) + Σ (r_i − E r_i)
            =    total      +     boundary      +                 luck

because Σ (h(s_i) − h(s_{i+1})) telescopes. The luck has mean zero: each of its terms has, given the past. The parts
are sums of gaps (Riemer et al. 2025, Equation 1, made exact on every run):

* ``inaction``: on default steps of the best delayed policy under the same Schedule,
* ``delay``: on agent steps of that policy,
* ``learn``: all gaps of the actual run less all gaps of that policy's run, coupled by the seed.

Where the agent's actions do not move the state, ``inaction`` and ``delay`` are expected values given the Schedule
(:mod:`rtsim.regret.expected`), else those of the coupled run. In both cases

    inaction + delay + learn = total + boundary + noise

with ``noise`` the luck above and, with expected parts, what the coupled run's gaps fall short of their expectation,
which has mean zero too. So ``learn`` is as sharp as coupling makes it, and 0 for the best delayed policy itself.
"""

from rtsim.regret.best import Best, reference
from rtsim.regret.decomposition import decompose, regret, regret_curve, regret_over_seeds, step_gaps
from rtsim.regret.expected import expected_gaps
from rtsim.regret.records import PARTS, Regret, RegretCurve, RegretOverSeeds, checkpoints, elapsed

__all__ = [
    "PARTS",
    "Best",
    "Regret",
    "RegretCurve",
    "RegretOverSeeds",
    "checkpoints",
    "decompose",
    "elapsed",
    "expected_gaps",
    "reference",
    "regret",
    "regret_curve",
    "regret_over_seeds",
    "step_gaps",
]
