"""Trainings in real processes: what is recorded, what is learnt, and what becomes of it when a process is lost.

The steps of a run and how long things took differ from time to time; what is checked here follows from the record
whatever they were.
"""

from __future__ import annotations

import math
import os
import signal

import numpy as np
import pytest

pytest.importorskip("torch")

import torch

from rtsim.errors import FileProblem
from rtsim.learning import load
from rtsim.live import play
from rtsim.live import run as supervisor
from rtsim.live.agreement import identity, simulate_recorded
from rtsim.live.training import LiveTraining, train
from rtsim.live.virtual import replay
from rtsim.networks.files import load_weights
from rtsim.schedule import Schedule
from tests.live.learning_runs import SETTINGS, learning_plan
from tests.live.relearn import relearn
from tests.live.test_live_faults import After, ended, processes

pytestmark = pytest.mark.realtime

RULES = {
    "round robin": {"learner_rule": "round_robin"},
    "lock-free": {"learner_rule": "lock_free"},
    "parallel": {"learner_rule": "parallel"},
    "act, learn": {"rule": "sequential"},
    "learn, act": {"rule": "sequential(order=learn_act)"},
}


@pytest.fixture(scope="module", params=RULES)
def trained(request, tmp_path_factory) -> LiveTraining:
    return train(learning_plan(tmp_path_factory.mktemp("run"), **RULES[request.param]), row_steps=50)


def checkpoint(schedule: Schedule) -> str:
    found: str = schedule.header["live"]["plan"]["learning"]["checkpoint"]
    return found


def test_the_weights_are_those_of_the_same_gradients_applied_one_after_the_other(trained):
    """Versions, batches, order of landing and choices, all from the record: bit for bit what the processes made."""
    schedule = trained.schedule
    found = relearn(schedule)
    learner, progress = load(checkpoint(schedule))
    # What landed after the last step is in the checkpoint and not in the record.
    assert 0 <= learner.version - found.learner.version <= 2
    if learner.version == found.learner.version:
        mine, theirs = learner.state(), found.learner.state()
        for name, weight in mine["weights"].items():
            torch.testing.assert_close(weight, theirs["weights"][name], rtol=0, atol=0)
            torch.testing.assert_close(mine["target"][name], theirs["target"][name], rtol=0, atol=0)
    assert found.same == found.actions > 20
    assert progress["live_steps"] == len(schedule)
    assert learner.memory.appended <= found.learner.memory.appended


def test_versions_rise_and_are_never_of_the_future(trained):
    schedule = trained.schedule
    updates, steps = schedule.updates, schedule.steps
    count = len(updates["version"])
    assert count > 10
    np.testing.assert_array_equal(updates["version"], np.arange(1, count + 1))
    assert (updates["read_version"] < updates["version"]).all()
    assert (np.diff(updates["land_ns"]) >= 0).all()
    acted = schedule.acted
    landed = np.searchsorted(updates["land_ns"], steps["end_ns"][acted], side="right")
    assert (steps["version"][acted] <= landed).all()
    # And not of the past: the newest that there was when the inference started.
    known = np.searchsorted(updates["land_ns"], steps["start_ns"][acted], side="left")
    assert (steps["version"][acted] >= known).all()
    assert np.isfinite(updates["loss"]).all()


def test_the_simulator_makes_the_same_schedule_of_the_recorded_durations(trained):
    schedule = trained.schedule
    assert schedule.header["live"]["faults"] == []
    assert identity(schedule).share >= 0.99
    simulated = simulate_recorded(schedule)
    count = len(schedule.updates["version"])
    columns = ["start_ns", "end_ns", "land_ns", "data_step", "read_version", "batch"]
    same = {c: float(np.mean(schedule.updates[c] == simulated.updates[c][:count])) for c in columns}
    assert min(same.values()) >= 0.9, same


def test_a_run_that_learnt_plays_again_from_its_actions(trained):
    found = replay(trained.schedule)
    assert found.faithful, found.first_difference
    assert found.rewards == found.observations == len(trained.schedule)
    assert found.actions_checked == 0  # the weights of then are not kept


