"""Real processes, real deadlines: what is recorded is what the same rule does in the simulator.

A disturbed machine lengthens durations, and they are recorded as they were; so the comparisons
here do not depend on how busy the machine is, except through calls that come in another order
than their times, which the bound of 99 % leaves room for.
"""

from __future__ import annotations

import numpy as np
import pytest

from rtsim.live import LivePlan, play
from rtsim.live.agreement import identity, simulate_recorded
from rtsim.live.summary import summary
from rtsim.live.virtual import replay
from rtsim.scenario import Scenario
from rtsim.schedule import Schedule
from tests.live.live_runs import LAW, STEPS, run

pytestmark = pytest.mark.realtime


@pytest.fixture(scope="module")
def recorded() -> Schedule:
    """The scripted player on the falling blocks, an action ready at every step."""
    return run("time_triggered", workers=6, agent="scripted")


CASES = [
    ("sequential", LAW, 1, {}),
    ("sequential(order=learn_act)", LAW, 1, {"learning_time": "20ms"}),
    ("one_step_lag", "8ms", 1, {}),
    ("unstaggered", LAW, 4, {"mailbox": "fifo(2)"}),
    ("max_time", LAW, 4, {}),
    ("exp_time", "gamma(mean=50ms, cv=0.3)", 4, {}),
    ("phase_locked", LAW, 4, {}),
    ("time_triggered", LAW, 6, {}),
    ("earliest_deadline(deadline=p99)", LAW, 4, {}),
    ("chunking(size=4)", LAW, 2, {}),
    ("max_time(initial_max=p99.9)", LAW, 5, {}),
]


@pytest.mark.parametrize(("rule", "law", "workers", "more"), CASES, ids=[case[0] for case in CASES])
def test_a_live_run_simulated_with_its_own_durations_has_the_same_sources(rule, law, workers, more):
    schedule = run(rule, law, workers, **more)
    assert len(schedule) == STEPS
    assert schedule.header["live"]["faults"] == []
    found = identity(schedule)
    assert found.share >= 0.99, found.mismatches[:3]
    # Something must have been decided, or equality would be empty.
    assert schedule.acted.mean() > 0.15


@pytest.mark.parametrize("rule", ["round_robin", "lock_free", "parallel"])
def test_learners_land_as_the_simulator_has_it(rule):
    schedule = run(
        "max_time(initial_max=p99.9)", LAW, 5, learning_time="uniform(20ms, 40ms)", learners=2, learner_rule=rule
    )
    simulated = simulate_recorded(schedule)
    count = len(schedule.updates["version"])
    assert count >= 40  # two seconds, at most 40 ms each and some overhead
    columns = ["start_ns", "end_ns", "land_ns", "data_step", "read_version", "version", "batch"]
    # What lands as one is recorded as one, under the number of one of its learners.
    columns += [] if rule == "parallel" else ["learner"]
    same = {c: float(np.mean(schedule.updates[c] == simulated.updates[c][:count])) for c in columns}
    assert min(same.values()) >= 0.9, same
    assert np.mean(schedule.steps["version"] == simulated.steps["version"]) >= 0.95


@pytest.mark.parametrize(("game", "agent"), [("blocks", "scripted"), ("walk", "random"), ("atari:Boxing", "random")])
def test_a_replay_reproduces_every_reward_observation_and_action(game, agent):
    schedule = run("time_triggered", LAW, 6, game=game, agent=agent)
    found = replay(schedule)
    assert found.faithful, found.first_difference
    assert found.steps == found.rewards == found.observations == STEPS
    assert found.actions == found.actions_checked > STEPS / 2


def test_a_recording_that_was_tampered_with_does_not_replay(recorded: Schedule, tmp_path):
    recorded.save(tmp_path / "run.npz")
    schedule = Schedule.load(tmp_path / "run.npz")
    assert schedule.live is not None
    schedule.live["action"][60] = 0 if schedule.live["action"][60] else 1
    found = replay(schedule)
    assert not found.faithful
    assert found.first_difference.startswith("action of step 60")


def test_a_recording_survives_its_file(recorded: Schedule, tmp_path):
    recorded.save(tmp_path / "run.npz")
    again = Schedule.load(tmp_path / "run.npz")
    assert recorded.diff(again) is None
    assert recorded.header == again.header
    assert recorded.live is not None
    assert again.live is not None
    for name, column in recorded.live.items():
        np.testing.assert_array_equal(column, again.live[name])


def test_the_pace_does_not_drift(recorded: Schedule):
    found = summary(recorded)
    assert recorded.steps["time_ns"][-1] == round((STEPS - 1) * 1e9 / 59.7275)
    assert sum(found.histogram) == STEPS
    # Within one frame of ideal at the end, however disturbed the machine was in between.
    assert found.drift_s < 1 / 59.7275


def test_an_observation_is_never_of_the_future_and_workers_do_not_overlap(recorded: Schedule):
    spans = recorded.spans
    assert spans is not None
    starts = recorded.steps["time_ns"]
    assert (starts[spans["observation"]] <= spans["start_ns"]).all()
    assert (spans["began_ns"] >= spans["start_ns"]).all()
    assert (spans["posted_ns"] >= spans["end_ns"]).all()
    for worker in np.unique(spans["worker"]):
        own = spans["worker"] == worker
        assert (spans["start_ns"][own][1:] >= spans["end_ns"][own][:-1]).all()
        np.testing.assert_array_equal(spans["inference"][own], np.arange(own.sum()))


def test_real_inference_takes_the_time_of_the_network():
    torch = pytest.importorskip("torch")
    assert torch.__version__
    scenario = Scenario("sequential", "profile:epyc#resnet15-k1", steps=90, seed=1)
    schedule = play(LivePlan(scenario, "blocks", "greedy", "real", "resnet15-k1"))
    assert schedule.spans is not None
    times = schedule.spans["end_ns"] - schedule.spans["start_ns"]
    assert len(times) >= 5
    assert np.median(times) > 1_000_000  # a million parameters are not passed in less than a millisecond
    found = replay(schedule)
    assert found.faithful, found.first_difference
    assert found.actions == found.actions_checked > 0
