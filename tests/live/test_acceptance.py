"""The limits of agreement, on statistics made by hand, and on runs that were simulated themselves."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rtsim.errors import InvalidValue
from rtsim.live import LivePlan
from rtsim.live.acceptance import AGREES, DIFFERS, SPREAD, checks, in_words, verdict
from rtsim.live.agreement import Agreement, Identity, agree
from rtsim.live.rows import Row, row_of
from rtsim.scenario import Scenario
from rtsim.schedule import Schedule
from tests.live.pretended_runs import pretend


def row(quantity: str, live: float, simulated: float, half: float) -> Row:
    error = simulated - live
    interval = (live - half, live + half)
    return Row(quantity, "", live, interval, simulated, None, error, error / live, None)


def found(
    inaction: float = 0.1, time: float = 20.0, delay: float = 5.0, same: int = 1000, half: float = 0.0
) -> Agreement:
    """Live 0.1, 20 ms and 5 steps; ``half`` is half of each 99 % interval, as a share of the mean."""
    rows = (
        row("inaction fraction", 0.1, inaction, 0.1 * half),
        row("interaction time, mean", 20.0, time, 20.0 * half),
        row("delay, mean", 5.0, delay, 5.0 * half),
    )
    return Agreement(5, (Identity(1000, same, same, ()),), rows, 0.0, (), (), "the other half of the runs")


def test_statistics_at_the_limits_agree_and_beyond_them_differ() -> None:
    # 0.01 absolute, 2 %, 3 %, 99.9 %: a little within, a little beyond.
    assert verdict(checks(found(0.1099, 20.39, 5.149, 999))) == AGREES
    for beyond in (found(inaction=0.1101), found(time=20.41), found(delay=4.849), found(same=998)):
        missed = [check.name for check in checks(beyond) if not check.holds]
        assert len(missed) == 1
        assert verdict(checks(beyond)) == DIFFERS


def test_inaction_may_differ_by_as_much_as_the_runs_do() -> None:
    assert verdict(checks(found(inaction=0.119, half=0.2))) == AGREES
    assert verdict(checks(found(inaction=0.121, half=0.2))) == DIFFERS


def test_time_beyond_its_limit_but_within_the_runs_is_told_apart() -> None:
    assert verdict(checks(found(time=20.6, half=0.05))) == SPREAD
    assert verdict(checks(found(time=21.2, half=0.05))) == DIFFERS
    # What differs in the sources cannot be excused by spread.
    assert verdict(checks(found(time=20.6, half=0.05, same=900))) == DIFFERS


def test_agent_that_never_acts_agrees_only_if_it_does_not_in_the_simulation_either() -> None:
    scenario = Scenario("time_triggered(deadline=30ms)", "100ms", workers=5, steps=300)  # every action comes too late
    runs = [pretend(LivePlan(scenario.with_(seed=seed), "blocks")) for seed in range(2)]
    assert runs[0].acted.sum() == 0
    never = checks(agree(runs, seeds=2, with_rewards=False))
    assert [check.holds for check in never] == [True, True, None, None]
    assert verdict(never) == AGREES
    only_live = Row("delay, mean", "", None, None, 5.0, None, None, None, None)
    assert verdict(checks(replace(found(), rows=(*found().rows[:2], only_live)))) == DIFFERS


def test_runs_that_are_simulations_agree_with_the_simulator() -> None:
    scenario = Scenario("time_triggered", "lognorm(mean=50ms, cv=0.1)", workers=5, steps=1200)
    runs = [pretend(LivePlan(scenario.with_(seed=seed), "blocks")) for seed in range(4)]
    agreed = agree(runs, seeds=6, with_rewards=False)
    assert verdict(checks(agreed)) == AGREES
    assert all(one.share == 1.0 for one in agreed.identities)
    assert abs(sum(agreed.live_delays) - 1) < 1e-9
    assert abs(sum(agreed.simulated_delays) - 1) < 1e-9


def run_of(plan: LivePlan, said: str) -> Schedule:
    """A run of one plan that is recorded as one of another law."""
    made = pretend(plan)
    settings = {**made.settings, "inference_time": said}
    about = {**made.header["live"], "plan": {**made.header["live"]["plan"], "scenario": settings}}
    return replace(made, header={**made.header, "scenario": settings, "live": about})


def test_runs_that_take_longer_than_their_law_says_differ() -> None:
    """The check can fail: inferences a tenth longer than those that the record says were drawn."""
    scenario = Scenario("unstaggered", "lognorm(mean=110ms, cv=0.1)", workers=1, steps=1200)
    runs = [run_of(LivePlan(scenario.with_(seed=seed), "blocks"), "lognorm(mean=100ms, cv=0.1)") for seed in range(4)]
    missed = {check.name for check in checks(agree(runs, seeds=6, with_rewards=False)) if not check.holds}
    assert {"interaction time, mean", "delay, mean"} <= missed


def test_runs_whose_record_contradicts_itself_have_other_sources() -> None:
    """The check can fail: spans a tenth shorter than what the steps show."""
    scenario = Scenario("unstaggered", "lognorm(mean=100ms, cv=0.1)", workers=1, steps=1200)
    runs = [pretend(LivePlan(scenario.with_(seed=seed), "blocks")) for seed in range(4)]
    for run in runs:
        assert run.spans is not None
        lengths = run.spans["end_ns"] - run.spans["start_ns"]
        run.spans["end_ns"] = run.spans["start_ns"] + lengths * 9 // 10
    missed = {check.name for check in checks(agree(runs, seeds=6, with_rewards=False)) if not check.holds}
    assert "identical source" in missed


def test_timed_inference_is_simulated_at_the_seeds_of_its_runs() -> None:
    scenario = Scenario("max_time", "lognorm(mean=84ms, cv=0.2)", workers=6, steps=600)
    runs = [pretend(LivePlan(scenario.with_(seed=seed), "blocks")) for seed in (3, 14, 15)]
    agreed = agree(runs, seeds=3, with_rewards=False)
    assert {row.error for row in agreed.rows} == {0.0}
    assert (agreed.delay_distance, agreed.fitted_on) == (0.0, "the plan")
    assert {row.error for row in agree(runs, seeds=9, with_rewards=False).rows} != {0.0}


def test_what_several_runs_come_to_is_said_in_words() -> None:
    identities = (Identity(1000, 1000, 1000, ()), Identity(1000, 999, 999, ()))
    rows = (
        row_of("delay, mean", "steps", [5.0, 5.1], [5.05, 5.06]),  # t(0.995, 1 df) = 63.7: 5.05 ± 3.18
        row_of("delay, p99", "steps", [5.0, 5.001], [6.0, 6.0]),
        row_of("inaction fraction", "", [0.1, 0.1001], [0.1, 0.1002]),
    )
    first, second = in_words(replace(found(), runs=2, identities=identities, rows=rows))
    assert "every run came out the same in at least 99.900 % of the steps, which is enough" in first
    assert "within the 99 % interval of the runs: inaction fraction;" in second
    assert "outside of it: delay, p99 (+20.0 %)" in second
    assert second.endswith("too few or too different runs to tell: delay, mean.")
    worse = in_words(replace(found(same=998), runs=2))[0]
    assert worse.endswith("99.800 % of the steps, fewer than 99.9 %.")


def test_a_single_run_gets_a_verdict_without_a_spread() -> None:
    def words(*rows: Row) -> str:
        return in_words(replace(found(), runs=1, rows=rows))[1]

    near = row_of("delay, mean", "steps", [5.0], [5.4])
    far = row_of("delay, p99", "steps", [5.0], [6.0])
    assert words(near).endswith("one run: no spread to compare with; nothing is off by more than 10 %.")
    assert words(near, far).endswith("off by more than 10 %: delay, p99 (+20.0 %).")
    # A fraction that doubles is far off only if that is more than one in a hundred.
    assert "nothing" in words(row_of("overwritten", "", [0.002], [0.004]))
    assert "overwritten (+100.0 %)" in words(row_of("overwritten", "", [0.02], [0.04]))
    assert "overwritten (+0.04)" in words(row_of("overwritten", "", [0.0], [0.04]))
    assert words(row_of("delay, mean", "steps", [float("nan")], [float("nan")])).endswith("nothing to compare.")


def test_runs_that_differ_wildly_tell_nothing_and_fractions_stay_fractions() -> None:
    wild = row_of("inaction fraction", "", [0.0, 0.9], [0.5, 0.5])
    assert (wild.live_ci99, wild.within, wild.tells) == ((0.0, 1.0), True, False)
    alike = row_of("inaction fraction", "", [0.5, 0.5005], [0.5, 0.5])
    assert (alike.within, alike.tells) == (True, True)
    # Of what is no fraction, half of the mean counts, and nothing is cut off.
    times = row_of("interaction time, mean", "ms", [10.0, 30.0], [20.0, 20.0])
    assert times.live_ci99 is not None
    assert times.live_ci99[0] < 0
    assert times.tells is False
    assert row_of("delay, mean", "steps", [5.0], [5.0]).tells is None


def test_runs_of_different_plans_are_named_with_what_differs() -> None:
    scenario = Scenario("time_triggered", "lognorm(mean=50ms, cv=0.1)", workers=5, steps=300)
    plan = LivePlan(scenario, "blocks")
    one, other = pretend(plan), pretend(plan.with_(scenario=scenario.with_(seed=1)))
    longer = pretend(plan.with_(scenario=scenario.with_(steps=310)))
    with pytest.raises(InvalidValue, match=r"steps is 310 in c\.npz, and 300 in a\.npz; compare"):
        agree([one, other, longer], seeds=2, names=["a.npz", "b.npz", "c.npz"])
    with pytest.raises(InvalidValue, match=r"game is walk in run 2, and blocks in run 1"):
        agree([one, pretend(plan.with_(game="walk"))], seeds=2)


def test_halves_are_simulated_from_each_other_and_what_differs_between_them_cancels() -> None:
    # Odd runs on a machine a fifth slower: from the others' times each half is off, in opposite directions.
    def run(seed: int, mean: str) -> Schedule:
        scenario = Scenario("sequential", f"lognorm(mean={mean}, cv=0.1)", steps=1500, seed=seed)
        plan = LivePlan(scenario, "blocks", agent="greedy", network="resnet15-k1", inference="real")
        return run_of(plan, "lognorm(mean=50ms, cv=0.1)")

    runs = [run(seed, "60ms" if seed % 2 else "50ms") for seed in range(4)]
    agreed = agree(runs, seeds=8, with_rewards=False)
    delay = {row.quantity: row for row in agreed.rows}["delay, mean"]
    first, second = delay.unseen
    assert first is not None
    assert second is not None
    assert delay.error is not None
    assert first > 0.1 > -0.1 > second
    assert delay.error == pytest.approx((first + second) / 2, abs=1e-9)
    assert abs(delay.error) < 0.02
    assert agreed.fitted_on == "the other half of the runs"
    assert agree(runs[:1], seeds=2, with_rewards=False).rows[0].unseen == ()
