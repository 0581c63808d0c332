"""Regret beside the rows of compare and in the cells of sweeps."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from rtsim import Design, Grid, Scenario, compare, mdps, simulate, sweep
from rtsim.agents import AGENTS, QUCB, AgentSpec
from rtsim.errors import FileProblem, InvalidValue, UnknownName
from rtsim.experiments import results
from rtsim.experiments.regrets import REGRET_COLUMNS, Rollouts
from rtsim.experiments.worst_cases import late_schedule
from rtsim.mdps import TabularMDP
from rtsim.regret import reference, regret

LAW = "lognorm(mean=84ms, cv=0.1)"


def comparison(**changes):
    base = Scenario("exp_time", LAW, steps=1500, **changes.pop("base", {}))
    return compare(Design(("exp_time", "phase_locked"), base, workers=(4, 7), seeds=3, search=False, **changes))


def test_regret_of_a_row_is_the_mean_of_single_runs():
    found = comparison(mdp="jump(n=5, p=0.8)", agent="qucb(bonus=0.1)")
    mdp = mdps.of("jump(n=5, p=0.8)")
    for row in found.rows:
        schedules = [simulate(Scenario(row.alg, LAW, workers=row.workers, steps=1500, seed=seed)) for seed in range(3)]
        runs = [
            regret(
                mdp, QUCB(bonus=0.1, every_step=True), schedule, seed, best=reference(mdp, schedule).policy
            ).per_second(schedule)
            for seed, schedule in enumerate(schedules)
        ]
        for part in ("total", "inaction", "delay", "learn", "inaction_on_run", "boundary", "noise"):
            assert getattr(row.regret, f"{part}_per_s") == pytest.approx(sum(run[part] for run in runs) / 3)


def test_the_statistics_do_not_depend_on_whether_regret_is_told():
    with_regret, without = comparison(mdp="jump"), comparison()
    assert [replace(row, regret=None) for row in with_regret.rows] == without.rows
    assert without.to_json()["rows"][0]["regret"] is None


def test_the_schema_of_regret_is_the_published_one():
    rows = json.loads(json.dumps(comparison(mdp="inaction").to_json()))["rows"]
    needed = {
        "boundary_per_s",
        "noise_per_s",
        "total_per_s",
        "inaction_per_s",
        "delay_per_s",
        "learn_per_s",
        "boundary",
        "noise",
        "bound",
    }
    assert all(needed <= set(row["regret"]) for row in rows)
    assert set(rows[0]["regret"]["bound"]) == {"inaction_per_s", "delay_per_s", "learn_per_s"}


def test_bounds_are_those_of_theorem_1_for_constant_times():
    # 84 ms are 5.017 steps: with 4 workers 4 of 5.017 steps are acted on, whatever is simulated.
    step = 1 / 59.7275
    base = Scenario("max_time", "84ms", steps=3000)
    found = compare(Design(("max_time",), base, workers=(4,), seeds=1, search=False, mdp="jump(n=10, p=0.9)"))
    bound = found.rows[0].regret.bound
    acted = 4 * step / 0.084
    assert bound["inaction_per_s"] == pytest.approx((1 - acted) / step, rel=1e-9)
    delays = simulate(base.with_(workers=4)).delay_steps
    expected = sum(1 - 0.9 ** int(k) for k in delays) / len(delays) * acted / step
    assert bound["delay_per_s"] == pytest.approx(expected, rel=1e-9)
    assert found.rows[0].regret.inaction_per_s == pytest.approx(bound["inaction_per_s"], rel=0.02)


def test_learners_learn_when_the_schedule_says_and_at_once_where_it_says_nothing():
    def run(agent: str, **times):
        scenario = Scenario("max_time", "30ms", workers=2, steps=20_000, **times)
        rollouts = Rollouts(mdps.of("jao(delta=0.2, epsilon=0.2)"), AgentSpec.of(agent), scenario.step_mean)
        rollouts.add(simulate(scenario), 0)
        return rollouts.row().learn_per_s

    at_once = run("ucrl2(scale=0.1)")
    slowly = run("ucrl2(scale=0.1)", learning_time="10s", batch=1)
    assert at_once < slowly  # one lesson in 600 steps teaches less than one a step
    assert run("best") == 0.0
    assert run("oracle") == 0.0


def test_rows_say_whether_the_reference_is_expected_and_how_good_it_is():
    def labels(mdp: str, **changes) -> tuple[str, str]:
        base = Scenario("max_time", LAW, steps=300)
        row = compare(Design(("max_time",), base, workers=(4,), seeds=2, search=False, mdp=mdp, **changes)).rows[0]
        assert row.regret is not None
        return row.regret.reference, row.regret.best

    assert labels("jump(n=5, p=0.8)") == ("expected", "exact")
    assert labels("jump(n=5, p=0.8)", agent="oracle") == ("rollout", "agent")
    assert labels("jao") == ("rollout", "best found")  # the delays differ
    assert labels("garnet(states=13)") in {("rollout", "best found"), ("rollout", "best found, search stopped")}


def test_rows_say_of_the_best_policy_what_the_seed_says_of_which_least_is_known():
    mdp, none = mdps.of("jao"), simulate(Scenario("sequential", "10s", steps=50))
    rollouts = Rollouts(mdp, AgentSpec.of("best"), 1 / 59.7275)
    rollouts.add(none, 0)  # nobody acts
    assert rollouts.row().best == "exact"
    rollouts.add(simulate(Scenario("exp_time", LAW, workers=4, steps=50)), 1)
    assert rollouts.row().best == "best found"


@pytest.mark.parametrize("agent", ["oracle", "pending"])
def test_agents_that_know_more_need_no_reference(agent, monkeypatch):
    monkeypatch.setattr("rtsim.experiments.regrets.reference", None)
    rollouts = Rollouts(mdps.of("garnet(states=5, actions=3)"), AgentSpec.of(agent), 1 / 59.7275)
    rollouts.add(simulate(Scenario("exp_time", LAW, workers=4, steps=100)), 0)
    assert rollouts.row().best == "agent"


def test_compare_and_sweep_tell_the_same_regret(tmp_path):
    law, mdp = "gamma(mean=60ms, cv=0.5)", "forward(states=5)"
    base = Scenario("max_time", law, steps=1000)
    row = compare(Design(("max_time",), base, workers=(3,), seeds=4, search=False, mdp=mdp)).rows[0].regret
    sweep(tmp_path / "run", Grid(("max_time",), (law,), workers=(3,), steps=1000, seeds=4, mdp=(mdp,)), processes=1)
    cells = results(tmp_path / "run")
    for part in ("total", "inaction", "delay", "learn", "boundary", "noise"):
        mean = sum(cell[f"regret_{part}_per_s"] for cell in cells) / 4
        assert getattr(row, f"{part}_per_s") == pytest.approx(mean, abs=1e-12)


def test_bounds_are_of_the_delays_of_all_seeds_and_of_the_length_of_one():
    # One seed two steps late, one five: Equation 4 of Riemer et al. 2025 averages over both. Equation 2 with A = 2 is
    # sqrt(2 T)/T per step, T the steps of one run, not of both.
    mdp = mdps.of("jump(n=10, p=0.9)")
    rollouts = Rollouts(mdp, AgentSpec.of("ucrl2"), 1.0)
    late = [late_schedule(k, 1000) for k in (2, 5)]
    for seed, schedule in enumerate(late):
        rollouts.add(schedule, seed)
    bound = rollouts.row(1.0).bound
    lost = sum(len(s.delay_steps) * (1 - 0.9**k) for s, k in zip(late, (2, 5), strict=True))
    assert bound["delay_per_s"] == pytest.approx(lost / sum(len(s.delay_steps) for s in late), rel=1e-12)
    assert bound["learn_per_s"] == pytest.approx((mdp.actions / 1000) ** 0.5, rel=1e-12)
    swapped = Rollouts(mdp, AgentSpec.of("ucrl2"), 1.0)
    for seed, schedule in enumerate(late[::-1]):
        swapped.add(schedule, seed)
    assert swapped.row(1.0).bound["delay_per_s"] == pytest.approx(bound["delay_per_s"], rel=1e-12)


def test_bounds_take_the_largest_loss_of_a_step_whatever_the_sign_of_rewards():
    # Inferences of 2.5 steps: 3 of 5 steps are the default's (App. B.2). The agent gains -1 or -3, the default -6.
    stay = [[[1.0]] * 2]
    mdp = TabularMDP.of(np.reshape(stay, (1, 2, 1)), [[-1.0, -3.0]], default=([[[1.0]]], [[-6.0]]))
    rollouts = Rollouts(mdp, AgentSpec.of("best"), 1.0)
    rollouts.add(simulate(Scenario("sequential", 2.5, step_time=1.0, steps=5_000)), 0)
    row = rollouts.row()
    assert row.bound["inaction_per_s"] == pytest.approx(5 * 0.6, rel=2e-3)
    assert row.inaction_per_s == pytest.approx(5 * 0.6, rel=2e-3)  # this world attains it
    assert row.bound["delay_per_s"] == 0.0
    assert row.bound["learn_per_s"] is None


@pytest.mark.parametrize("rule", ["max_time", "sequential"])
def test_parts_per_second_add_up_with_boundary_and_noise(rule):
    base = Scenario(rule, LAW, steps=300)
    row = compare(Design((rule,), base, workers=(4,), seeds=3, search=False, mdp="garnet(states=4)")).rows[0].regret
    parts = row.inaction_per_s + row.delay_per_s + row.learn_per_s
    assert parts == pytest.approx(row.total_per_s + row.boundary_per_s + row.noise_per_s, abs=1e-9)
    assert abs(row.boundary_per_s + row.noise_per_s) > 0.01


def test_agents_without_a_world_are_an_error():
    with pytest.raises(InvalidValue, match="give one too"):
        Design(("exp_time",), Scenario("exp_time", LAW, steps=100), agent="ucrl2")


@pytest.mark.parametrize("name", AGENTS)
def test_every_agent_acts_and_the_parts_add_up(name):
    schedule = simulate(Scenario("exp_time", LAW, workers=6, steps=500, learning_time="40ms"))
    rollouts = Rollouts(mdps.of("garnet(states=4, actions=2)"), AgentSpec.of(name), 1 / 59.7275)
    rollouts.add(schedule, 0)
    (curve,) = rollouts.curves
    run = curve.last
    assert run.inaction + run.delay + run.learn == pytest.approx(run.total + run.boundary + run.noise, abs=1e-9)


@pytest.mark.parametrize(
    "text",
    [
        "nobody",
        "best(x=1)",
        "qucb(0.1)",
        "qucb(bonus=84ms)",
        "qucb(every_step=1)",
        "84ms",
        "",
        "ucrl2(scale=-1)",
    ],  # fmt: skip,
)
def test_wrong_agents_are_clear_errors(text):
    with pytest.raises((InvalidValue, UnknownName)):
        comparison(mdp="jao", agent=text)


def test_sweeps_take_mdps_as_an_axis(tmp_path):
    file = tmp_path / "mine.json"
    mdps.of("jump(n=3, p=0.5)").save(file)
    grid = Grid(
        ("exp_time",), (LAW,), workers=(4, 7), steps=400, seeds=2, mdp=(None, "jump( p=0.5,n=3)", str(file)),
        agent=("best", "egreedy(epsilon=0.2)"),
    )  # fmt: skip
    sweep(tmp_path / "run", grid, processes=1)
    rows = results(tmp_path / "run")
    assert len(rows) == 2 * 2 * (1 + 2 * 2)  # without an MDP nobody acts
    worlds = {(row["mdp"], row["agent"]) for row in rows}
    assert worlds == {
        (None, None), ("jump(n=3, p=0.5)", "best"), ("jump(n=3, p=0.5)", "egreedy(epsilon=0.2)"),
        (str(file), "best"), (str(file), "egreedy(epsilon=0.2)"),
    }  # fmt: skip
    keys = ("workers", "seed", "agent")
    named, read = (
        {tuple(row[k] for k in keys): [row[c] for c in REGRET_COLUMNS] for row in rows if row["mdp"] == world}
        for world in ("jump(n=3, p=0.5)", str(file))
    )
    assert named == read  # the same MDP by name and from its file
    assert all(v is not None for values in named.values() for v in values[:-1])
    assert list(REGRET_COLUMNS)[-1] == "bound_learn_per_s"
    assert all((row["bound_learn_per_s"] is None) is (row["agent"] in (None, "best")) for row in rows)
    assert all(row[c] is None for row in rows if row["mdp"] is None for c in REGRET_COLUMNS)
    sweep(tmp_path / "two", grid, processes=2)
    assert (tmp_path / "two" / "results.csv").read_bytes() == (tmp_path / "run" / "results.csv").read_bytes()
    file.write_text(file.read_text().replace("0.25", "0.5"))
    with pytest.raises((InvalidValue, FileProblem)):
        sweep(tmp_path / "run", resume=True, processes=1)


@pytest.mark.parametrize("changes", [{"mdp": ("nope",)}, {"mdp": ("nope.json",)}, {"agent": ("nope",)}, {"mdp": (3,)}])
def test_wrong_worlds_are_told_before_anything_runs(tmp_path, changes):
    grid = {"alg": ("exp_time",), "inference_time": (LAW,), "steps": 100, "mdp": ("jao",), **changes}
    with pytest.raises((InvalidValue, UnknownName, FileProblem)):
        sweep(tmp_path / "run", Grid(**grid), processes=1)
    assert not (tmp_path / "run").exists()


def test_searches_look_at_no_mdp():
    with pytest.raises(InvalidValue, match="no MDP"):
        Grid(measure="required_workers", mdp=("jao",))


def test_a_single_step_has_no_regret_per_second():
    with pytest.raises(InvalidValue, match="at least 2 steps"):
        Design(("exp_time",), Scenario("exp_time", LAW, steps=1), search=False, mdp="jump")
    with pytest.raises(InvalidValue, match="at least 2 steps"):
        Grid(steps=1, mdp=("jump",))
    two = compare(Design(("exp_time",), Scenario("exp_time", LAW, steps=2), workers=(2,), search=False, mdp="jump"))
    assert json.dumps(two.to_json(), allow_nan=False)


def test_bound_does_not_change_with_what_every_step_pays_alike():
    world = mdps.of("inaction")
    poor = mdps.TabularMDP(
        world.p, world.r - 5, world.p_default, world.r_default - 5, world.default_policy, world.start
    )
    late = simulate(Scenario("sequential", 2.5, step_time=1.0, steps=900))
    bounds = []
    for mdp in (world, poor):
        rollouts = Rollouts(mdp, AgentSpec.of("best"), 1.0)
        rollouts.add(late, seed=0)
        bounds.append(rollouts.row().bound)
    assert bounds[0]["inaction_per_s"] == pytest.approx(0.6, rel=0.01)  # 3 of 5 steps, each losing at most 1
    assert bounds[1] == pytest.approx(bounds[0])


@pytest.mark.parametrize("text", ["qucb(bonus=0.123456789)", "egreedy(epsilon=1e-09)"])
def test_agent_reads_back_to_the_last_digit(text):
    assert str(AgentSpec.of(text)) == text
    assert AgentSpec.of(str(AgentSpec.of(text))) == AgentSpec.of(text)


@pytest.mark.parametrize(
    ("agent", "message"),
    [("ucrl2(scale=-1)", "scale -1"), ("qucb(credit=none)", "credit"), ("egreedy(discount=1)", "discount 1")],
)
def test_wrong_value_of_an_agent_leaves_no_directory(tmp_path, agent, message):
    with pytest.raises(InvalidValue, match=message):
        sweep(tmp_path / "run", Grid(alg=("max_time",), workers=(2,), mdp=("jump",), agent=(agent,)), processes=1)
    assert not (tmp_path / "run").exists()


def test_one_file_spelt_in_three_ways_is_one_mdp(tmp_path, monkeypatch):
    mdps.of("jump(n=3)").save(tmp_path / "ok.json")
    monkeypatch.chdir(tmp_path)
    grid = Grid(alg=("max_time",), workers=(2,), seeds=1, mdp=("ok.json", "./ok.json", " ok.json"))
    assert [cell.mdp for cell in grid.cells()] == ["ok.json"]


def test_mdp_of_a_long_text_runs_in_a_sweep(tmp_path):
    text = "sticky(" * 12 + "jump(n=3)" + ", stay=0.123456789)" * 12
    grid = Grid(alg=("max_time",), inference_time=("20ms",), workers=(2,), seeds=1, steps=100, mdp=(text,))
    sweep(tmp_path / "run", grid, processes=1)
    assert [row["mdp"] for row in results(tmp_path / "run")] == [text]


@pytest.mark.parametrize("name", ["riverswim(states=1200)", "forward(states=2000)"])
def test_large_mdps_have_a_reference_though_nobody_can_count_their_policies(name):
    schedule = simulate(Scenario("max_time", "40ms", workers=3, steps=60))
    best = reference(mdps.of(name), schedule)
    assert best.label in ("best found", "best found, search stopped")
