"""Laws, profiles and random streams: how long things take."""

from rtsim.timing.composite import Annealed, Contention, Empirical, Mixture, Scaled
from rtsim.timing.laws import Constant, Exponential, Gamma, Law, Lognormal, Pareto, Uniform
from rtsim.timing.parse import law, step_period
from rtsim.timing.profiles import LiveTimes, ModelTimes, Profile, Samples, shipped
from rtsim.timing.streams import BlockStream, Spells, StepClock

__all__ = [
    "Annealed",
    "BlockStream",
    "Constant",
    "Contention",
    "Empirical",
    "Exponential",
    "Gamma",
    "Law",
    "LiveTimes",
    "Lognormal",
    "Mixture",
    "ModelTimes",
    "Pareto",
    "Profile",
    "Samples",
    "Scaled",
    "Spells",
    "StepClock",
    "Uniform",
    "law",
    "shipped",
    "step_period",
]
