"""What ``rtsim play`` says of a run, on runs that are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from rtsim.cli import played
from rtsim.cli.settings import deadline_text
from rtsim.live import LivePlan, Status
from rtsim.live.summary import settled, summary, warmup_steps
from rtsim.scenario import Scenario
from rtsim.schedule import Schedule
from tests.live.pretended_runs import pretend

LAW = "lognorm(mean=50ms, cv=0.1)"


def made(rule: str = "max_time", **more: object) -> tuple[LivePlan, Schedule]:
    plan = LivePlan(Scenario(rule, LAW, **{"workers": 4, "steps": 600, **more}), "blocks")  # type: ignore[arg-type]
    run = pretend(plan)
    run.header["live"]["own_core"] = False
    return plan, run


def said(plan: LivePlan, run: Schedule, capsys: object) -> str:
    played.tables(plan, run, summary(run), settled(run), warmup_steps(run))
    return capsys.readouterr().out  # type: ignore[attr-defined, no-any-return]


def test_inaction_is_told_with_and_without_the_warm_up(capsys) -> None:
    plan, run = made(workers=6)
    early, all_steps = 1 - run.acted[100:].mean(), 1 - run.acted.mean()
    assert early < all_steps
    text = said(plan, run, capsys)
    assert f"{100 * early:.2f} % after 100 steps of warm-up ({100 * all_steps:.2f} % with them)" in text
    assert "600 steps, of which 100 warm-up" in text


def test_bins_of_lateness_without_steps_are_left_out(capsys) -> None:
    text = said(*made(), capsys)
    assert "up to 1 us" in text
    assert "up to 1 ms" not in text
    assert "later" not in text


def test_a_single_worker_and_the_deadline_in_force(capsys) -> None:
    # 0.9999 quantile of the law: 50 ms · exp(3.719 s − s²/2), s² = ln 1.01: 72.1 ms, five steps of 16.7 ms.
    text = said(*made("time_triggered", workers=1), capsys)
    assert ", deadline 5 steps, 1 worker, " in text
    assert deadline_text(Scenario("max_time", LAW)) == ""


def test_a_maximum_of_one_long_inference_is_named() -> None:
    for rule in ("max_time", "phase_locked"):
        plan, run = made(rule)
        assert played.notes(plan, run, summary(run)) == []
        assert run.spans is not None
        row = 7
        end = run.spans["end_ns"][row] = run.spans["start_ns"][row] + 208_000_000
        (held, overran, *_) = played.notes(plan, run, summary(run))
        assert "208 ms because of one inference at" in held
        assert f"at {end / 1e9:.1f} s" in held
        assert f"{rule}(window=1000) forgets it" in held
        assert overran.startswith(f"1 of {len(run.spans['end_ns'])} inferences took longer")
    for rule in ("unstaggered", "max_time(window=100)", "max_time(initial_max=300ms)"):
        plan, run = made(rule)
        assert run.spans is not None
        run.spans["end_ns"][7] = run.spans["start_ns"][7] + 208_000_000
        assert not any("because of one" in note for note in played.notes(plan, run, summary(run)))


def test_a_run_with_many_overrun_inferences_is_called_disturbed() -> None:
    plan, run = made("unstaggered")
    assert run.spans is not None
    run.spans["end_ns"] += 20_000_000
    run.header["live"]["machine"]["busy_fraction"] = 0.97
    overran, disturbed = played.notes(plan, run, summary(run))
    assert "busy 97 % of the time" in overran
    assert "play it again" in disturbed


def test_the_status_line_has_the_whole_time_and_none_below_zero() -> None:
    status = Status(60, 600, 1.0, np.array([1000]), 0.1, 3.0, 2.0, "b.x", 0)
    assert "  1.0 of 10 s  60.0/s" in played.status_text(status, 10.0)
    early = played.status_text(replace(status, elapsed_s=-0.05, step=0), 10.0)
    assert early == "starting a run of 10 s"
