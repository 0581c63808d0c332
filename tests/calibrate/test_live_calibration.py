"""What the live loop costs: how it is read off a recorded run, and short real runs."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import psutil
import pytest

import rtsim
from rtsim import Profile, Scenario, Schedule
from rtsim.calibrate import live as live_calibration
from rtsim.calibrate.copying import copy_times
from rtsim.calibrate.live import KINDS, RULES, LiveCalibration, costs, measure_live, signs_of_load, start_kinds
from rtsim.cli.main import main
from rtsim.errors import InvalidValue, MissingExtra
from rtsim.live import LivePlan, RunInterrupted
from rtsim.timing import LiveTimes, Samples, law

NAMES = {"dispatch", *(f"dispatch.{kind}" for kind in KINDS), "copy", "hand_over", "overshoot", "runtime"}


def children() -> set[int]:
    """Who lives; what another test has left behind is nobody's fault here."""
    return {child.pid for child in psutil.Process().children() if child.status() != psutil.STATUS_ZOMBIE}


def spans_of(**columns: list[int]) -> dict[str, Any]:
    return {name: np.array(values, np.int64) for name, values in columns.items()}


def test_start_kinds_by_hand() -> None:
    """Steps at 0, 10, 20; worker 0: 0-7, 7-12, 15-20, 20-24, 30-31; worker 1: 10-13, in order of ending.

    7 is the end before it: continued. 15 is neither: a timer. 20 is both a step and the end before it: continued, for
    nobody had to be woken. 30 is no step of this run. Worker 1 starts with step 10.
    """
    spans = spans_of(
        worker=[0, 0, 1, 0, 0, 0],
        inference=[0, 1, 0, 2, 3, 4],
        start_ns=[0, 7, 10, 15, 20, 30],
        end_ns=[7, 12, 13, 20, 24, 31],
    )
    schedule = cast(Schedule, SimpleNamespace(spans=spans, steps=spans_of(time_ns=[0, 10, 20])))
    named = [KINDS[kind] for kind in start_kinds(schedule)]
    assert named == ["step", "continued", "step", "timer", "continued", "timer"]


def lived(scenario: Scenario, beyond: int) -> Schedule:
    """A simulated run made to look like a live one whose costs are known."""
    simulated = rtsim.simulate(scenario, spans=True, engine="simpy")
    spans = dict(simulated.spans or {})
    count, steps = len(spans["start_ns"]), len(simulated)
    spans["began_ns"] = spans["start_ns"] + 30
    spans["end_ns"] = spans["end_ns"] + beyond
    spans["posted_ns"] = spans["end_ns"] + 7
    live = {
        "runtime_ns": np.full(steps, 11, np.int64),
        "emulator_ns": np.arange(steps, dtype=np.int64),
    }
    assert count > 100
    return cast(Schedule, SimpleNamespace(spans=spans, live=live, steps=simulated.steps))


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("beyond", [0, 5, -5])
def test_costs_of_a_run_with_known_ones(rule: str, beyond: int) -> None:
    scenario = Scenario(rule, "uniform(20ms, 60ms)", workers=4, steps=300)
    found = costs(lived(scenario, beyond), LivePlan(scenario, "blocks(level=3)"))
    assert set(found["overshoot"].tolist()) == {max(beyond, 0)}
    assert set(found["hand_over"].tolist()) == {7}
    dispatch = np.concatenate([found[f"dispatch.{kind}"] for kind in KINDS])
    assert set(dispatch.tolist()) == {30}
    assert len(dispatch) == len(found["hand_over"])
    # 300 steps are five seconds; the first half second is left out: 30 steps begin before it.
    assert found["emulator.blocks"].tolist() == list(range(30, 300))
    assert set(found["runtime"].tolist()) == {11}


