"""Measure inference and learning times on this hardware, as a profile the simulator reads.

:func:`calibrate` turns a :class:`CalibrationPlan` into a :class:`~rtsim.timing.profiles.Profile`.
Torch and psutil are imported when measuring begins, not with this package.
:mod:`rtsim.calibrate.live` measures what the live loop costs.
"""

from __future__ import annotations

from rtsim.calibrate.machine import identity
from rtsim.calibrate.measure import CalibrationInterrupted, Measurement, Progress, calibrate, measurements
from rtsim.calibrate.paper import paper_profile
from rtsim.calibrate.plan import CalibrationPlan
from rtsim.calibrate.sampling import relative_precision

__all__ = [
    "CalibrationInterrupted",
    "CalibrationPlan",
    "Measurement",
    "Progress",
    "calibrate",
    "identity",
    "measurements",
    "paper_profile",
    "relative_precision",
]
