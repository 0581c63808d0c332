"""``rtsim play`` and ``rtsim replay`` on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rtsim.cli.arguments import Play
from rtsim.cli.main import main
from rtsim.cli.play import plan_of
from rtsim.live import LivePlan, RunInterrupted
from rtsim.scenario import Scenario
from rtsim.schedule import Schedule
from tests.live.pretended_runs import pretend


@pytest.fixture
def said(capsys):
    """Run main() and return (code, stdout, stderr)."""

    def call(*words: str) -> tuple[int, str, str]:
        code = main(list(words))
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


BAD = {
    "no time": ([], "give --inference-time"),
    "no unit": (["--inference-time", "84"], "has no unit"),
    "two times": (["--inference-time", "84ms", "--profile", "epyc#10M"], "exclude each other"),
    "unknown game": (["--inference-time", "84ms", "--game", "tetris"], "game 'tetris' unknown"),
    "unknown rule": (["--inference-time", "84ms", "--alg", "max"], "rule 'max' unknown"),
    "unknown agent": (["--inference-time", "84ms", "--agent", "human"], "agent 'human' unknown"),
    "profile without model": (["--profile", "epyc"], "must read NAME#MODEL"),
    "unknown model": (["--profile", "epyc#gpt"], "model 'gpt' unknown"),
    "real without network": (["--inference-time", "84ms", "--inference", "real"], "needs a network"),
    "greedy without network": (["--inference-time", "84ms", "--agent", "greedy"], "needs a network"),
    "no such weights": (["--profile", "epyc#55k", "--agent", "greedy:no.pt", "--seconds", "1"], "No such file"),
    "no scripted player": (
        ["--inference-time", "84ms", "--game", "atari:Boxing", "--agent", "scripted", "--seconds", "1"],
        "no scripted player",
    ),
    "no seconds": (["--inference-time", "84ms", "--seconds", "0"], "--seconds 0"),
    "endless": (["--inference-time", "84ms", "--seconds", "inf"], "--seconds inf"),
    "no folder": (["--inference-time", "84ms", "--record", "no/such/run.npz"], "does not exist"),
    "odd video": (["--inference-time", "84ms", "--video", "run.avi"], "must end in .mp4 or .gif"),
    "odd strictness": (["--inference-time", "84ms", "--strict", "2"], "--strict 2"),
    "no workers": (["--inference-time", "84ms", "--workers", "0"], "workers"),
    "pipeline for real": (
        ["--profile", "epyc#resnet15-k7", "--inference", "real", "--alg", "pipeline"],
        "give --inference timed",
    ),
}


@pytest.mark.parametrize("words", BAD)
def test_bad_input_gets_one_line_and_exit_2(said, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    arguments, expected = BAD[words]
    code, out, err = said("play", *arguments)
    assert code == 2
    assert out == ""
    assert expected in err
    assert err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.realtime
def test_play_records_and_replay_agrees(said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    flags = [
        "--workers",
        "3",
        "--inference-time",
        "lognorm(mean=30ms, cv=0.1)",
        "--seconds",
        "2",
        "--agent",
        "scripted",
    ]
    code, out, err = said(
        "play", *flags, "--record", "run.npz", "--video", "run.gif", "--histogram", "late.png", "--json"
    )
    assert code == 0, err
    data = json.loads(out)
    assert data["schema"] == "rtsim.play/1"
    assert data["summary"]["steps"] == 120  # ⌈2 s · 59.7275/s⌉
    assert {Path(f).name for f in tmp_path.iterdir()} == {"run.npz", "run.gif", "late.png", "late.csv"}
    schedule = Schedule.load("run.npz")
    assert schedule.statistics(0).inaction_fraction == pytest.approx(1 - schedule.acted.mean())

    code, out, err = said("replay", "run.npz", "--json", "--seeds", "4")
    assert code == 0, err
    report = json.loads(out)
    assert report["schema"] == "rtsim.agreement/1"
    assert report["replays"][0]["faithful"]
    rows = {row["quantity"]: row for row in report["rows"]}
    assert {"inaction fraction", "interaction time, mean", "delay, p99", "overwritten", "reward rate"} <= set(rows)
    for row in rows.values():
        if row["error"] is not None:
            assert row["error"] == pytest.approx(row["simulated"] - row["live"])

    code, out, _ = said("replay", "run.npz", "--seeds", "2", "--no-rewards", "--timeline", "line.png")
    assert code == 0
    assert "120/120" in out
    assert (tmp_path / "line.png").exists()


def test_strictness_is_told_by_the_exit_code(said, monkeypatch):
    monkeypatch.setattr("rtsim.live.summary.MISSED_NS", -1)  # every deadline counts as missed
    flags = ["--workers", "2", "--inference-time", "30ms", "--seconds", "0.5"]
    code, _, err = said("play", *flags, "--strict", "0.5")
    assert code == 1
    assert "missed" in err


def test_replay_refuses_what_was_not_recorded(said, tmp_path):
    assert said("simulate", "--steps", "50", "--inference-time", "30ms", "--out", str(tmp_path / "s.npz"))[0] == 0
    for words, expected in (
        (["replay"], "give at least one file"),
        (["replay", "no.npz"], "no such file"),
        (["replay", str(tmp_path / "s.npz")], "was simulated, not recorded"),
        (["replay", str(tmp_path / "s.npz"), "--seeds", "1"], "--seeds"),
    ):
        code, out, err = said(*words)
        assert (code, out) == (2, "")
        assert expected in err
        assert err.count("\n") == 1


def test_replay_says_why_it_fails(said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    plan = LivePlan(Scenario("unstaggered", "50ms", workers=2, steps=200), "blocks")
    run = pretend(plan)  # what it saw and was given was never recorded
    for scenario in (run.header["scenario"], run.header["live"]["plan"]["scenario"]):
        scenario["rule"] = "max_time"  # whoever acted did not follow it
    run.save("run.npz")
    code, out, err = said("replay", "run.npz", "--seeds", "2", "--no-rewards")
    assert code == 1
    played, simulated = (line for line in err.splitlines() if line.startswith("rtsim: "))
    assert "run.npz did not play again as it was recorded: " in played
    assert "% of the steps came out the same, fewer than 99.9 %" in simulated
    assert "live (1 run)" in out
    assert "after 100 steps of warm-up" in out
    assert "one run: no spread to compare with" in out.splitlines()[-1]
    code, out, _ = said("replay", "run.npz", "--seeds", "2", "--no-rewards", "--json")
    assert code == 1
    report = json.loads(out)
    assert report["warmup_steps"] == 100
    assert len(report["in_words"]) == 2


def test_workers_that_a_rule_does_not_use_are_told_of(capsys):
    plan = plan_of(Play(alg="sequential", workers=8, inference_time="30ms"))
    assert plan.scenario.workers == 1
    assert capsys.readouterr().err == "rtsim: sequential has one worker; --workers 8 is not used\n"
    assert plan_of(Play(alg="sequential", inference_time="30ms")).scenario.workers == 1
    assert plan_of(Play(alg="max_time", workers=8, inference_time="30ms")).scenario.workers == 8
    assert capsys.readouterr().err == ""


def test_an_interrupted_run_is_filmed_as_far_as_it_went(said, tmp_path, monkeypatch):
    def interrupted(plan, on_status):
        run = pretend(plan, steps=30)
        run.header["live"] |= {"own_core": False, "ended": "interrupted"}
        raise RunInterrupted(run)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("rtsim.live.play", interrupted)
    code, out, err = said("play", "--inference-time", "30ms", "--seconds", "2", "--video", "run.gif")
    assert code == 130
    assert "30 in " in out
    assert "interrupted after 30 of 120 steps; filming them" in err
    assert (tmp_path / "run.gif").stat().st_size > 0
    assert "rtsim: starting 3 processes" in err  # the environment and ⌈30 ms · 59.7275/s⌉ workers
