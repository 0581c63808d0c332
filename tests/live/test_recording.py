"""Recordings that were changed are told as such before anything is played; a run never writes any of these."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from rtsim.cli.main import main
from rtsim.errors import FileProblem, InvalidValue
from rtsim.live import LivePlan
from rtsim.live.recording import check
from rtsim.live.virtual import replay
from rtsim.scenario import Scenario
from rtsim.schedule import Schedule
from tests.live.pretended_runs import pretend

LEARNING = {"learning_time": "lognorm(mean=30ms, cv=0.1)", "learners": 2}


def recording(rule: str = "max_time", **more: Any) -> Schedule:
    scenario = Scenario(rule, "lognorm(mean=84ms, cv=0.1)", workers=8, steps=200, seed=1, **{**LEARNING, **more})
    return pretend(LivePlan(scenario, "blocks", "noop"))


@pytest.mark.parametrize(
    ("rule", "more"),
    [
        ("max_time", {}),
        ("unstaggered", {"mailbox": "fifo(3)"}),
        ("unstaggered", {"learner_rule": "parallel"}),
        ("exp_time", {"learner_rule": "lock_free"}),
        ("chunking(size=5)", {}),
        ("pipeline(layers=3)", {}),
        ("time_triggered", {}),
        ("sequential(order=learn_act)", {}),
        ("sequential", {"learning_time": None}),
    ],
)
def test_what_a_run_writes_passes(rule, more):
    check(recording(rule, **more))


def test_a_run_that_ended_early_passes():
    check(pretend(LivePlan(Scenario("max_time", "84ms", workers=4, steps=200), "blocks"), steps=77))


def header(change: Callable[[dict[str, Any]], object]) -> Callable[[Schedule], Schedule]:
    """Change a copy of the header."""

    def changed(schedule: Schedule) -> Schedule:
        found = copy.deepcopy(schedule.header)
        change(found)
        return replace(schedule, header=found)

    return changed


def live(**parts: object) -> Callable[[Schedule], Schedule]:
    """Change parts of the live header; ... takes one out."""

    def change(found: dict[str, Any]) -> None:
        found["live"] = {k: v for k, v in {**found["live"], **parts}.items() if v is not ...}

    return header(change)


def plan(**parts: object) -> Callable[[Schedule], Schedule]:
    return header(lambda found: found["live"]["plan"].update(parts))


def column(table: str, name: str, value: object, at: Any = slice(None)) -> Callable[[Schedule], Schedule]:
    """Change a column, or some places of it."""

    def changed(schedule: Schedule) -> Schedule:
        columns = dict(getattr(schedule, table))
        columns[name] = columns[name].copy()
        columns[name][at] = value
        return replace(schedule, **{table: columns})

    return changed


def totals(**parts: int) -> Callable[[Schedule], Schedule]:
    return lambda schedule: replace(schedule, totals={**schedule.totals, **parts})


def no_live_spans(schedule: Schedule) -> Schedule:
    spans = {name: c for name, c in (schedule.spans or {}).items() if name not in ("began_ns", "posted_ns")}
    return replace(schedule, spans=spans)


def episodes_over(schedule: Schedule) -> Schedule:
    """Episodes end at every step, and nobody was stale."""
    return column("live", "ended", 1)(schedule)


FAULT = {"time_s": 1.0, "process": "worker 0", "what": "ended", "restarted": True}
CHANGES: dict[str, tuple[Callable[[Schedule], Schedule], str]] = {
    "live is a list": (header(lambda found: found.update(live=[1])), "'live' is no object"),
    "no plan": (live(plan=...), "plan of its header is missing"),
    "no machine": (live(machine=...), "machine of its header is missing"),
    "no faults": (live(faults=...), "faults of its header is missing"),
    "faults 3": (live(faults=3), "faults of its header is missing, or no list"),
    "faults {}": (live(faults=[{}]), "a fault in its header lacks"),
    "fault at x": (live(faults=[{**FAULT, "time_s": "x"}]), "a fault in its header lacks"),
    "no rows_lost": (live(rows_lost=...), "rows_lost of its header is missing"),
    "rows_lost true": (live(rows_lost=True), "rows_lost of its header is missing"),
    "rows_lost -1": (live(rows_lost=-1), "fewer than 0"),
    "steal is a text": (live(machine={"steal_fraction": "x"}), "steal_fraction"),
    "agent is a list": (plan(agent=["x"]), "agent .* must be a text"),
    "agent unknown": (plan(agent="human"), "agent 'human' unknown"),
    "game is a number": (plan(game=5), "game 5 .* must be a text"),
    "processes x": (plan(processes="x"), "processes 'x'"),
    "restarts -1": (plan(restarts=-1), "restarts -1"),
    "extra": (plan(extra=1), "extra"),
    "plan without scenario": (plan(scenario=...), "its scenario is missing"),
    "scenario of lists": (header(lambda found: found["scenario"].update(rule=[])), "texts and numbers"),
    "huge": (header(lambda found: found["live"]["plan"]["scenario"].update(steps=10**400)), "texts and numbers"),
    "workers of the plan": (
        header(lambda found: found["live"]["plan"]["scenario"].update(workers=9)),
        "is not the one",
    ),
    "workers of the header": (header(lambda found: found["scenario"].update(workers=9)), "is not the one"),
    "steps of the plan": (header(lambda found: found["live"]["plan"]["scenario"].update(steps=9)), "more steps than"),
    "no spans": (lambda schedule: replace(schedule, spans=None), "are missing"),
    "no live spans": (no_live_spans, "when they began"),
    "times 0": (column("steps", "time_ns", 0), "at the rate of its plan"),
    "a time 1 ns off": (column("steps", "time_ns", 1, 0), "at the rate of its plan"),
    "span of worker 99": (column("spans", "worker", 99, 0), "workers of its inferences"),
    "span of worker -7": (column("spans", "worker", -7, 0), "workers of its inferences"),
    "span twice": (column("spans", "inference", 0), "same worker and index"),
    "span backwards": (column("spans", "end_ns", -5), "ends of its inferences"),
    "span without end": (column("spans", "end_ns", 2**62), "ends of its inferences"),
    "span of the future": (column("spans", "observation", 10**6, 0), "observations of its inferences"),
    "span used elsewhere": (column("spans", "used_step", 3, 0), "who used what"),
    "step of worker 55": (column("steps", "worker", 55, 40), "workers of its steps"),
    "inference -9": (column("steps", "inference", -9), "indices of the inferences"),
    "inference unknown": (column("steps", "inference", 99999, -1), "not among its inferences"),
    "chunk_index 7": (column("steps", "chunk_index", 7), "places in their chunks"),
    "observation changed": (column("steps", "observation", 0, -1), "not among its inferences"),
    "release late": (column("steps", "release_ns", 2**60, -1), "releases of its actions"),
    "all stale": (column("live", "stale", 1), "stale does not fit"),
    "none stale": (episodes_over, "stale does not fit"),
    "ended 3": (column("live", "ended", 3, -1), "ends of its episodes"),
    "update of learner 99": (column("updates", "learner", 99, 0), "learners of its updates"),
    "update backwards": (column("updates", "end_ns", 0, -1), "ends of its updates"),
    "update reads ahead": (column("updates", "read_version", 10**6, 0), "versions its updates read"),
    "update again": (column("updates", "version", 1), "do not grow"),
    "busy more": (lambda schedule: replace(schedule, busy_ns=np.zeros(9, np.int64)), "how busy they were"),
    "busy -1": (lambda schedule: replace(schedule, busy_ns=schedule.busy_ns * 0 - 1), "were busy are out of range"),
    "released -1": (column("steps", "released", -1, 0), "counts of its mailbox"),
    "released more": (column("steps", "released", 5, 0), "total pending"),
    "longest 0": (totals(longest_inference_ns=0), "total longest_inference_ns"),
    "stale 5": (totals(stale_episode=5), "total stale_episode"),
    "pending 5": (totals(pending=5), "total pending"),
}


@pytest.fixture(scope="module")
def good() -> Schedule:
    found = recording()
    check(found)
    assert found.steps["worker"][-1] >= 0
    return found


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_is_told_before_anything_is_played(good, name):
    change, said = CHANGES[name]
    changed = change(good)
    with pytest.raises(FileProblem, match=said) as caught:
        check(changed, "run.npz")
    assert str(caught.value).startswith("recording 'run.npz' is damaged or was changed: ")
    with pytest.raises(FileProblem, match=said):
        replay(changed)


@pytest.mark.parametrize("name", ["live is a list", "faults {}", "agent is a list", "no spans", "inference -9"])
def test_the_command_line_says_it_in_one_line(good, name, tmp_path, capsys):
    file = str(tmp_path / "run.npz")
    CHANGES[name][0](good).save(file)
    assert main(["replay", file, "--seeds", "2"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert "is damaged or was changed" in captured.err


def test_counts_need_not_add_up_where_rows_were_lost(good):
    check(totals(pending=5)(live(rows_lost=3)(good)))


def test_what_was_simulated_is_told(good):
    with pytest.raises(InvalidValue, match="was simulated, not recorded"):
        check(replace(good, live=None))


def test_the_steps_after_an_episode_ended_are_stale_where_they_saw_the_former_one(good):
    ended = 100
    seen, step = good.steps["observation"], np.arange(len(good))
    former = (good.steps["worker"] >= 0) & (step > ended) & (seen <= ended)
    assert former.any()
    changed = column("live", "ended", 1, ended)(column("live", "stale", 1, former)(good))
    check(totals(stale_episode=int(former.sum()))(changed))
