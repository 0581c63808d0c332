"""What holds for every rule under every scenario."""

from __future__ import annotations

import ast
import subprocess
import sys
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import rtsim.schedulers
from rtsim.clocks import simulate
from rtsim.scenario import Scenario
from rtsim.schedule import Schedule
from rtsim.schedulers import LEARNER_RULES, RuleSpec, Setting, Steps
from rtsim.schedulers.learners import state_size
from rtsim.timing import Law, law
from tests.contract.scenarios import RULES, accepted, scenarios

every_rule = pytest.mark.parametrize("rule", RULES)


def spans_of(schedule: Schedule) -> dict[str, NDArray[np.int64]]:
    assert schedule.spans is not None
    return schedule.spans


@every_rule
@settings(max_examples=50)
@given(data=st.data())
def test_schedule_any_scenario_accounts_for_every_step_and_action(rule: str, data: st.DataObject) -> None:
    scenario = data.draw(scenarios(rule))
    schedule = simulate(scenario, spans=True)
    steps, spans = schedule.steps, spans_of(schedule)
    agent, default = int(schedule.acted.sum()), int((steps["worker"] == -1).sum())
    assert agent + default == len(schedule) == scenario.steps
    released, overwritten, dropped = (int(steps[name].sum()) for name in ("released", "overwritten", "dropped"))
    assert released == agent + overwritten + dropped + schedule.totals["stale_episode"] + schedule.totals["pending"]
    # No rule can act more often than its inferences yield actions.
    k = scenario.rule.actions_per_inference
    assert agent <= k * len(spans["worker"])
    assert released <= k * len(spans["worker"])
    # Each first action is used at most once, and by the step that says so.
    used = np.flatnonzero(spans["used_step"] >= 0)
    at = spans["used_step"][used]
    assert len(set(at.tolist())) == len(at)
    for name in ("worker", "inference", "observation", "start_ns", "end_ns"):
        assert np.array_equal(steps[name][at], spans[name][used])
    assert np.array_equal(steps["release_ns"][at], spans["release_ns"][used])
    assert set(at.tolist()) == set(np.flatnonzero(schedule.acted & (steps["chunk_index"] == 0)).tolist())
    # A chunk position is used at most once.
    keys = [tuple(row) for row in np.stack([steps[c] for c in ("worker", "inference", "chunk_index")]).T if row[0] >= 0]
    assert len(set(keys)) == len(keys)
    assert all(0 <= key[2] < k for key in keys)


@every_rule
@settings(max_examples=50)
@given(data=st.data())
def test_schedule_any_scenario_keeps_cause_before_effect(rule: str, data: st.DataObject) -> None:
    scenario = data.draw(scenarios(rule))
    schedule = simulate(scenario, spans=True)
    steps, spans, updates = schedule.steps, spans_of(schedule), schedule.updates
    acted = schedule.acted
    a = {name: column[acted] for name, column in steps.items()}
    assert steps["time_ns"][0] == 0
    assert (np.diff(steps["time_ns"]) >= 1).all()
    assert (steps["time_ns"][a["observation"]] <= a["start_ns"]).all()
    assert (a["start_ns"] <= a["end_ns"]).all()
    assert (a["end_ns"] <= a["release_ns"]).all()
    assert (a["release_ns"] <= a["time_ns"]).all()
    assert (schedule.delay_steps >= 0).all()
    for name in ("observation", "worker", "inference", "start_ns", "end_ns", "release_ns", "version"):
        assert (steps[name][~acted] == -1).all()
    # Worker by worker: numbered from 0, one at a time (a pipeline: one start at a time).
    for worker in range(scenario.workers):
        mine = np.flatnonzero(spans["worker"] == worker)
        assert (spans["inference"][mine] == np.arange(len(mine))).all()
        starts, ends = spans["start_ns"][mine], spans["end_ns"][mine]
        assert (starts[1:] >= (starts if rule == "pipeline" else ends)[:-1]).all()
        # At most one inference of zero length per observation.
        zero = spans["observation"][mine][starts == ends]
        assert len(set(zero.tolist())) == len(zero)
    assert (np.diff(spans["end_ns"]) >= 0).all()
    released = spans["release_ns"] >= 0
    assert (spans["release_ns"] >= spans["end_ns"])[released].all()
    # Parameters: landed before they were used, and none skipped.
    landed = np.searchsorted(updates["land_ns"], a["start_ns"], side="right")
    assert (a["version"] <= landed).all()
    assert (a["version"] >= np.searchsorted(updates["land_ns"], a["start_ns"], side="left")).all()
    assert updates["version"].tolist() == list(range(1, len(updates["version"]) + 1))
    assert (updates["start_ns"] <= updates["end_ns"]).all()
    assert (updates["end_ns"] <= updates["land_ns"]).all()
    assert (np.diff(updates["land_ns"]) >= 0).all()
    assert (updates["read_version"] < updates["version"]).all()
    assert (updates["data_step"] >= scenario.learning_starts).all()


