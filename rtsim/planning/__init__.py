"""From questions to decisions: which rule, how many workers, how large a model, at what rate."""

from rtsim.planning.candidates import Variant, grid, variants
from rtsim.planning.environment import Environment, Measured, Parts, WorstCase
from rtsim.planning.floor import Floor
from rtsim.planning.plan import SCHEMA, NoPlan, Plan, PlanDesign, plan
from rtsim.planning.predict import Prediction, closed_form, numerical
from rtsim.planning.rows import Row
from rtsim.planning.tabular import Tabular

__all__ = [
    "SCHEMA",
    "Environment",
    "Floor",
    "Measured",
    "NoPlan",
    "Parts",
    "Plan",
    "PlanDesign",
    "Prediction",
    "Row",
    "Tabular",
    "Variant",
    "WorstCase",
    "closed_form",
    "grid",
    "numerical",
    "plan",
    "variants",
]