def test_rules_start_inferences_in_the_three_ways() -> None:
    """What the simulation of each rule says of its starts: the kind it is there for is the commonest."""
    for rule, kind in zip(RULES, KINDS, strict=True):
        scenario = Scenario(rule, "uniform(20ms, 60ms)", workers=4, steps=300)
        kinds = start_kinds(rtsim.simulate(scenario, spans=True))
        assert np.bincount(kinds, minlength=3).argmax() == KINDS.index(kind)


@pytest.mark.realtime
def test_measure_live_short_runs_have_every_time_and_leave_nothing(tmp_path: Path) -> None:
    """Three runs of one second. Of each kind of start there are dozens unless the machine stands still."""
    told: list[tuple[str, float, int]] = []
    before = children()
    plan = LiveCalibration(("blocks(level=3)",), workers=3, seconds=1.0)
    times = measure_live(plan, on_progress=lambda *what: told.append(what))
    assert set(times.times) == NAMES | {"emulator.blocks"}
    count = {name: len(entry.samples_ns) for name, entry in times.times.items()}
    assert count["dispatch"] == sum(count[f"dispatch.{kind}"] for kind in KINDS) == count["overshoot"]
    assert min(count[f"dispatch.{kind}"] for kind in KINDS) >= 5
    # A run of 60 steps, less the fifth that it begins with, 12 of them.
    assert count["runtime"] == count["emulator.blocks"] == 3 * 48
    # All of it happened within the three seconds.
    assert sum(times.times["emulator.blocks"].samples_ns) + sum(times.times["runtime"].samples_ns) < 3.5e9
    assert all(0 <= ns < 1e9 for entry in times.times.values() for ns in entry.samples_ns)
    done = [done for _, done, _ in told]
    assert done == sorted(done)
    assert {0, 1, 2, 3} < set(done)  # and shares of a run between
    assert max(done) == 3
    assert {total for *_, total in told} == {4}
    assert times.settings["games"] == ["blocks(level=3)"]
    assert isinstance(times.settings["realtime_class"], bool)
    assert 0 < times.settings["busy_fraction"] <= 1
    assert children() <= before
    path = Profile("here", "", {}, {}, live=times).save(tmp_path / "p.json")
    assert Profile.load(path).live == times
    dispatch = law(f"profile:{path}#live.dispatch")
    assert dispatch.mean == pytest.approx(np.mean(times.times["dispatch"].samples_ns) / 1e9)
    scenario = Scenario("max_time", "20ms", steps=100, dispatch_time=f"profile:{path}#live.dispatch")
    assert scenario.inference_mean == pytest.approx(0.02 + dispatch.mean)


@pytest.mark.realtime
def test_measure_live_real_inference_has_no_overshoot() -> None:
    times = measure_live(LiveCalibration(workers=1, seconds=0.5, network="resnet15-k0.0625"))
    assert set(times.times) <= (NAMES - {"overshoot"}) | {"emulator.blocks"}
    assert {"dispatch", "hand_over", "copy", "runtime", "emulator.blocks"} <= set(times.times)
    assert times.settings["inference"] == "real resnet15-k0.0625"


@pytest.mark.realtime
def test_copy_times_are_of_distinct_observations() -> None:
    before = children()
    plan = next(LiveCalibration(seconds=1.0).plans())
    found = copy_times(plan, copies=100)
    # Some are passed over if this process wakes late; all of them, only if it does not wake for 200 ms.
    assert 1 <= len(found) <= 100
    assert (found > 0).all()
    assert children() <= before


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"games": ()}, "game"),
        ({"games": ("blocks", "blocks(level=2)")}, "'blocks' is given twice"),
        ({"workers": 0}, "workers 0"),
        ({"workers": True}, "workers True"),
        ({"workers": 1001}, "workers 1001"),
        ({"network": "alexnet"}, "alexnet"),
        ({"network": "resnet15-k1.2.3"}, "resnet15-k1.2.3"),
        ({"network": "resnet15-k0"}, "k 0.0"),
        ({"seconds": 0.1}, "0.1 s"),
        ({"seconds": float("nan")}, "nan s"),
        ({"seconds": 4000.0}, "4000"),
    ],
)
def test_live_calibration_wrong_value_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidValue, match=r"give|once|e\.g\.") as caught:
        LiveCalibration(**changes)
    assert said in str(caught.value)