@every_rule
@settings(max_examples=50)
@given(data=st.data())
def test_inference_any_scenario_sees_the_newest_observation(rule: str, data: st.DataObject) -> None:
    scenario = data.draw(scenarios(rule))
    schedule = simulate(scenario, spans=True)
    spans, times = spans_of(schedule), schedule.steps["time_ns"]
    newest = np.searchsorted(times, spans["start_ns"], side="right") - 1
    if scenario.rule.options.get("order") == "learn_act" and scenario.learning_time is not None:
        # The observation was read when the learning before it began.
        updates = schedule.updates
        begin = dict(zip(updates["land_ns"].tolist(), updates["start_ns"].tolist(), strict=True))
        read_at = [begin.get(t, t) for t in spans["start_ns"].tolist()]
        newest = np.searchsorted(times, read_at, side="right") - 1
        positive = np.array([begin.get(t, t) < t for t in spans["start_ns"].tolist()], dtype=bool)
        late = spans["observation"] >= scenario.learning_starts
        assert np.array_equal(spans["observation"][positive & late], newest[positive & late])
        assert (spans["observation"] <= np.searchsorted(times, spans["start_ns"], side="right") - 1).all()
    else:
        assert np.array_equal(spans["observation"], newest)


@every_rule
@settings(max_examples=25)
@given(data=st.data())
def test_schedule_same_seed_twice_has_the_same_bytes(rule: str, data: st.DataObject) -> None:
    scenario = data.draw(scenarios(rule))
    first, second = simulate(scenario, spans=True), simulate(scenario.with_(), spans=True)
    assert first.to_bytes() == second.to_bytes()
    # Keeping spans only adds them.
    bare = simulate(scenario)
    assert bare.spans is None
    assert replace(first, spans=None).to_bytes() == bare.to_bytes()


@every_rule
def test_schedule_other_seed_differs(rule: str) -> None:
    scenario = Scenario(rule, "lognorm(mean=84ms, cv=0.3)", workers=3, steps=200)
    assert simulate(scenario).diff(simulate(scenario.with_(seed=1))) is not None


def test_schedule_other_process_and_hash_seed_has_the_same_bytes() -> None:
    code = (
        "import hashlib, rtsim\n"
        "s = rtsim.Scenario('max_time(window=50)', 'lognorm(mean=84ms, cv=0.3)', workers=6, steps=500,\n"
        "                   learning_time='200ms', learners=3, mailbox='fifo(2)')\n"
        "print(hashlib.sha256(rtsim.simulate(s, spans=True).to_bytes()).hexdigest())"
    )
    root = str(Path(rtsim.schedulers.__file__).parents[2])
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": root},
            capture_output=True,
            check=True,
            text=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(outputs) == 1


# A rule never sees the future.


def rows_equal(one: Schedule, other: Schedule, rows: int) -> None:
    for name, column in one.steps.items():
        assert np.array_equal(column[:rows], other.steps[name][:rows]), name


