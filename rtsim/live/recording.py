"""Whether a file is the recording it says it is: all parts there, in range, and of one piece.

Files come from elsewhere. What a run always writes is checked here, once and before anything is played, so that
nobody downstream meets a header without faults or a worker that does not exist. The emulator's part (actions, rewards,
observations) is checked by playing it again.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtsim.errors import FileProblem, InvalidValue, RtsimError
from rtsim.live.agents import check_agent
from rtsim.live.plan import LivePlan
from rtsim.scenario import MAX_WORKERS
from rtsim.schedule import Schedule
from rtsim.timing import StepClock, units

#: More than any time (ns) or index in a recording.
_FAR = 2**62
_MANY = 2**40


def check(schedule: Schedule, name: str = "") -> None:
    """Check a recording.

    Parameters
    ----------
    schedule : Schedule
    name : str
        Of its file, for the message, if it has one.

    Raises
    ------
    InvalidValue
        If it was simulated, not recorded.
    FileProblem
        If it is no recording that :func:`rtsim.live.play` could have written.
    """
    whose = f"recording {name!r}" if name else "this recording"
    if schedule.live is None or "live" not in schedule.header:
        raise InvalidValue(
            f"{repr(name) if name else 'this Schedule'} was simulated, not recorded; give files of rtsim play --record"
        )
    try:
        about = _header(schedule.header["live"])
        plan = _plan(schedule, about)
        _Check(schedule, plan, complete=about["rows_lost"] == 0).all()
    except RtsimError as error:
        raise FileProblem(f"{whose} is damaged or was changed: {error}") from error


def _must(holds: object, what: str) -> None:
    if not holds:
        raise InvalidValue(what)


def _header(about: object) -> dict[str, Any]:
    """What the run says of itself, with all that others rely on."""
    if not isinstance(about, dict):
        raise InvalidValue("its header's part 'live' is no object")
    kinds = {
        "plan": (dict, "object"),
        "machine": (dict, "object"),
        "faults": (list, "list"),
        "rows_lost": (int, "count"),
    }
    for part, (kind, word) in kinds.items():
        _must(type(about.get(part)) is kind, f"{part} of its header is missing, or no {word}")
    _must(about["rows_lost"] >= 0, "it has lost fewer than 0 rows")
    stolen = about["machine"].get("steal_fraction")
    _must(stolen is None or _number(stolen), "steal_fraction of its machine is no number")
    for fault in about["faults"]:
        whole = (
            isinstance(fault, dict)
            and _number(fault.get("time_s"))
            and all(isinstance(fault.get(part), str) for part in ("process", "what"))
            and isinstance(fault.get("restarted"), bool)
        )
        _must(whole, "a fault in its header lacks its time_s, process, what or restarted")
    return about


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 2**63


def _plan(schedule: Schedule, about: dict[str, Any]) -> LivePlan:
    """The plan it followed: the same scenario as the Schedule's own, which may have ended early."""
    settings = about["plan"].get("scenario")
    for scenario in (settings, schedule.settings):
        values: list[Any] = list(scenario.values()) if isinstance(scenario, dict) else [[]]
        plain = all(value is None or isinstance(value, str) or _number(value) for value in values)
        _must(plain, "its scenario is missing, or holds something other than texts and numbers")
    plan = LivePlan.from_json(about["plan"])
    if plan.learning is None:
        check_agent(plan.agent)
    _must(len(schedule) <= plan.scenario.steps, "it has more steps than its plan")
    same = {**settings, "steps": len(schedule)} == schedule.settings
    _must(same, "the scenario of its plan is not the one in its header")
    return plan


