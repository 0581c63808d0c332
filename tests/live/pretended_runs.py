"""Simulated Schedules dressed up as recorded runs, where playing them would only take time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from rtsim.clocks import simpy_clock
from rtsim.live import LivePlan
from rtsim.schedule import LIVE_COLUMNS, Schedule


def pretend(plan: LivePlan, late_ns: int = 0, steps: int | None = None) -> Schedule:
    """As if ``plan`` had been played on a machine that was always ``late_ns`` late, for ``steps``."""
    scenario = plan.scenario if steps is None else plan.scenario.with_(steps=steps)
    found = simpy_clock.simulate(scenario, spans=True)
    assert found.spans is not None
    live = {name: np.zeros(len(found), kind) for name, kind in LIVE_COLUMNS.items()}
    live["late_ns"][:] = late_ns
    spans = {**found.spans, "began_ns": found.spans["start_ns"], "posted_ns": found.spans["end_ns"]}
    about = {
        "plan": plan.to_json(),
        "machine": {"steal_fraction": 0.0},
        "faults": [],
        "rows_lost": 0,
        "realtime_class": False,
    }
    totals = {**found.totals, "stale_episode": 0}
    return replace(found, header={**found.header, "live": about}, spans=spans, live=live, totals=totals)
