"""Trainings in real processes: what is recorded, what is learnt, and what becomes of it when a process is lost.

The steps of a run and how long things took differ from time to time; what is checked here follows from the record
whatever they were.
"""

from __future__ import annotations

import math
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

import torch

from rtsim.errors import FileProblem
from rtsim.learning import load, memory_file
from rtsim.live import RunInterrupted, Status, play
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

#: Processes that learn all the time make hundreds of updates in these steps; one that also acts, some tens.
RULES = {
    "round robin": {"learner_rule": "round_robin", "steps": 120},
    "lock-free": {"learner_rule": "lock_free", "steps": 120},
    "parallel": {"learner_rule": "parallel", "steps": 120},
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
    assert learner.version == found.learner.version
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
    columns = ["start_ns", "end_ns", "land_ns", "data_step", "batch"]
    same = {c: float(np.mean(schedule.updates[c] == simulated.updates[c][:count])) for c in columns}
    assert min(same.values()) >= 0.9, same
    # What was really read is as new as in the simulation, or newer by what landed until the process read it.
    newer = schedule.updates["read_version"] - simulated.updates["read_version"][:count]
    assert np.mean(newer >= 0) >= 0.9
    assert newer.mean() < 1


def test_a_run_that_learnt_plays_again_from_its_actions(trained, tmp_path):
    trained.schedule.save(tmp_path / "run.npz")
    read = Schedule.load(tmp_path / "run.npz")
    np.testing.assert_array_equal(read.updates["loss"], trained.schedule.updates["loss"])
    found = replay(read)
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


@pytest.mark.parametrize("trained", ["act, learn"], indirect=True)
def test_a_training_goes_on_from_its_checkpoint(trained, tmp_path):
    path = Path(checkpoint(trained.schedule))
    with pytest.raises(FileProblem, match="exists"):
        play(learning_plan(path.parent, "sequential", steps=90))
    for file in (path, memory_file(path)):
        shutil.copy(file, tmp_path)
    before, _ = load(tmp_path / path.name)
    second = play(learning_plan(tmp_path, "sequential", steps=90, resume=True))
    after, progress = load(tmp_path / path.name)
    # The Schedule counts from its own beginning, the learner from that of the training.
    assert second.updates["version"][0] == 1
    assert after.version - before.version == len(second.updates["version"])
    assert after.decisions > before.decisions
    assert after.memory.appended > before.memory.appended
    assert progress["live_steps"] == len(trained.schedule) + 90


def test_parallel_learners_go_on_without_a_lost_one(tmp_path):
    """Each of its updates needs all of them; see tests/live/test_landings.py for the other rules."""
    plan = learning_plan(tmp_path, learner_rule="parallel", steps=190, restarts=0)
    after = After(90, lambda: processes(os.getpid())[-1].kill())
    schedule = play(plan, on_status=after)
    assert after.done
    faults = schedule.header["live"]["faults"]
    assert [(fault["process"], fault["restarted"]) for fault in faults] == [("learner 1", False)]
    assert len(schedule) == 190
    late = schedule.updates["start_ns"] > faults[0]["time_s"] * 1e9 + 0.2e9
    assert late.sum() > 10
    assert set(schedule.updates["learner"][late].tolist()) == {0}
    assert set(schedule.updates["batch"][late].tolist()) == {SETTINGS.batch}
    assert replay(schedule).faithful
    assert ended()


def test_a_hung_learner_is_replaced_and_learns_again(tmp_path, monkeypatch):
    monkeypatch.setattr(supervisor, "HUNG", 0.7)
    updates = []

    def look(status: Status) -> None:
        if status.step >= 60 and not updates:
            processes(os.getpid())[-1].send_signal(signal.SIGSTOP)
        if status.step >= 60:
            updates.append(status.updates)
        if status.faults and status.updates > updates[0] + 20:  # they are those of its successor
            raise KeyboardInterrupt

    with pytest.raises(RunInterrupted) as stopped:
        play(learning_plan(tmp_path, learners=1, steps=3600), on_status=look)
    schedule = stopped.value.schedule
    assert schedule is not None
    faults = schedule.header["live"]["faults"]
    assert [(fault["process"], fault["restarted"]) for fault in faults] == [("learner 0", True)]
    assert "hung" in faults[0]["what"]
    assert load(checkpoint(schedule))[0].version > updates[0] + 20
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


def test_a_checkpoint_that_cannot_be_written_is_told_and_the_one_before_stays(tmp_path):
    class Full:
        def save(self, *_: object) -> None:
            raise FileProblem("cannot write checkpoint 'x': No space left on device")

    with supervisor._Run(learning_plan(tmp_path), None, {}) as run:
        run._save(Full())  # type: ignore[arg-type]
        assert [fault["process"] for fault in run.faults] == ["checkpoint"]
        assert "No space left" in run.faults[0]["what"]


def test_ctrl_c_while_processes_start_leaves_no_file(tmp_path, monkeypatch):
    """A checkpoint without its replay memory could neither be gone on from nor begun anew."""

    def interrupt(*_: object) -> None:
        assert list(tmp_path.iterdir())  # the replay memory is there by now
        raise KeyboardInterrupt

    monkeypatch.setattr(supervisor._Run, "_spawn", interrupt)
    with pytest.raises(RunInterrupted) as stopped:
        play(learning_plan(tmp_path))
    assert stopped.value.schedule is None
    assert list(tmp_path.iterdir()) == []


def test_what_only_holds_back_imports_no_torch():
    """72 processes with torch would take 11 GB."""
    modules = "process, environment, workers, learners, landings, run, agents"
    code = f"import sys; from rtsim.live import {modules}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
