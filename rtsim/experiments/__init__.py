"""Questions in, result tables out."""

from rtsim.experiments.comparison import Comparison, Difference, Row, compare
from rtsim.experiments.design import Design
from rtsim.experiments.grid import Grid
from rtsim.experiments.required import Required, RequiredLearners
from rtsim.experiments.sweeps import SweepResult, results, sweep
from rtsim.experiments.worst_cases import (
    DelayLoss,
    RegretRate,
    WorstLearning,
    delay_losses,
    late_schedule,
    regret_rates,
    worst_learning,
)

__all__ = [
    "Comparison",
    "DelayLoss",
    "Design",
    "Difference",
    "Grid",
    "RegretRate",
    "Required",
    "RequiredLearners",
    "Row",
    "SweepResult",
    "WorstLearning",
    "compare",
    "delay_losses",
    "late_schedule",
    "regret_rates",
    "results",
    "sweep",
    "worst_learning",
]