def test_live_calibration_networks_that_do_not_fit_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    # Four of 4.3 GB (1B parameters of four bytes) and more.
    monkeypatch.setattr(live_calibration, "memory_available", lambda device: 16 * 10**9)
    with pytest.raises(InvalidValue, match=r"4 workers with resnet15-k98 need about .* GB .* 16 GB are free"):
        LiveCalibration(network="resnet15-k98").check()


# The command line, with a stand-in for the measurement.

TIMES = LiveTimes({"disturbed": 0}, {"dispatch": Samples((100_000, 300_000)), "emulator.blocks": Samples((80_000,))})
QUICK = ["calibrate", "--k", "0.0625", "--time-limit", "200ms", "--batch"]


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[LiveCalibration]:
    """The plans that are measured from now on, with ready answers."""
    plans: list[LiveCalibration] = []

    def answer(plan: LiveCalibration, *, on_progress: object = None) -> LiveTimes:
        plans.append(plan)
        return TIMES

    monkeypatch.setattr(live_calibration, "measure_live", answer)
    return plans


def test_calibrate_live_only_and_appended_networks_stand_in_one_profile(
    measured: list[LiveCalibration], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = str(tmp_path / "p.json")
    games = ["blocks", "atari:Boxing"]
    assert main(["calibrate", "--live", "only", "--game", *games, "--live-time", "2s", "--out", path]) == 0
    assert measured == [LiveCalibration(tuple(games), 4, 2.0)]
    out = capsys.readouterr().out
    assert f'--dispatch-time "profile:{path}#live.dispatch"' in out
    alone = Profile.load(path)
    assert (alone.live, alone.models) == (TIMES, {})
    assert alone.machine["cpu"]
    assert "torch" not in alone.machine
    assert main([*QUICK, "--live", "no", "--append", "--out", path]) == 0
    both = Profile.load(path)
    assert both.live == TIMES
    assert list(both.models) == ["resnet15-k0.0625"]
    assert both.machine["torch"]
    capsys.readouterr()
    assert main(["profiles", path]) == 0
    out = capsys.readouterr().out
    row = next(line for line in out.splitlines() if line.startswith(f" profile:{path}#live.dispatch "))
    assert "200 us ± 141.4 us" in row  # the mean of 100 and 300, and 200/√2
    assert "emulator per step, blocks" in out
    assert main(["profiles", path, "--json"]) == 0
    entry = json.loads(capsys.readouterr().out)["profiles"][0]["live"]["times"]["dispatch"]
    assert entry["summary"]["mean_ns"] == 200_000
    assert "samples_ns" not in entry
    compare = ["compare", "--inference-time", "50ms", "--dispatch-time", f"profile:{path}#live.dispatch"]
    assert main([*compare, "--steps", "200", "--seeds", "1", "--workers", "4", "--no-search"]) == 0
    assert "mean 50.2 ms" in capsys.readouterr().out


def test_calibrate_live_auto_without_emulators_says_so_and_measures_the_networks(
    measured: list[LiveCalibration],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def absent(self: LiveCalibration) -> None:
        raise MissingExtra("a Game Boy game", "stable-retro", "envs")

    monkeypatch.setattr(LiveCalibration, "check", absent)
    path = tmp_path / "p.json"
    assert main([*QUICK, "--out", str(path)]) == 0
    assert "not measured: a Game Boy game needs stable-retro" in capsys.readouterr().err
    assert Profile.load(path).live is None
    assert measured == []
    path.unlink()
    # Who asks for it is told that it cannot be had.
    for asked in (["calibrate", "--live", "only"], [*QUICK[:-1], "--game", "blocks"]):
        assert main([*asked, "--out", str(path)]) == 2
        captured = capsys.readouterr()
        assert captured.err.count("\n") == 1
        assert "stable-retro" in captured.err
        assert not path.exists()


def test_calibrate_live_auto_measures_both(measured: list[LiveCalibration], tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    assert main([*QUICK, "--out", str(path)]) == 0
    found = Profile.load(path)
    assert found.live == TIMES
    assert list(found.models) == ["resnet15-k0.0625"]
    assert measured == [LiveCalibration()]


def test_calibrate_live_interrupted_writes_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def stop(plan: LivePlan, on_status: object) -> Schedule:
        raise RunInterrupted(None)

    monkeypatch.setattr(live_calibration, "play", stop)
    path = tmp_path / "p.json"
    assert main(["calibrate", "--live", "only", "--out", str(path)]) == 130
    assert not path.exists()
    assert "interrupted; no run of the live loop is kept, no file was written" in capsys.readouterr().err
    before = Profile("old", "", {}, {}, live=TIMES).save(path).read_bytes()
    assert main([*QUICK, "--game", "blocks", "--out", str(path)]) == 130
    assert path.read_bytes() == before
    assert f"{path} is as before" in capsys.readouterr().err


QUIET = Samples((100_000, 200_000, 900_000))


@pytest.mark.parametrize(
    ("settings", "times", "signs"),
    [
        ({}, {"dispatch": QUIET}, []),
        ({"busy_fraction": 0.4}, {"dispatch": QUIET}, []),
        ({"busy_fraction": 0.9}, {"dispatch": QUIET}, ["90 % of its cores were at work"]),
        # Real inference works itself.
        ({"busy_fraction": 0.9, "inference": "real resnet15-k1"}, {"dispatch": QUIET}, []),
        ({"disturbed": 2}, {"dispatch": QUIET}, ["it stole time or missed deadlines in 2 of 3 live runs"]),
        # A hundred times the median, but nobody minds half a millisecond.
        ({}, {"copy": Samples((4_000, 4_000, 500_000))}, []),
        # A long reset is the emulator's own.
        ({}, {"emulator.blocks": Samples((40_000, 40_000, 50_000_000))}, []),
        (
            {},
            {"dispatch": Samples((0, 0, 2_000_000))},
            ["the longest live.dispatch, 2 ms, is beyond a median of 0"],
        ),
    ],
)
def test_signs_of_load(settings: dict[str, Any], times: dict[str, Samples], signs: list[str]) -> None:
    plain = {"games": ["blocks"], "inference": "timed uniform(20ms, 60ms)", "disturbed": 0}
    assert signs_of_load(LiveTimes({**plain, **settings}, times)) == signs


def test_calibrate_live_on_a_busy_machine_warns_and_names_both_dispatch_times(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    busy = LiveTimes({}, {"dispatch": QUIET, "overshoot": Samples((10_000, 10_000, 30_000_000))})
    monkeypatch.setattr(live_calibration, "measure_live", lambda plan, on_progress: busy)
    assert main(["calibrate", "--live", "only", "--out", str(tmp_path / "p.json")]) == 0
    captured = capsys.readouterr()
    assert "the machine was busy (the longest live.overshoot, 30 ms, is 3000 times the median)" in captured.err
    assert "measure again" in captured.err
    assert '#live.dispatch"' in captured.out
    assert '--dispatch-time "profile:' in captured.out.splitlines()[-1]
    assert '#live.overshoot"' in captured.out.splitlines()[-1]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--live", "sometimes"], "choose from auto, no, only"),
        (["--live", "no", "--game", "blocks"], "--live is no"),
        (["--game", "tetris"], "tetris"),
        (["--live-time", "0s"], "0.0 s"),
        (["--live-time", "soon"], "soon"),
        (["--live-workers", "0"], "workers 0"),
        (["--processes", "0"], "processes 0"),
        (["--streams", "2", "--processes", "2"], "streams 2"),
    ],
)
def test_calibrate_live_bad_input_is_one_line(
    words: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "p.json"
    assert main(["calibrate", *words, "--out", str(path)]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert said in captured.err
    assert not path.exists()
