"""Questions in, result tables out."""

from rtsim.experiments.comparison import Comparison, Difference, Row, compare
from rtsim.experiments.design import Design
from rtsim.experiments.required import Required

__all__ = ["Comparison", "Design", "Difference", "Required", "Row", "compare"]