def test_the_curve_adds_up_to_the_record(trained):
    schedule, rows = trained.schedule, trained.rows
    assert schedule.live is not None
    assert [row.step for row in rows] == [*range(50, len(schedule), 50), len(schedule)]
    assert math.isclose(sum(row.reward for row in rows), schedule.live["reward"].sum())
    assert sum(row.updates for row in rows) == len(schedule.updates["version"])
    inaction = sum(row.inaction * 50 for row in rows[:-1])
    executed = schedule.acted & (schedule.live["stale"] == 0)
    assert math.isclose(inaction, (~executed[: 50 * (len(rows) - 1)]).sum())


def test_the_checkpoint_plays(trained, tmp_path):
    path = checkpoint(trained.schedule)
    architecture, weights = load_weights(path)
    assert architecture is not None
    assert architecture.name == SETTINGS.network
    from rtsim.live.agents import Question
    from rtsim.live.network import NetworkAgent

    agent = NetworkAgent("", architecture.actions, 0, path)
    nothing = np.zeros(0, np.uint8)
    (action,) = agent.choose(Question(np.zeros(7056, np.uint8), nothing, 0, 0, 0, 1))
    assert 0 <= action < architecture.actions
    assert weights


def test_a_training_goes_on_from_its_checkpoint(tmp_path):
    plan = learning_plan(tmp_path, steps=90)
    first = play(plan)
    path = checkpoint(first)
    with pytest.raises(FileProblem, match="exists"):
        play(plan)
    before, _ = load(path)
    second = play(learning_plan(tmp_path, steps=90, resume=True))
    after, progress = load(path)
    # The Schedule counts from its own beginning, the learner from that of the training.
    assert second.updates["version"][0] == 1
    assert after.version - before.version in range(len(second.updates["version"]), len(second.updates["version"]) + 3)
    assert after.decisions > before.decisions
    assert after.memory.appended > before.memory.appended
    assert progress["live_steps"] == 180


@pytest.mark.parametrize("rule", ["round_robin", "parallel"])
def test_a_lost_learner_keeps_nobody_waiting(rule, tmp_path):
    plan = learning_plan(tmp_path, learner_rule=rule, learners=3, steps=240, restarts=0)
    after = After(90, lambda: processes(os.getpid())[-2].kill())  # learner 1
    schedule = play(plan, on_status=after)
    assert after.done
    faults = schedule.header["live"]["faults"]
    assert [(fault["process"], fault["restarted"]) for fault in faults] == [("learner 1", False)]
    assert len(schedule) == 240
    late = schedule.updates["start_ns"] > faults[0]["time_s"] * 1e9 + 0.2e9
    assert late.sum() > 10
    assert 1 not in schedule.updates["learner"][late]
    if rule == "parallel":
        assert set(schedule.updates["batch"][late].tolist()) == {2 * SETTINGS.batch}
    assert replay(schedule).faithful
    assert ended()


def test_a_hung_learner_is_replaced_and_learns_again(tmp_path, monkeypatch):
    monkeypatch.setattr(supervisor, "HUNG", 0.7)
    plan = learning_plan(tmp_path, steps=720)
    after = After(60, lambda: processes(os.getpid())[-1].send_signal(signal.SIGSTOP))
    schedule = play(plan, on_status=after)
    faults = schedule.header["live"]["faults"]
    assert [(fault["process"], fault["restarted"]) for fault in faults] == [("learner 1", True)]
    assert 1 in schedule.updates["learner"][-20:]
    assert ended()


def test_learning_that_diverges_ends_the_run_in_a_line_and_keeps_the_checkpoint(tmp_path):
    wild = SETTINGS.with_(network="mlp(8,8,8,8,8,8)", learning_rate=1e6)
    found = train(learning_plan(tmp_path, settings=wild, steps=600, every=0.1))
    assert "learning diverged" in found.problem
    assert "\n" not in found.problem
    assert len(found.schedule) < 600
    learner, _ = load(checkpoint(found.schedule))
    assert all(torch.isfinite(weight).all() for weight in learner.parameters.weights.values())
    assert ended()


def test_a_checkpoint_that_cannot_be_written_is_told_and_the_run_goes_on(tmp_path, monkeypatch):
    from rtsim.live import keeper

    def full(*_: object) -> None:
        raise FileProblem("cannot write checkpoint 'x': No space left on device")

    monkeypatch.setattr(keeper, "save", full)
    schedule = play(learning_plan(tmp_path, steps=90, every=0.5))
    assert len(schedule) == 90
    faults = schedule.header["live"]["faults"]
    assert faults
    assert {fault["process"] for fault in faults} == {"checkpoint"}
    assert "No space left" in faults[0]["what"]
