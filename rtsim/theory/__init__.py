"""Closed forms and exact solvers; no simulation."""

from rtsim.theory.inaction import (
    capacity_limit,
    ceil_ratio,
    held_inaction,
    pipeline_inaction,
    required_learners,
    required_workers_exp_time,
    required_workers_max_time,
    sequential_interaction_time,
    unsynchronised_inaction,
)

__all__ = [
    "capacity_limit",
    "ceil_ratio",
    "held_inaction",
    "pipeline_inaction",
    "required_learners",
    "required_workers_exp_time",
    "required_workers_max_time",
    "sequential_interaction_time",
    "unsynchronised_inaction",
]
