"""Processes that die, hang or complain: the environment keeps its rate, and the recording stays whole."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import psutil
import pytest

from rtsim.errors import FileProblem, InvalidValue
from rtsim.live import LiveFault, LivePlan, play
from rtsim.live import run as supervisor
from rtsim.live.virtual import replay
from rtsim.scenario import Scenario
from rtsim.schedule import Schedule

pytestmark = pytest.mark.realtime


def plan(steps: int = 180, workers: int = 4, **more: object) -> LivePlan:
    scenario = Scenario("time_triggered", "lognorm(mean=40ms, cv=0.1)", workers=workers, steps=steps, seed=1)
    return LivePlan(scenario, "blocks", "random", **more)  # type: ignore[arg-type]


def processes(parent: int) -> list[psutil.Process]:
    """The processes of a run, the environment first."""
    found = []
    for process in psutil.Process(parent).children():
        with contextlib.suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
            if "rtsim.live.process" in " ".join(process.cmdline()):
                found.append(process)
    return found


class After:
    """Calls something once the run has come to a step."""

    def __init__(self, step: int, what) -> None:
        self.step, self.what, self.done = step, what, False

    def __call__(self, status: supervisor.Status) -> None:
        if not self.done and status.step >= self.step:
            self.done = True
            self.what()


def ended() -> bool:
    limit = time.monotonic() + 2
    while processes(os.getpid()) and time.monotonic() < limit:
        time.sleep(0.02)
    return not processes(os.getpid())


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "hung"])
def test_a_lost_worker_is_replaced_and_the_environment_keeps_its_rate(how, monkeypatch):
    monkeypatch.setattr(supervisor, "HUNG", 0.7)
    after = After(30, lambda: processes(os.getpid())[2].send_signal(how))
    schedule = play(plan(steps=300), on_status=after)
    assert after.done
    assert len(schedule) == 300
    faults = schedule.header["live"]["faults"]
    assert [fault["process"] for fault in faults] == ["worker 1"]
    assert faults[0]["restarted"]
    assert ("signal 9" if how == signal.SIGKILL else "hung") in faults[0]["what"]
    lost_at = int(faults[0]["time_s"] * 59.7275)
    acted = schedule.acted
    # The other three workers go on, and at the end all four act.
    assert acted[lost_at : lost_at + 20].mean() > 0.5
    assert 1 in schedule.steps["worker"][-30:]
    assert replay(schedule).faithful
    assert ended()


def test_a_worker_that_dies_again_and_again_is_given_up(monkeypatch):
    def kill() -> None:
        for process in processes(os.getpid())[1:2]:
            process.kill()

    after = After(20, kill)
    schedule = play(plan(restarts=0), on_status=after)
    assert [fault["restarted"] for fault in schedule.header["live"]["faults"]] == [False]
    assert len(schedule) == 180
    assert (schedule.steps["worker"][-60:] != 0).all()
    assert schedule.acted[-60:].any()


def test_a_worker_that_hangs_before_it_is_ready_is_replaced(monkeypatch):
    """A process that was started again and never says anything; its successor says that it lives."""

    def spawn(run: supervisor._Run, place: int) -> supervisor._Child:
        return supervisor._Child(place, subprocess.Popen(["sleep", "60"]), tempfile.TemporaryFile())

    monkeypatch.setattr(supervisor._Run, "_spawn", spawn)
    with supervisor._Run(plan(workers=1, restarts=2), None, {}) as run:
        run.losses = SimpleNamespace(lose=lambda place: [], let_in=lambda place: [], unstick=list)  # type: ignore[assignment]
        run.children = [run._spawn(0), run._spawn(1)]
        hung = run.children[1]
        run._look_after()
        assert run.faults == []  # it has time
        hung.since -= int(supervisor.READY_LIMIT * 1e9)
        run._look_after()
        assert hung.process.poll() == -signal.SIGKILL
        assert [(fault["what"], fault["restarted"]) for fault in run.faults] == [
            ("took more than 120 s to get ready", True)
        ]
        run.memory.pulses[1] = time.monotonic_ns()
        run._look_after()
        assert len(run.faults) == 1
        assert run.children[1].ready


def test_a_killed_environment_ends_the_run_and_leaves_what_was_recorded(tmp_path):
    began = [0.0]

    def kill() -> None:
        began[0] = time.monotonic()
        processes(os.getpid())[0].kill()

    schedule = play(plan(steps=3000), on_status=After(60, kill))
    assert time.monotonic() - began[0] < 2
    assert 60 <= len(schedule) < 300
    assert schedule.header["live"]["ended"] == "environment lost"
    schedule.save(tmp_path / "run.npz")
    assert replay(Schedule.load(tmp_path / "run.npz")).faithful
    assert ended()


def test_ctrl_c_ends_everything_and_keeps_the_recording(tmp_path):
    path = tmp_path / "run.npz"
    command = [sys.executable, "-m", "rtsim", "play", "--workers", "3", "--inference-time", "40ms"]
    command += ["--seconds", "600", "--record", str(path)]
    running = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    limit = time.monotonic() + 60
    while len(processes(running.pid)) < 4 and time.monotonic() < limit:
        time.sleep(0.05)
    time.sleep(4)
    children = processes(running.pid)
    before = time.monotonic()
    running.send_signal(signal.SIGINT)
    try:
        out, err = running.communicate(timeout=20)
    finally:
        running.kill()
    assert time.monotonic() - before < 4  # of which the tables and the file take a part
    assert running.returncode == 130, err
    assert "steps" in out
    assert not psutil.wait_procs(children, timeout=1)[1]
    schedule = Schedule.load(path)
    assert len(schedule) > 20
    assert schedule.header["live"]["ended"] == "interrupted"
    assert replay(schedule).faithful


@pytest.mark.parametrize(
    "signals",
    [(signal.SIGINT, signal.SIGINT), (signal.SIGINT, signal.SIGTERM), (signal.SIGHUP,)],
    ids=["Ctrl-C twice", "Ctrl-C, then ended", "terminal closed"],
)
def test_impatience_does_not_lose_the_recording(signals, tmp_path):
    path = tmp_path / "run.npz"
    command = [sys.executable, "-m", "rtsim", "play", "--workers", "2", "--inference-time", "40ms"]
    command += ["--seconds", "600", "--record", str(path)]
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)  # what nohup ignores its children would ignore, too
    try:
        running = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    finally:
        signal.signal(signal.SIGHUP, before)
    try:
        limit = time.monotonic() + 60
        while len(processes(running.pid)) < 3 and time.monotonic() < limit:
            time.sleep(0.05)
        time.sleep(4)
        for number in signals:
            running.send_signal(number)
            time.sleep(0.08)
        _, err = running.communicate(timeout=30)
    finally:
        running.kill()
    assert running.returncode == 130, err
    assert len(Schedule.load(path)) > 20
    assert [f.name for f in tmp_path.iterdir()] == ["run.npz"]


@pytest.mark.parametrize("where", ["finish", "_leave", "__exit__"])
def test_ctrl_c_after_the_last_step_does_not_lose_the_recording(where, monkeypatch):
    """Without processes: what is recorded stands for itself, only when Ctrl-C comes matters."""
    method, told = getattr(supervisor._Run, where), []

    def interrupted(run: supervisor._Run, *arguments: object) -> object:
        signal.raise_signal(signal.SIGINT)
        return method(run, *arguments)

    for name in ("start", "supervise"):
        monkeypatch.setattr(supervisor._Run, name, lambda run: None)
    monkeypatch.setattr(supervisor._Run, where, interrupted)
    monkeypatch.setattr(supervisor.Recorder, "schedule", lambda recorder, about: told.append(about) or "recorded")
    try:
        found = play(plan())
    except KeyboardInterrupt:
        pytest.fail("the recording was lost")
    assert found == "recorded"
    assert [about["ended"] for about in told] == [""]


def test_a_hung_environment_ends_the_run_and_leaves_what_was_recorded(monkeypatch):
    monkeypatch.setattr(supervisor, "HUNG", 0.7)
    schedule = play(plan(steps=3000), on_status=After(60, lambda: processes(os.getpid())[0].suspend()))
    assert 60 <= len(schedule) < 300
    assert schedule.header["live"]["ended"] == "environment lost"
    assert schedule.header["live"]["faults"][0]["process"] == "environment process"
    assert "hung" in schedule.header["live"]["faults"][0]["what"]
    assert ended()


def test_learners_faster_than_the_recorder_wait_and_lose_no_row():
    scenario = Scenario(
        "max_time", "40ms", workers=1, steps=120, learning_time="1us", learners=2, learner_rule="lock_free"
    )
    schedule = play(LivePlan(scenario, "blocks"))
    assert schedule.header["live"]["rows_lost"] == 0
    versions = schedule.updates["version"]
    assert len(versions) > 1000
    np.testing.assert_array_equal(versions, np.arange(1, len(versions) + 1))
    assert (np.diff(schedule.updates["land_ns"]) >= 0).all()


def test_nobody_outlives_a_killed_supervisor():
    command = [sys.executable, "-m", "rtsim", "play", "--workers", "3", "--inference-time", "40ms", "--seconds", "600"]
    running = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    limit = time.monotonic() + 60
    while len(processes(running.pid)) < 4 and time.monotonic() < limit:
        time.sleep(0.05)
    time.sleep(2)
    children = processes(running.pid)
    assert len(children) == 4
    running.kill()
    running.wait()
    assert not psutil.wait_procs(children, timeout=2)[1]


def test_an_agent_that_cannot_play_is_told_of_before_any_process_starts(monkeypatch, tmp_path):
    def no_process(*_: object) -> None:
        raise AssertionError("a process was started")

    monkeypatch.setattr("rtsim.live.run._Run.start", no_process)
    plan = LivePlan(Scenario("max_time", "40ms", steps=60), "atari:Boxing", "scripted")
    with pytest.raises(InvalidValue, match=r"no scripted player for atari"):
        play(plan)
    with pytest.raises(FileProblem, match="cannot read weights"):
        play(plan.with_(agent=f"greedy:{tmp_path / 'none.pt'}"))


def test_an_agent_that_throws_is_told_of_before_the_run_begins(tmp_path):
    pytest.importorskip("torch")
    damaged = tmp_path / "weights.pt"
    damaged.write_bytes(b"no weights")
    bad = LivePlan(Scenario("max_time", "40ms", steps=60), "blocks", f"greedy:{damaged}", network="resnet15-k1")
    # In rtsim's own words, without the name of a class.
    with pytest.raises(LiveFault, match=r"could not begin: cannot read weights"):
        play(bad)


def test_a_late_environment_stops_logical_time_for_all():
    """Learners and workers of a stopped environment wait; their work does not run away in zero time."""
    scenario = Scenario(
        "max_time(initial_max=p99.9)", "20ms", workers=3, steps=240, seed=1, learning_time="10ms", learners=2
    )

    def stall() -> None:
        environment = processes(os.getpid())[0]
        environment.suspend()
        threading.Timer(0.5, environment.resume).start()

    after = After(60, stall)
    schedule = play(LivePlan(scenario, "blocks"), on_status=after)
    assert after.done
    assert len(schedule) == 240
    assert schedule.live is not None
    assert schedule.live["late_ns"].max() > 300_000_000
    assert schedule.header["live"]["rows_lost"] == 0
    assert schedule.header["live"]["faults"] == []
    spans = schedule.spans
    assert spans is not None
    # Of constant times: what ended while the environment stood still may be late, but nothing is early.
    assert (spans["end_ns"] - spans["start_ns"]).min() >= 20_000_000
    assert (schedule.updates["end_ns"] - schedule.updates["start_ns"]).min() >= 10_000_000


def test_two_runs_at_once_do_not_collide():
    found: dict[int, Schedule] = {}

    def one(index: int) -> None:
        found[index] = play(plan(steps=120, workers=2))

    threads = [threading.Thread(target=one, args=(index,)) for index in range(2)]
    for thread in threads:
        thread.start()
        time.sleep(1.0)  # the supervisor looks at its emulator before it starts, and a process can hold only one
    for thread in threads:
        thread.join()
    for schedule in found.values():
        assert len(schedule) == 120
        assert replay(schedule).faithful
    assert len(found) == 2


def test_a_full_disk_is_met_before_the_run(tmp_path):
    script = f"""
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
from rtsim.cli.main import main
words = "play --workers 2 --inference-time 40ms --seconds 60 --record {tmp_path}/r.npz"
sys.exit(main(words.split()))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "cannot write" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_no_shared_memory_has_a_name():
    before = set(Path("/dev/shm").iterdir()) if Path("/dev/shm").is_dir() else set()
    seen: list[set[Path]] = []
    play(plan(steps=60), on_status=lambda status: seen.append(set(Path("/dev/shm").iterdir())))
    assert seen
    assert np.all([not {p for p in after - before if "rtsim" in p.name} for after in seen])
