"""What a run came to, on runs whose durations are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rtsim.live import LivePlan
from rtsim.live.summary import Times, drawn_ns, settled, summary, warmup_steps
from rtsim.scenario import Scenario
from tests.live.pretended_runs import pretend

LAW = "lognorm(mean=50ms, cv=0.2)"
STEP_NS = 1e9 / 59.7275


@pytest.mark.parametrize(
    ("rule", "more"),
    [
        ("unstaggered", {}),
        ("max_time", {"inference_time": f"contention({LAW}, factor=2, slow=100ms, calm=100ms)"}),
        ("chunking(size=3)", {"dispatch_time": "1ms"}),
    ],
)
def test_what_was_drawn_is_found_again_without_having_been_recorded(rule: str, more: dict[str, str]) -> None:
    run = pretend(LivePlan(Scenario(rule, **{"inference_time": LAW, **more}, workers=3, steps=400), "blocks"))
    assert run.spans is not None
    drawn = drawn_ns(run)
    assert drawn is not None
    np.testing.assert_array_equal(drawn, run.spans["end_ns"] - run.spans["start_ns"])
    # Also where inferences have no row, as their process was killed.
    kept = {name: column[5:] for name, column in run.spans.items()}
    found = drawn_ns(replace(run, spans=kept))
    assert found is not None
    if "contention" not in str(more):
        np.testing.assert_array_equal(found, drawn[5:])


def test_inferences_that_overran_by_more_than_a_step_are_counted_and_disturb_a_run() -> None:
    run = pretend(LivePlan(Scenario("unstaggered", LAW, workers=4, steps=600), "blocks"))
    assert run.spans is not None
    found = summary(run)
    assert (found.overran, found.disturbed, found.forward) == (0, False, None)
    assert found.inference == found.drawn
    count = len(run.spans["end_ns"])
    some = count // 100 + 1  # more than one in a hundred
    run.spans["end_ns"][:some] += round(1.01 * STEP_NS)
    run.spans["end_ns"][some:] += round(0.99 * STEP_NS)
    found = summary(run)
    assert (found.inferences, found.overran, found.disturbed) == (count, some, True)
    assert found.overran_fraction == some / count
    assert found.inference is not None
    assert found.drawn is not None
    added = (some * round(1.01 * STEP_NS) + (count - some) * round(0.99 * STEP_NS)) / count / 1e9
    assert found.inference.mean_s - found.drawn.mean_s == pytest.approx(added)


def test_one_overrun_inference_in_a_hundred_does_not_disturb() -> None:
    run = pretend(LivePlan(Scenario("unstaggered", LAW, workers=4, steps=600), "blocks"))
    assert run.spans is not None
    run.spans["end_ns"][: len(run.spans["end_ns"]) // 100] += 10**9
    found = summary(run)
    assert found.overran >= 1
    assert not found.disturbed


def test_real_inference_and_pipelines_have_no_drawn_times() -> None:
    scenario = Scenario("pipeline(layers=3)", LAW, steps=300)
    found = summary(pretend(LivePlan(scenario, "blocks")))
    assert (found.drawn, found.overran) == (None, 0)
    plan = LivePlan(Scenario("unstaggered", LAW, workers=2, steps=300), "blocks")
    run = pretend(plan)
    real = plan.with_(inference="real", network="resnet15-k1")
    run.header["live"]["plan"] = real.to_json()
    assert run.spans is not None
    run.spans["began_ns"] = run.spans["start_ns"] + 1_000_000
    found = summary(run)
    assert (found.drawn, found.overran) == (None, 0)
    assert found.forward is not None
    assert found.inference is not None
    assert found.inference.mean_s - found.forward.mean_s == pytest.approx(1e-3)


def test_times_of_nothing() -> None:
    assert Times.of(np.zeros(0, np.int64)) is None


def test_the_warm_up_that_statistics_leave_out_is_told() -> None:
    run = pretend(LivePlan(Scenario("max_time", "50ms", workers=4, steps=600), "blocks"))
    assert warmup_steps(run) == 100
    assert settled(run).inaction_fraction == 1 - run.acted[100:].mean()
    assert warmup_steps(pretend(LivePlan(Scenario("max_time", "50ms", steps=80), "blocks"))) == 40