class _Check:
    """The columns against each other, and against the plan.

    Parameters
    ----------
    schedule : Schedule
    plan : LivePlan
    complete : bool
        No row was lost on the way: then counts add up.
    """

    def __init__(self, schedule: Schedule, plan: LivePlan, *, complete: bool) -> None:
        assert schedule.live is not None
        self.schedule, self.plan, self.complete = schedule, plan, complete
        self.steps, self.live, self.updates = schedule.steps, schedule.live, schedule.updates
        self.last = int(schedule.steps["time_ns"][-1])

    def all(self) -> None:
        """Every check; InvalidValue says which failed."""
        # A live run has a fixed rate, of which no seed knows.
        starts = StepClock(self.plan.scenario.step_time, seed=0).first(len(self.schedule))
        planned = np.array_equal(self.steps["time_ns"], starts)
        _must(planned, "its steps do not begin at the rate of its plan")
        self._spans()
        self._used()
        self._episodes()
        self._updates()
        self._totals()

    def _spans(self) -> None:
        spans, count = self.schedule.spans, len(self.schedule)
        if spans is None or "began_ns" not in spans:
            raise InvalidValue("its inferences (spans) are missing, or when they began and were posted")
        self.spans = spans
        _within(spans["worker"], 0, self.plan.scenario.workers - 1, "workers of its inferences")
        _within(spans["inference"], 0, _MANY, "indices of its inferences")
        _within(spans["observation"], 0, count - 1, "observations of its inferences")
        _within(spans["start_ns"], 0, self.last, "starts of its inferences")
        _within(spans["end_ns"], spans["start_ns"], self.last, "ends of its inferences")
        self.keys = _key(spans)
        _must(len(np.unique(self.keys)) == len(self.keys), "two of its inferences have the same worker and index")

    def _used(self) -> None:
        """An agent step and the inference it used say the same."""
        steps, acted = self.steps, self.schedule.acted
        _within(steps["worker"], -1, self.plan.scenario.workers - 1, "workers of its steps")
        mine = {name: column[acted] for name, column in steps.items()}
        chunk = self.plan.scenario.program().chunk
        _within(mine["inference"], 0, _MANY, "indices of the inferences of its steps")
        _within(mine["chunk_index"], 0, chunk - 1, "places in their chunks of its actions")
        order = np.argsort(self.keys)
        found = np.searchsorted(self.keys, _key(mine), sorter=order)
        known = found < len(order)
        row = order[found[known]] if len(order) else np.zeros(0, np.int64)
        same = known.all() and all(
            np.array_equal(self.spans[name][row], mine[name])
            for name in ("worker", "inference", "observation", "start_ns", "end_ns")
        )
        _must(same, "a step uses an inference that is not among its inferences")
        used = np.full(len(self.keys), -1, np.int64)
        first = mine["chunk_index"] == 0
        used[row[first]] = np.flatnonzero(acted)[first]
        _must(np.array_equal(used, self.spans["used_step"]), "its inferences and steps differ in who used what")
        _within(mine["release_ns"], mine["end_ns"], steps["time_ns"][acted], "releases of its actions")

    def _episodes(self) -> None:
        """An action from a former episode was not used, and only such a one."""
        ended, stale, acted = self.live["ended"], self.live["stale"], self.schedule.acted
        _within(ended, 0, 2, "ends of its episodes")
        begun = np.maximum.accumulate(np.where(ended > 0, np.arange(1, len(ended) + 1), 0))
        episode = np.concatenate([np.zeros(1, np.int64), begun[:-1]])
        expected = acted & (self.steps["observation"] < episode)
        # A step whose inference was lost from the record counts as the default policy's.
        compared = slice(None) if self.complete else acted
        _must(np.array_equal(stale[compared], expected[compared]), "its column stale does not fit its episodes")

    def _updates(self) -> None:
        updates, scenario = self.updates, self.plan.scenario
        _within(updates["learner"], 0, scenario.learner_count - 1, "learners of its updates")
        _within(updates["start_ns"], 0, self.last, "starts of its updates")
        _within(updates["end_ns"], updates["start_ns"], self.last, "ends of its updates")
        _within(updates["land_ns"], updates["end_ns"], self.last, "landings of its updates")
        _within(updates["data_step"], 0, len(self.schedule) - 1, "newest steps of its updates")
        _must((np.diff(updates["version"]) > 0).all(), "the versions of its updates do not grow")
        _within(updates["read_version"], 0, updates["version"] - 1, "versions its updates read")
        _within(updates["batch"], 1, _MANY, "batches of its updates")
        learnt = self.plan.learning is not None
        _must(
            ("loss" in updates) == learnt, "its updates have losses and its plan learns nothing, or the other way round"
        )
        _must(not learnt or np.isfinite(updates["loss"]).all(), "losses of its updates are not finite")
        for actors, busy in (
            (scenario.workers, self.schedule.busy_ns),
            (scenario.learner_count, self.schedule.learner_busy_ns),
        ):
            _must(len(busy) == actors, "it says of more or fewer workers or learners how busy they were than it has")
            _within(busy, 0, _FAR, "times its workers or learners were busy")

    def _totals(self) -> None:
        totals, spans = self.schedule.totals, self.spans
        lost = [self.steps[name] for name in ("overwritten", "dropped")]
        for column in (self.steps["released"], *lost):
            _within(column, 0, _MANY, "counts of its mailbox")
        expected = {
            "stale_episode": int(self.live["stale"].sum()),
            "longest_inference_ns": int((spans["end_ns"] - spans["start_ns"]).max(initial=0)),
        }
        if self.complete:
            waiting = self.steps["released"].sum() - sum(int(column.sum()) for column in lost)
            expected["pending"] = int(waiting - self.schedule.acted.sum())
        for total, value in expected.items():
            found = totals.get(total)
            _must(found == value, f"its total {total} is {found}, and its rows make {value}")
        units.whole(totals["pending"], "its total pending", 0, _MANY)


def _within(column: NDArray[Any], low: Any, high: Any, what: str) -> None:
    _must(((column >= low) & (column <= high)).all(), f"{what} are out of range")


def _key(table: dict[str, NDArray[Any]]) -> NDArray[np.int64]:
    """One number for a worker and an index of its inferences."""
    return np.asarray(table["inference"] * np.int64(MAX_WORKERS) + table["worker"], dtype=np.int64)