@every_rule
@settings(max_examples=30)
@given(data=st.data())
def test_schedule_run_of_twice_the_steps_begins_with_the_shorter_run(rule: str, data: st.DataObject) -> None:
    scenario = data.draw(scenarios(rule, max_steps=80))
    short = simulate(scenario, spans=True)
    long = simulate(scenario.with_(steps=2 * scenario.steps), spans=True)
    rows_equal(short, long, scenario.steps)
    updates = len(short.updates["version"])
    for name, column in short.updates.items():
        assert np.array_equal(column, long.updates[name][:updates]), name
    ended = len(spans_of(short)["worker"])
    for name in ("worker", "inference", "observation", "start_ns", "end_ns"):
        assert np.array_equal(spans_of(short)[name], spans_of(long)[name][:ended]), name
    assert (spans_of(long)["end_ns"][ended:] >= short.steps["time_ns"][-1]).all()


@dataclass(frozen=True)
class Forked(Law):
    """Like ``base`` for the first ``agree`` draws of every stream, then ``factor`` times as long."""

    base: Law
    agree: int
    factor: float

    @property
    def mean(self) -> float:
        return self.base.mean

    @property
    def upper(self) -> float:
        return self.base.upper

    def cdf(self, t: float) -> float:
        return self.base.cdf(t)

    def quantile(self, q: float) -> float:
        return self.base.quantile(q)

    def draw(self, uniforms: NDArray[np.float64], first: int = 0) -> NDArray[np.float64]:
        late = np.arange(first, first + len(uniforms)) >= self.agree
        return self.base.draw(uniforms, first) * np.where(late, self.factor, 1.0)

    def component(self, uniforms: NDArray[np.float64], first: int = 0) -> NDArray[np.int8]:
        return self.base.component(uniforms, first)

    def __str__(self) -> str:
        return str(self.base)


@every_rule
@settings(max_examples=40)
@given(data=st.data(), agree=st.integers(0, 12), factor=st.sampled_from([0.0, 0.5, 3.0]))
def test_schedule_laws_that_differ_from_draw_j_on_agree_until_it_ends(
    rule: str, data: st.DataObject, agree: int, factor: float
) -> None:
    scenario = data.draw(scenarios(rule))
    base = law("mixture(0.5: 20ms, 0.5: lognorm(mean=84ms, cv=0.3))")
    learning = None if scenario.learning_time is None else "25ms"
    scenario = scenario.with_(
        step_time="10ms", inference_time=base, dispatch_time=None, learning_time=learning, learning_starts=0
    )
    assume(accepted(scenario))
    runs = [simulate(scenario.with_(inference_time=Forked(base, agree, share)), spans=True) for share in (1.0, factor)]
    # The first inference that takes different times ends at the earlier of the two.
    firsts = [spans_of(run)["end_ns"][spans_of(run)["inference"] >= agree] for run in runs]
    horizon = min((int(ends.min()) for ends in firsts if len(ends)), default=runs[0].steps["time_ns"][-1] + 1)
    rows_equal(*runs, int(np.searchsorted(runs[0].steps["time_ns"], horizon, side="left")))


def test_schedule_forked_law_differs_after_its_fork() -> None:
    # The test above is not vacuous: the laws do differ.
    base = law("lognorm(mean=84ms, cv=0.3)")
    scenario = Scenario("unstaggered", base, workers=3, steps=300)
    other = scenario.with_(inference_time=Forked(base, 5, 3.0))
    difference = simulate(scenario).diff(simulate(other))
    assert difference is not None
    assert int(difference.removeprefix("first differing step is ").split(":")[0]) > 5


# Capacity.


@every_rule
@settings(max_examples=30)
@given(data=st.data(), k=st.sampled_from([1, 3, 10, 25]), workers=st.integers(1, 8))
def test_inaction_constant_times_is_never_below_the_capacity_limit(
    rule: str, data: st.DataObject, k: int, workers: int
) -> None:
    scenario = data.draw(scenarios(rule, max_steps=400)).with_(
        step_time="10ms", inference_time=f"{k * 5}ms", workers=workers, dispatch_time=None, learning_time=None
    )
    assume(accepted(scenario))
    inaction = simulate(scenario).statistics().inaction_fraction
    # Of N workers each ends at most H/d inferences of length d in the horizon H of T − 1 steps
    # (a pipeline of L stages at most H·L/d), each yielding j actions. So at most N·L·j·(T − 1)·τ_M/d
    # of T steps are the agent's, and the boundary term is zero: nothing is under way at time 0.
    assert inaction >= scenario.capacity_limit - 1e-12


