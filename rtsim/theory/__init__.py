"""Closed forms and exact solvers; no simulation."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

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

if TYPE_CHECKING:
    from rtsim.theory.ages import (
        free_delays,
        fresh_inaction,
        held_delays,
        spread_delays,
        steps_of,
        variation,
        well_cut,
        youngest,
    )
    from rtsim.theory.average_reward import Optimum, gaps, optimum
    from rtsim.theory.bounds import (
        RealtimeRegret,
        alternate_delay_gain,
        chunking_inaction,
        cycle_delay_regret,
        delay_regret,
        delay_regret_per_action,
        forward_delay_gain,
        inaction_regret,
        interaction_time_exp_time,
        interaction_time_max_time,
        jump_delay_regret,
        learning_regret,
        pit_inaction_regret,
        realtime_regret,
        required_chunk,
        sequential_inaction_rate,
    )
    from rtsim.theory.delayed import delayed_gain
    from rtsim.theory.loss import Loss, blocking, late_probability, time_triggered_inaction
    from rtsim.theory.memoryless import DelayedPolicy, best_delayed
    from rtsim.theory.pending import pending_optimum
    from rtsim.theory.pipeline import pipeline_delay, pipeline_delay_regret, pipeline_inaction_regret
    from rtsim.theory.reach import diameter
    from rtsim.theory.stochasticity import optimal_action_groups, p_minimax, pending_influence

#: What needs sparse matrices is loaded on first use: scenarios import this room for :func:`capacity_limit` alone.
_HOMES = {
    "DelayedPolicy": "rtsim.theory.memoryless",
    "Loss": "rtsim.theory.loss",
    "Optimum": "rtsim.theory.average_reward",
    "RealtimeRegret": "rtsim.theory.bounds",
    "alternate_delay_gain": "rtsim.theory.bounds",
    "best_delayed": "rtsim.theory.memoryless",
    "blocking": "rtsim.theory.loss",
    "chunking_inaction": "rtsim.theory.bounds",
    "cycle_delay_regret": "rtsim.theory.bounds",
    "delay_regret": "rtsim.theory.bounds",
    "delay_regret_per_action": "rtsim.theory.bounds",
    "delayed_gain": "rtsim.theory.delayed",
    "diameter": "rtsim.theory.reach",
    "forward_delay_gain": "rtsim.theory.bounds",
    "free_delays": "rtsim.theory.ages",
    "fresh_inaction": "rtsim.theory.ages",
    "gaps": "rtsim.theory.average_reward",
    "held_delays": "rtsim.theory.ages",
    "inaction_regret": "rtsim.theory.bounds",
    "interaction_time_exp_time": "rtsim.theory.bounds",
    "interaction_time_max_time": "rtsim.theory.bounds",
    "jump_delay_regret": "rtsim.theory.bounds",
    "late_probability": "rtsim.theory.loss",
    "learning_regret": "rtsim.theory.bounds",
    "optimal_action_groups": "rtsim.theory.stochasticity",
    "optimum": "rtsim.theory.average_reward",
    "p_minimax": "rtsim.theory.stochasticity",
    "pending_influence": "rtsim.theory.stochasticity",
    "pending_optimum": "rtsim.theory.pending",
    "pipeline_delay": "rtsim.theory.pipeline",
    "pipeline_delay_regret": "rtsim.theory.pipeline",
    "pipeline_inaction_regret": "rtsim.theory.pipeline",
    "pit_inaction_regret": "rtsim.theory.bounds",
    "realtime_regret": "rtsim.theory.bounds",
    "required_chunk": "rtsim.theory.bounds",
    "sequential_inaction_rate": "rtsim.theory.bounds",
    "spread_delays": "rtsim.theory.ages",
    "steps_of": "rtsim.theory.ages",
    "time_triggered_inaction": "rtsim.theory.loss",
    "variation": "rtsim.theory.ages",
    "well_cut": "rtsim.theory.ages",
    "youngest": "rtsim.theory.ages",
}

__all__ = [
    "DelayedPolicy",
    "Loss",
    "Optimum",
    "RealtimeRegret",
    "alternate_delay_gain",
    "best_delayed",
    "blocking",
    "capacity_limit",
    "ceil_ratio",
    "chunking_inaction",
    "cycle_delay_regret",
    "delay_regret",
    "delay_regret_per_action",
    "delayed_gain",
    "diameter",
    "forward_delay_gain",
    "free_delays",
    "fresh_inaction",
    "gaps",
    "held_delays",
    "held_inaction",
    "inaction_regret",
    "interaction_time_exp_time",
    "interaction_time_max_time",
    "jump_delay_regret",
    "late_probability",
    "learning_regret",
    "optimal_action_groups",
    "optimum",
    "p_minimax",
    "pending_influence",
    "pending_optimum",
    "pipeline_delay",
    "pipeline_delay_regret",
    "pipeline_inaction",
    "pipeline_inaction_regret",
    "pit_inaction_regret",
    "realtime_regret",
    "required_chunk",
    "required_learners",
    "required_workers_exp_time",
    "required_workers_max_time",
    "sequential_inaction_rate",
    "sequential_interaction_time",
    "spread_delays",
    "steps_of",
    "time_triggered_inaction",
    "unsynchronised_inaction",
    "variation",
    "well_cut",
    "youngest",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'rtsim.theory' has no attribute {name!r}")


def __dir__() -> list[str]:
    return list(__all__)
