"""Questions in, result tables out."""

from rtsim.experiments.comparison import Comparison, Difference, Row, compare
from rtsim.experiments.design import Design
from rtsim.experiments.grid import Grid
from rtsim.experiments.required import Required, RequiredLearners
from rtsim.experiments.sweeps import SweepResult, results, sweep

__all__ = [
    "Comparison",
    "Design",
    "Difference",
    "Grid",
    "Required",
    "RequiredLearners",
    "Row",
    "SweepResult",
    "compare",
    "results",
    "sweep",
]
