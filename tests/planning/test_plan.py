"""Plans: what is ranked, what is marked how, and what is answered the other way round."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest
from rich.console import Console
from scipy import stats

from rtsim import theory
from rtsim.cli import plan_tables, render
from rtsim.cli.main import main
from rtsim.delay_curve import DelayCurve
from rtsim.errors import InvalidValue
from rtsim.experiments import executors
from rtsim.intervals import mean_ci95
from rtsim.pictures import plot_pareto
from rtsim.planning import Measured, NoPlan, Plan, PlanDesign, WorstCase, closed_form, plan
from rtsim.planning import break_even as break_even_module
from rtsim.planning.break_even import break_even
from rtsim.planning.candidates import variants
from rtsim.planning.inverse import Target, fewest_workers, highest_rates, longest_inferences
from rtsim.planning.plan import confirm, predict
from rtsim.planning.rows import Row, Simulated, fewest, front, paired
from rtsim.planning.scan import Question, highest
from rtsim.scenario import Scenario
from rtsim.schedulers import find, registry
from tests.bench import plan_accuracy

LAW = "lognorm(mean=50ms, cv=0.3)"
BASE = Scenario("sequential", LAW, step_time=0.02, steps=2_000)
FEW = ("sequential", "exp_time", "max_time", "time_triggered(deadline=p95)", "earliest_deadline(deadline=p99)")
#: A plan of few rules, small enough for a test.
ARGUMENTS = ["plan", "--inference-time", LAW, "--fps", "50", "--steps", "1000", "--seeds", "3", "--max-workers", "4"]


@pytest.fixture(scope="module")
def found():
    return plan(PlanDesign(BASE, WorstCase(0.9), 6, alg=FEW, seeds=4))


@pytest.fixture(scope="module")
def of_profile():
    """All rules on times as measured, where a pipeline is the best."""
    return plan(PlanDesign(Scenario("sequential", "profile:epyc#resnet15-k7", step_time="60fps"), WorstCase(0.95), 8))


def test_no_row_is_better_than_the_floor_and_parts_add_up(found):
    for row in found.rows:
        assert row.regret_per_s == pytest.approx(row.inaction_per_s + row.delay_per_s)
        high = row.value if row.simulated is None else row.simulated.regret_per_s_ci95[1]
        assert high >= found.single_floors[row.workers - 1].regret_per_s
        assert row.source in ("closed form", "numerical", "simulated")
        assert (row.source == "simulated") <= (row.simulated is not None)


def test_sources_are_what_the_rules_have(found):
    by_rule = {row.alg: row.source for row in found.rows}
    assert by_rule == {
        "sequential": "closed form",
        "exp_time": "closed form",
        "max_time": "simulated",  # cold, it loses the equal offsets of its formula
        "time_triggered": by_rule["time_triggered"],
        "earliest_deadline": "simulated",
    }
    assert {row.source for row in found.rows if row.alg == "time_triggered"} <= {"numerical", "simulated"}


def test_best_is_confirmed_and_on_the_front(found):
    assert found.best is found.front[-1]
    assert all(row.confirmed for row in found.front)
    assert [row.workers for row in found.front] == sorted({row.workers for row in found.front})


def test_front_steps_down_only_by_what_its_simulations_can_tell(of_profile):
    steps = of_profile.design.base.steps
    assert all((row.confirmed, row.simulated.steps) == (True, steps) for row in of_profile.front)
    for cheaper, row in pairwise(of_profile.front):
        by_seed = [each.simulated.regret_per_s_by_seed for each in (cheaper, row)]
        gained = np.subtract(*by_seed)
        assert gained.mean() == pytest.approx(cheaper.value - row.value)
        assert gained.mean() > 0.005 * row.value
        assert stats.ttest_rel(*by_seed).pvalue < 0.05
    # Long simulations have these two within 0.1 %, whatever a short look at the fourth worker promises.
    rule = "time_triggered(deadline=p75, late=release)"
    assert (rule, 4) not in [(row.key, row.workers) for row in of_profile.front]


def simulated_row(workers: int, *by_seed: float) -> Row:
    mean, interval = mean_ci95(by_seed)
    sure = Simulated(mean, interval, mean, 0.0, 0.0, None, None, len(by_seed), 100, by_seed)
    return Row("r", {}, "r", "latest", workers, *[mean] * 2, 0.0, None, 0.0, 0.0, *["simulated"] * 2, sure, True)


def test_row_that_is_better_by_luck_is_not_on_the_front(capsys: pytest.CaptureFixture[str]):
    cheap, lucky = simulated_row(1, 7.6, 7.7, 7.8), simulated_row(2, 6.9, 8.0, 7.6)
    shifted = simulated_row(3, 7.4, 7.5, 7.6)
    assert [each.workers for each in front([cheap, lucky, shifted])] == [1, 2]
    # The third is 0.2 better on every seed, which its own spread of 0.1 does not hide.
    assert [each.workers for each in front([cheap, lucky, shifted], paired)] == [1, 3]
    assert fewest([cheap, lucky], paired).workers == 1
    for rows, told in (([cheap, lucky], True), ([cheap, shifted], False)):
        plan_tables.show_plan(Plan(PlanDesign(BASE, WorstCase(0.9), 3), rows), everything=False)
        # The paired differences are 0.7, -0.3 and 0.2.
        assert ("Not told apart from it: r with 2 workers, 7.5 ± 1.4" in capsys.readouterr().out) is told


def test_best_tells_its_cores_and_what_takes_or_assumes_less(
    of_profile, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(executors, "cores", lambda: 2)
    data = of_profile.to_json()
    best, near, plain = (data[key] for key in ("best", "cheapest_within_10_percent", "best_without_assumptions"))
    assert (data["best_cores"], data["machine_cores"]) == (best["workers"], 2)
    assert (best["alg"], plain["alg"] in ("pipeline", "chunking")) == ("pipeline", False)
    sure = [row for row in data["rows"] if row["confirmed"]]
    limit = 1.1 * best["simulated"]["regret_per_s"]
    assert near["workers"] == min(row["workers"] for row in sure if row["simulated"]["regret_per_s"] <= limit)
    # Nothing that was not simulated at full length promises to come as near with fewer workers.
    for row in data["rows"]:
        told = row["simulated"] or row
        assert told["regret_per_s"] > limit or row["workers"] >= near["workers"], row["key"]
    plan_tables.show_plan(of_profile, everything=False)
    text = capsys.readouterr().out
    assert f"It takes {best['workers']} cores, one per worker; this machine has 2." in text
    assert f"Cheapest within 10 % of it: {near['key']} with {near['workers']} workers, " in text
    assert f"Best of the rules that assume nothing of the network: {plain['key']} with {plain['workers']}" in text
    assert main([*ARGUMENTS, "--p-minimax", "0.9", "--alg", "exp_time", "--max-workers", "1"]) == 0
    text = capsys.readouterr().out
    assert "It takes 1 core, one per worker.\n" in text
    assert "assume nothing" not in text


def test_wrong_prediction_is_said_to_disagree():
    design = PlanDesign(BASE, WorstCase(0.9), 6, alg=("exp_time",), seeds=4)
    row = predict(design, design.variants[0], 4)
    assert confirm(design, row).disagrees == ""
    assert confirm(design, replace(row, inaction_fraction=row.inaction_fraction + 0.1)).disagrees == "inaction"
    assert confirm(design, replace(row, regret_per_s=1.5 * row.regret_per_s)).disagrees == "regret"


def test_fewest_workers_are_those_of_the_formula(found):
    # Independent offsets: (1 − L(τ_M)/τ̄)^N <= 5 %.
    alone = 1 - BASE.inference_time.limited_mean(0.02) / BASE.inference_time.mean
    needed = math.ceil(math.log(0.05) / math.log(alone))
    design = PlanDesign(BASE, WorstCase(0.9), 12, alg=("unstaggered",), seeds=4)
    assert abs(fewest_workers(plan(design), Target(inaction=0.05)).workers - needed) <= 1
    with pytest.raises(NoPlan, match="floor"):
        fewest_workers(found, Target(regret_per_s=1.0))


def test_highest_rate_of_fresh_starts_is_that_of_the_longest_inference():
    # One worker that starts on fresh observations acts on every step if no inference is longer than it.
    base = Scenario("sequential", "uniform(30ms, 50ms)", steps=1_000)
    rates = highest_rates(PlanDesign(base, WorstCase(1.0), 1, alg=("one_step_lag",), seeds=2), 0.0)
    assert rates[0].fps == pytest.approx(20.0, rel=0.02)


def test_highest_rate_is_found_above_rates_that_miss_the_target():
    # At 12 fps a mean inference is 1.008 steps long, so that it often ends a step late; at 30 fps it is not.
    design = PlanDesign(
        Scenario("sequential", "lognorm(mean=84ms, cv=0.1)"), WorstCase(1.0), 4, alg=("chunking(size=8)",)
    )
    found = highest_rates(design, 0.01)[0]
    missed = predict(replace(design, base=design.base.with_(step_time="12fps")), design.variants[0], 4)
    assert missed.inaction > 0.01 >= found.inaction_fraction
    assert found.fps > 30


def test_longest_inference_of_many_workers_is_that_of_the_capacity():
    # Constant times, three workers at 20 ms a step: 60 ms, whatever they were before.
    design = PlanDesign(
        Scenario("sequential", "150ms", step_time=0.02, steps=500), WorstCase(0.9), 3, alg=("exp_time",)
    )
    assert longest_inferences(design, Target(inaction=0.0))[0].value == pytest.approx(60 / 150, rel=2e-3)
    short = replace(design, base=design.base.with_(inference_time="50ms"))
    assert longest_inferences(short, Target(inaction=0.0))[0].value == 1.0


def test_value_whose_simulations_all_miss_the_target_is_none():
    design = PlanDesign(Scenario("sequential", "50ms", step_time=0.02, steps=100), WorstCase(0.9), 2, seeds=2)
    design = replace(design, alg=("exp_time",))
    # Every prediction meets it, and no simulation does.
    question = Question(lambda factor: design, lambda variant, workers: 1.0, lambda row: not row.confirmed)
    (found,) = highest(design, question)
    assert found.value == 0
    assert found.row.confirmed


def test_rules_left_out_are_not_ranked():
    keys = {variant.key for variant in PlanDesign(BASE, WorstCase(0.9), 4).variants}
    left = {v.key for v in PlanDesign(BASE, WorstCase(0.9), 4, without=("chunking(size=8)", "pipeline")).variants}
    assert keys - left == {"chunking(size=8)", "pipeline(layers=workers)"}


def test_target_that_asks_for_nothing_is_refused():
    with pytest.raises(InvalidValue, match="needs a regret per second or an inaction fraction"):
        Target()


def test_refusal_names_what_comes_nearest_to_what_was_asked():
    design = PlanDesign(BASE, WorstCase(0.0), 2, alg=("chunking(size=2)", "chunking(size=8)"), seeds=2)
    with pytest.raises(NoPlan, match=r"nearest, chunking\(size=8\) with"):
        fewest_workers(plan(design), Target(inaction=0.0))


def test_break_even_takes_the_fewest_workers_that_do():
    # An inference of a tenth of a step: more than one worker changes nothing.
    designs = {
        name: PlanDesign(Scenario("sequential", time, step_time=0.02, steps=500), WorstCase(1.0), 8, seeds=2)
        for name, time in (("small", "2ms"), ("large", "39ms"))
    }
    found = break_even(designs, {"small": 0.45, "large": 1.0})[0]
    small = found.smaller_row if found.smaller == "small" else found.larger_row
    assert small.workers == 1


def test_break_even_is_where_the_larger_models_score_pays_for_its_delay():
    def of(time: str) -> PlanDesign:
        base = Scenario("sequential", time, step_time=0.02, steps=500)
        return PlanDesign(base, WorstCase(1.0), 8, seeds=2, alg=("time_triggered",))

    # 1 and 4 steps late, no inaction: 0.6 p = p⁴.
    found = break_even({"small": of("19ms"), "large": of("79ms")}, {"small": 0.6, "large": 1.0})[0]
    assert found.larger == "large"
    assert found.p_minimax == pytest.approx(0.6 ** (1 / 3), abs=0.01)
    equal = break_even({"small": of("19ms"), "large": of("79ms")}, {"small": 1.0, "large": 0.9})[0]
    assert equal.p_minimax is None
    assert equal.always == "small"


def timed(time: str, *alg: str) -> PlanDesign:
    return PlanDesign(Scenario("sequential", time, step_time=0.02, steps=500), WorstCase(1.0), 2, seeds=2, alg=alg)


def test_break_even_names_who_is_better_above_also_without_simulated_crossings(monkeypatch: pytest.MonkeyPatch):
    # One worker acts on every second step, 2 steps late: 0.5 p² against 0.9 p⁸, so that the higher score loses at 1.
    designs = {"high": timed("39ms", "one_step_lag"), "low": timed("19ms", "time_triggered(deadline=8steps)")}
    scores = {"high": 1.0, "low": 0.9}
    for crossing in (break_even_module._crossing, lambda *_: None):
        monkeypatch.setattr(break_even_module, "_crossing", crossing)
        found = break_even(designs, scores)[0]
        assert (found.larger, found.smaller) == ("low", "high")
        assert (found.larger_row.alg, found.smaller_row.alg) == ("time_triggered", "one_step_lag")
        assert found.p_minimax == pytest.approx((0.5 / 0.9) ** (1 / 6), abs=1e-3)
    assert found.ci95 is None


def test_break_even_tells_all_places_where_models_change(capsys: pytest.CaptureFixture[str]):
    # max(0.5 p², p⁸) against 0.8 p⁴: the higher score is better on both sides.
    designs = {
        "high": timed("39ms", "one_step_lag", "time_triggered(deadline=8steps)"),
        "low": timed("19ms", "time_triggered(deadline=4steps)"),
    }
    scores = {"high": 1.0, "low": 0.8}
    found = break_even(designs, scores)[0]
    assert (found.larger, found.smaller) == ("high", "low")
    assert found.p_minimax == pytest.approx(0.8 ** (1 / 4), abs=1e-3)
    assert found.also == (pytest.approx((0.5 / 0.8) ** (1 / 2), abs=1e-3),)
    plan_tables.show_break_even([found], scores)
    out = capsys.readouterr().out
    assert "low (score 0.8) just below" in out
    assert "change places again at 0.79" in out


def test_equal_scores_are_told_apart_by_delay_though_they_earn_the_same_where_none_costs():
    designs = {"slow": timed("39ms", "time_triggered"), "fast": timed("19ms", "time_triggered")}
    found = break_even(designs, {"slow": 1.0, "fast": 1.0})[0]
    assert (found.p_minimax, found.always) == (None, "fast")


def test_predictions_hold_on_settings_drawn_at_random():
    for row in plan_accuracy.inaction(16, 4_000, 3, seed=5):
        assert abs(row["error"]) <= 0.01, row
        if row["delay_predicted"] is not None:
            assert row["delay_predicted"] == pytest.approx(row["delay_simulated"], rel=0.05, abs=0.1), row


def test_first_choice_is_nearly_the_best_of_the_whole_grid():
    rows = plan_accuracy.choice(("jump(n=10, p=0.9)", "forward(states=4)"), FEW[:4], 2_000, 2, seed=8)
    for row in rows:
        assert row["ratio"] <= 1.02, row


def test_fewest_workers_by_formula_are_within_one_of_those_searched_for():
    for row in plan_accuracy.workers(4, 4_000, 3, seed=3):
        assert row["predicted"] is row["simulated"] or abs(row["predicted"] - row["simulated"]) <= 1, row


def test_plan_prints_what_its_json_says(capsys: pytest.CaptureFixture[str], tmp_path: Path):
    words = [*ARGUMENTS, "--p-minimax", "0.9", "--alg", "exp_time", "sequential", "--learning-time", "100ms"]
    assert main([*words, "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["schema"] == "rtsim.plan/1"
    needed = {"alg", "options", "workers", "regret_per_s", "inaction_fraction", "delay_steps_mean", "source"}
    assert all(needed <= set(row) for row in data["rows"])
    assert {"regret_per_s", "inaction_fraction", "source"} <= set(data["floor"])
    assert data["learning"]["required_learners"] == theory.required_learners(0.1, 16, 0.02)
    assert main([*words, "--plot", str(tmp_path / "front.png")]) == 0
    text = capsys.readouterr().out
    best = data["best"]
    assert f"Best: {best['key']} with {best['workers']} workers, {best['simulated']['regret_per_s']:.4g}" in text
    assert "closed form" in text
    assert (tmp_path / "front.csv").read_text().startswith("key,workers,")


def test_table_of_a_narrow_terminal_wraps_no_row(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(render, "console", lambda: Console(width=80, color_system=None))
    words = [*ARGUMENTS, "--p-minimax", "0.9", "--alg", "earliest_deadline(deadline=p99)", "exp_time"]
    assert main(words) == 0
    lines = capsys.readouterr().out.splitlines()
    row = next(line for line in lines if "earliest_deadline(deadline=p99)" in line)
    assert "±" in row
    assert "%" in row
    assert len(row) <= 80


def test_curve_measured_at_another_rate_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path):
    curve = tmp_path / "curve.json"
    points = [{"delay_steps": k, "reward_per_step": 0.9**k, "interval": 0.01} for k in (0, 2, 4)]
    curve.write_text(json.dumps({"schema": "rtsim.delay_curve/1", "env": "e", "fps": 30, "points": points}))
    words = [*ARGUMENTS, "--delay-curve", str(curve), "--alg", "exp_time"]
    assert main([*words, "--default-cost", "1"]) == 2
    assert "30" in capsys.readouterr().err
    at_its_rate = [word for word in words if word not in ("--fps", "50")]
    assert main([*at_its_rate, "--default-cost", "1"]) == 0
    assert "The delay curve's own intervals leave" in capsys.readouterr().out
    assert main(at_its_rate) == 2
    assert "--default-cost" in capsys.readouterr().err


def curve_file(path: Path, rewards: dict[int, float], interval: float, default: float = 0.0) -> str:
    points = [{"delay_steps": k, "reward_per_step": r, "interval": interval} for k, r in rewards.items()]
    data = {"schema": "rtsim.delay_curve/1", "points": points, "default": {"reward_per_step": default, "interval": 0}}
    path.write_text(json.dumps(data))
    return str(path)


def test_curve_that_tells_no_rules_apart_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path):
    curve = curve_file(tmp_path / "flat.json", {0: 1.0, 4: 1.0}, 0.0, 1.0)
    assert main([*ARGUMENTS, "--delay-curve", curve]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert "flat, 1 per step" in err


def test_fewer_workers_win_where_the_curve_does_not_tell_rows_apart(tmp_path: Path):
    rewards = {0: 1.0, 4: 0.6, 8: 0.2}  # straight: a smooth curve says the same

    def best(interval: float):
        curve = DelayCurve.load(curve_file(tmp_path / "curve.json", rewards, interval))
        found = plan(PlanDesign(BASE, Measured(curve), 6, alg=("exp_time",), seeds=2))
        return found, found.best

    (sure, exact), (unsure, rough) = best(0.0), best(2.0)
    assert exact.workers > rough.workers
    # The same regret on both, once the rewards of the two at every delay are weighed by hand.
    lost = [
        np.append((1 - row.prediction.inaction) * unsure.design.environment.curve.weights(row.prediction.delays), 0)
        for row in (exact, rough)
    ]
    by_hand = np.linalg.norm(2.0 * (lost[0] - lost[1])) / 0.02
    assert unsure.curve_leaves(exact, rough) == pytest.approx(by_hand)
    assert 0 < rough.value - exact.value < unsure.curve_leaves(rough, exact) <= unsure.unsure(rough, exact)
    assert sure.curve_leaves(exact, rough) == pytest.approx(0, abs=1e-9)


def test_negative_regrets_of_a_noisy_curve_are_drawn_and_explained(capsys: pytest.CaptureFixture[str], tmp_path: Path):
    curve = curve_file(tmp_path / "noisy.json", {0: 0.01, 2: 0.02, 8: 0.03}, 0.02)
    words = [*ARGUMENTS, "--alg", "exp_time", "--delay-curve", curve]
    assert main(words) == 0
    out = capsys.readouterr().out
    assert "Negative regrets" in out
    assert "rests on chance" in out
    found = plan(PlanDesign(BASE, Measured(DelayCurve.load(curve)), 4, alg=("exp_time",), seeds=2))
    low, high = plot_pareto(found).get_ylim()
    assert all(low < row.value < high for row in found.rows)
    assert min(row.value for row in found.rows) < 0


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], "stochasticity"),
        (["--p-minimax", "0.9", "--mdp", "jao"], "give one"),
        (["--p-minimax", "0.9", "--target", "0.001"], "floor"),
        (["--p-minimax", "0.9", "--max-workers", "0"], "at least 1"),
        (["--p-minimax", "0.9", "--max-learners", "2"], "--learning-time"),
        (["--p-minimax", "0.9", "--profile", "epyc"], "give one"),
        (["--p-minimax", "0.9", "--family", "--target", "1"], "--profile"),
        (["--p-minimax", "0.9", "--family", "--highest-rate"], "different questions"),
        (["--mdp", "jao", "--default-cost", "1"], "--default-cost"),
        (["--score", "a=1", "b=2"], "--profile"),
        (["--highest-rate", "--target", "1"], "--inaction-target"),
        (["--p-minimax", "2"], "probability"),
        (["--p-minimax", "0.9", "--alg", "exp_time", "--without", "exp_time"], "no rule left"),
        (["--highest-rate", "--longest-inference"], "different questions"),
        (["--inference-time", "84ms±10%", "--p-minimax", "0.9"], '"lognorm(mean=84ms, cv=0.1)"'),
        (["--p-minimax", "0.9", "--alg", "pipeline(layers=9)"], "one for each layer"),
        (["--p-minimax", "0.9", "--step-time", "1us", "--fps", ""], "at least --steps 200000"),
    ],
)
def test_what_makes_no_plan_is_one_clear_line(capsys: pytest.CaptureFixture[str], words: list[str], says: str):
    assert main([*ARGUMENTS, *words]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert says in err


def test_missing_stochasticity_tells_the_floor_that_is_known(capsys: pytest.CaptureFixture[str]):
    assert main([*ARGUMENTS, "--alg", "exp_time", "--max-workers", "1"]) == 2
    # One worker of 50 ms at 20 ms a step.
    assert "60.00 % inaction" in capsys.readouterr().err


def test_formula_is_given_up_where_its_conditions_fail():
    assert closed_form(Scenario("exp_time", "lognorm(mean=200ms, cv=0.01)", workers=4, step_time=0.02)) is None
    assert closed_form(BASE.with_(rule="unstaggered", mailbox="fifo(2)")) is None
    assert closed_form(BASE.with_(rule="unstaggered", dispatch_time="1ms")) is None
    assert closed_form(BASE.with_(rule="max_time(initial_max=p99.9)")) is None
    assert closed_form(BASE.with_(rule="max_time(initial_max=p100)", inference_time="uniform(40ms, 60ms)")) is not None
    assert np.isclose(
        closed_form(BASE.with_(rule="max_time", inference_time="50ms", workers=2)).inaction,  # type: ignore[union-attr]
        0.2,
    )


def test_rows_that_gain_are_compared_as_those_that_lose():
    def row(workers: int, regret: float) -> Row:
        return Row("r", {}, "r", "latest", workers, regret, regret, 0.0, None, 0.0, 0.0, *["closed form"] * 2)

    assert fewest([row(2, -1.001), row(1, -1.0), row(3, -0.5)]).workers == 1
    assert fewest([row(2, -1.1), row(1, -1.0)]).workers == 2


def test_registered_rules_are_ranked_too_unless_they_refuse_these_times(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> NoReturn:
        raise InvalidValue("needs a law with a bound")

    mine = replace(find("unstaggered"), name="mine")
    monkeypatch.setattr(registry, "_registered", {"mine": mine, "hard": replace(mine, name="hard", prepare=refuse)})
    keys = [found.key for found in variants(Scenario("max_time", "84ms"))]
    assert keys[-1] == "mine"
    assert "hard" not in keys
