"""From what a clock writes down while it runs to a Schedule.

A clock keeps one row per step that says *which inference* it used, and one row per
inference; a Schedule has one row per step with everything about that inference in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtsim.scenario import Scenario
from rtsim.schedule import SCHEMA, SPAN_COLUMNS, STEP_COLUMNS, UPDATE_COLUMNS, Schedule
from rtsim.version import __version__

#: One row per step: its time, the row of the inference it used (-1: default policy) and the
#: position in its chunk, when that action was released, and counts since the step before.
RAW_STEP = ("time", "row", "position", "release", "released", "overwritten", "dropped")
#: One row per finished inference, in order of ending.
RAW_INFERENCE = ("worker", "inference", "observation", "start", "end", "release", "version", "component", "used")
#: Columns of a Schedule's steps that are in the table of steps; the others are those of the inference used.
OF_THE_STEP = {
    "time_ns": "time",
    "chunk_index": "position",
    "release_ns": "release",
    "released": "released",
    "overwritten": "overwritten",
    "dropped": "dropped",
}
OF_THE_INFERENCE = {"start_ns": "start", "end_ns": "end", "release_ns": "release", "used_step": "used"}


@dataclass(frozen=True)
class Raw:
    """The three tables of a run, int64 columns by name."""

    steps: dict[str, NDArray[np.int64]]
    inferences: dict[str, NDArray[np.int64]]
    updates: dict[str, NDArray[np.int64]]


def gather(
    scenario: Scenario,
    clock: str,
    raw: Raw,
    *,
    busy_ns: Sequence[int] | NDArray[np.int64],
    learner_busy_ns: Sequence[int] | NDArray[np.int64],
    pending: int,
    spans: bool,
) -> Schedule:
    """The Schedule of a run."""
    step, inference = raw.steps, raw.inferences

    def of_inferences(name: str, kind: Any) -> NDArray[Any]:
        return inference[OF_THE_INFERENCE.get(name, name)].astype(kind)

    def per_step(name: str, kind: Any) -> NDArray[Any]:
        if name in OF_THE_STEP:
            return step[OF_THE_STEP[name]].astype(kind)
        # Row -1, no inference, is the last one: the -1 of the default policy.
        return np.append(of_inferences(name, kind), kind(-1))[step["row"]]

    return Schedule(
        header={"schema": SCHEMA, "clock": clock, "rtsim": __version__, "scenario": scenario.to_json()},
        steps={name: per_step(name, kind) for name, kind in STEP_COLUMNS.items()},
        updates={name: raw.updates[name].astype(kind) for name, kind in UPDATE_COLUMNS.items()},
        busy_ns=np.array(busy_ns, dtype=np.int64),
        learner_busy_ns=np.array(learner_busy_ns, dtype=np.int64),
        totals={
            "stale_episode": 0,
            "pending": pending,
            "longest_inference_ns": int((inference["end"] - inference["start"]).max(initial=0)),
        },
        spans={name: of_inferences(name, kind) for name, kind in SPAN_COLUMNS.items()} if spans else None,
    )