# Purity.

FOLDER = Path(rtsim.schedulers.__file__).parent
RULE_FILES = ("free_running.py", "staggered.py", "deadlines.py", "learners.py", "rule.py")
IMPURE = {"simpy", "numba", "torch", "time", "threading", "random", "numpy", "scipy", "os", "datetime", "asyncio"}


@pytest.mark.parametrize("file", RULE_FILES)
def test_rule_file_imports_no_clock_randomness_or_arrays(file: str) -> None:
    imported = set()
    for node in ast.walk(ast.parse((FOLDER / file).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            imported |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add(node.module or "")
    assert imported
    assert not {name.partition(".")[0] for name in imported} & IMPURE
    assert not {
        name for name in imported if name.startswith(("rtsim.clocks", "rtsim.timing.streams", "rtsim.scenario"))
    }


#: Every branch of the rules' arithmetic.
VARIANTS = (
    "sequential",
    "sequential(order=learn_act, wait_observation=true)",
    "one_step_lag",
    "unstaggered",
    "max_time",
    "max_time(printed=true, epsilon=1ms)",
    "max_time(initial_max=p99, window=7, quantile=p90)",
    "exp_time",
    "exp_time(printed=true)",
    "phase_locked",
    "phase_locked(window=3)",
    "time_triggered",
    "time_triggered(deadline=3steps, late=release)",
    "earliest_deadline",
    "earliest_deadline(deadline=12steps, late=release, give_up=p10)",
    "chunking(size=3, growth=0.5)",
    "pipeline(layers=3)",
    "pipeline(layers=3, skip=true)",
)


@pytest.mark.parametrize("text", VARIANTS)
def test_rule_functions_fed_plain_ints_answer_plain_ints(text: str) -> None:
    workers = 4
    program = RuleSpec.of(text).program(Setting(workers, law("lognorm(mean=84ms, cv=0.3)"), Fraction(10**13, 597_275)))
    memory = program.state
    assert all(type(value) is int for value in [*program.params, *memory])
    generator = np.random.default_rng(5)
    now, step, step_start = 0, 0, 0
    started = [0] * workers
    for turn in range(400):
        w = turn % workers
        answer = program.next_start(now, w, step, step_start, program.params, memory)
        assert type(answer) is int
        assert answer == now or answer > now or answer < -step - 1
        now += int(generator.integers(0, 40_000_000))
        while step_start + 16_742_706 <= now:
            step, step_start = step + 1, step_start + 16_742_706
        answers = program.on_end(now, w, started[w], max(step - 5, 0), step, step_start, program.params, memory)
        assert [type(value) for value in answers] == [int, int]
        assert answers[1] >= now
        started[w] = now
        assert all(type(value) is int for value in memory)


@pytest.mark.parametrize("name", sorted(LEARNER_RULES))
def test_learner_rule_functions_fed_plain_ints_answer_plain_ints(name: str) -> None:
    rule, learners = LEARNER_RULES[name], 3
    params, memory = [learners, 10, 4], [0] * state_size(learners)
    for learner in range(learners):
        for step in (0, 9, 10, 30):
            answer = rule.may_start(100, learner, step, params, memory)
            assert type(answer) is int
            assert answer == 100 or answer < -step - 1
            if answer == 100:
                break  # it has started
    for learner in range(learners):
        landing = [-7] * learners
        assert type(rule.on_learned(learner, params, memory, landing)) is int
        assert all(type(value) is int for value in [*landing, *memory])


def test_option_values_count_steps_as_ints() -> None:
    assert RuleSpec.of("time_triggered(deadline=40steps)").options["deadline"] == Steps(40)
