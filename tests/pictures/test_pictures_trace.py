"""Traces keep the rules of the Trace Event Format that Perfetto relies on."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rtsim.errors import FileProblem, InvalidValue
from rtsim.pictures import chrome_trace, write_trace
from rtsim.schedule import Schedule

Trace = dict[str, Any]
NAMES = ("latest", "held", "late", "fifo", "inline", "learners", "merged", "chunks", "pipeline", "instant")


@pytest.fixture(scope="module")
def trace(schedules: dict[str, Schedule], tmp_path_factory: pytest.TempPathFactory) -> Trace:
    """All Schedules in one file, read back."""
    path = write_trace(tmp_path_factory.mktemp("trace") / "all.json", schedules)
    found: Trace = json.loads(path.read_text())
    return found


def ns(event: Trace) -> tuple[int, int]:
    """Start and end of a slice as a viewer reads them: µs times 1000, rounded."""
    start = round(event["ts"] * 1000)
    return start, start + round(event["dur"] * 1000)


def slices(trace: Trace) -> list[Trace]:
    return [event for event in trace["traceEvents"] if event["ph"] == "X"]


def lanes(trace: Trace) -> dict[int, list[str]]:
    """Names of the lanes of every process, in their order."""
    found = defaultdict(list)
    for event in trace["traceEvents"]:
        if event["name"] == "thread_name":
            found[event["pid"]].append(event["args"]["name"])
    return found


def processes(trace: Trace) -> dict[str, int]:
    return {e["args"]["name"]: e["pid"] for e in trace["traceEvents"] if e["name"] == "process_name"}


def test_trace_events_have_the_keys_the_format_requires(trace: Trace) -> None:
    for event in trace["traceEvents"]:
        assert {"ph", "ts", "pid", "tid", "name"} <= set(event)
        assert event["ph"] in "MXisf"
        assert ("dur" in event) == (event["ph"] == "X")
    assert all(event["ts"] >= 0 and event["dur"] >= 0 for event in slices(trace))


def test_trace_slices_in_a_lane_never_partly_overlap(trace: Trace) -> None:
    by_lane = defaultdict(list)
    for event in slices(trace):
        by_lane[event["pid"], event["tid"]].append(ns(event))
    for lane, found in by_lane.items():
        found.sort()
        for (_, end), (start, _) in pairwise(found):
            assert end <= start, lane


def test_trace_one_process_per_schedule_with_ids_unique_in_the_file(
    trace: Trace, schedules: dict[str, Schedule]
) -> None:
    assert list(processes(trace)) == list(schedules)
    tids = [(e["tid"], e["pid"]) for e in trace["traceEvents"] if e["name"] == "thread_name"]
    assert len({tid for tid, _ in tids}) == len(tids)
    known = set(tids)
    assert {(e["tid"], e["pid"]) for e in trace["traceEvents"]} == known


def test_trace_lanes_are_environment_workers_and_learners_in_order(trace: Trace) -> None:
    found = {name: lanes(trace)[pid] for name, pid in processes(trace).items()}
    workers = [f"worker {w}" for w in range(6)]
    assert found["latest"] == ["environment", *workers]
    assert found["inline"] == ["environment", "worker 0", "learner 0"]
    assert [lane for lane in found["learners"] if "holds" not in lane] == [
        "environment",
        *workers,
        *(f"learner {k}" for k in range(3)),
    ]
    assert found["pipeline"] == ["environment", "worker 0", *(f"worker 0 ({n})" for n in range(2, 6))]
    assert "worker 0 holds" in found["held"]


def test_trace_sort_indices_follow_the_lanes(trace: Trace) -> None:
    for pid in processes(trace).values():
        found = [e for e in trace["traceEvents"] if e["name"] == "thread_sort_index" and e["pid"] == pid]
        assert [e["args"]["sort_index"] for e in found] == list(range(len(found)))
        assert [e["tid"] for e in found] == [pid + i for i in range(len(found))]


@pytest.mark.parametrize("name", NAMES)
def test_trace_environment_slices_are_the_steps(trace: Trace, schedules: dict[str, Schedule], name: str) -> None:
    schedule, pid = schedules[name], processes(trace)[name]
    found = [event for event in slices(trace) if event["tid"] == pid]
    assert [ns(event)[0] for event in found] == schedule.steps["time_ns"].tolist()
    assert [event["name"] == "agent" for event in found] == schedule.acted.tolist()
    agent = [event["args"] for event in found if event["name"] == "agent"]
    assert [args["delay_steps"] for args in agent] == schedule.delay_steps.tolist()
    for column in ("observation", "worker", "version"):
        assert [args[column] for args in agent] == schedule.steps[column][schedule.acted].tolist()
    assert {event["name"] for event in found} <= {"agent", "default policy"}


@pytest.mark.parametrize("name", NAMES)
def test_trace_has_every_inference_hold_and_update(trace: Trace, schedules: dict[str, Schedule], name: str) -> None:
    schedule, pid = schedules[name], processes(trace)[name]
    found = [event for event in slices(trace) if event["pid"] == pid]
    spans, updates = schedule.spans, schedule.updates
    begun = spans["start_ns"] < schedule.steps["time_ns"][-1]

    def drawn(kind: str) -> list[tuple[int, int]]:
        return sorted(ns(event) for event in found if event["name"] == kind)

    pairs = list(zip(spans["start_ns"].tolist(), spans["end_ns"].tolist(), strict=True))
    assert drawn("inference") == sorted(pairs)
    held = begun & (spans["release_ns"] > spans["end_ns"])
    assert drawn("hold") == sorted(zip(spans["end_ns"][held].tolist(), spans["release_ns"][held].tolist(), strict=True))
    assert drawn("update") == sorted(zip(updates["start_ns"].tolist(), updates["end_ns"].tolist(), strict=True))


def test_trace_arrows_pair_up_and_lead_from_an_inference_to_an_agent_step(
    trace: Trace, schedules: dict[str, Schedule]
) -> None:
    events = trace["traceEvents"]
    starts = {event["id"]: event for event in events if event["ph"] == "s"}
    ends = {event["id"]: event for event in events if event["ph"] == "f"}
    flows = [event for event in events if event["ph"] in "sf"]
    assert len(flows) == 2 * len(starts)
    assert set(starts) == set(ends)
    assert len(starts) == sum(int(schedule.acted.sum()) for schedule in schedules.values())
    by_lane = defaultdict(list)
    for position, event in enumerate(events):
        if event["ph"] == "X":
            by_lane[event["tid"]].append((*ns(event), event["name"], position))
    where = {id(event): position for position, event in enumerate(events)}
    for flow, event in [*starts.items(), *ends.items()]:
        at = round(event["ts"] * 1000)
        # A viewer takes the slice that has begun (in the order of the file) and has not ended yet.
        around = [s for s in by_lane[event["tid"]] if s[0] <= at and (at < s[1] or s[0] == s[1] == at)]
        assert around, flow
        assert around[-1][2] == ("inference" if event["ph"] == "s" else "agent")
        assert around[-1][3] < where[id(event)]
    assert all(ends[flow]["bp"] == "e" and starts[flow]["ts"] <= ends[flow]["ts"] for flow in starts)


def test_trace_events_are_in_order_of_time(trace: Trace) -> None:
    times = [event["ts"] for event in trace["traceEvents"] if event["ph"] != "M"]
    assert times == sorted(times)


def test_chrome_trace_steps_cuts_steps_and_what_begins_later(schedules: dict[str, Schedule]) -> None:
    found = slices(chrome_trace({"run": schedules["latest"]}, steps=50))
    end = int(schedules["latest"].steps["time_ns"][50])
    assert sum(event["name"] in ("agent", "default policy") for event in found) == 50
    assert all(ns(event)[0] < end for event in found)


def test_write_trace_same_schedules_give_same_bytes(schedules: dict[str, Schedule], tmp_path: Path) -> None:
    one, other = (write_trace(tmp_path / name, schedules, steps=100) for name in ("a.json", "b.json"))
    assert one.read_bytes() == other.read_bytes()


def test_chrome_trace_times_are_exact_to_the_nanosecond_after_days() -> None:
    from rtsim.pictures.trace import _us

    rng = np.random.default_rng(0)
    for value in rng.integers(0, 10**15, 1000).tolist():
        assert round(json.loads(json.dumps(_us(value))) * 1000) == value


def test_chrome_trace_without_spans_names_the_remedy(schedules: dict[str, Schedule]) -> None:
    with pytest.raises(InvalidValue, match="spans=True"):
        chrome_trace({"run": replace(schedules["latest"], spans=None)})


def test_chrome_trace_no_steps_is_refused(schedules: dict[str, Schedule]) -> None:
    with pytest.raises(InvalidValue, match="at least 1"):
        chrome_trace({"run": schedules["latest"]}, steps=0)


def test_write_trace_missing_directory_is_a_file_problem(schedules: dict[str, Schedule], tmp_path: Path) -> None:
    with pytest.raises(FileProblem, match="cannot write"):
        write_trace(tmp_path / "none" / "t.json", {"run": schedules["instant"]}, steps=5)
