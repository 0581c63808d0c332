"""``rtsim measure`` as a user meets it."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest

from rtsim.cli.main import main
from rtsim.cli.measure import _warn_of_curve
from rtsim.delay_curve import DelayCurve, Point
from rtsim.envs.restorable import policy_of, restorable
from rtsim.experiments.branches import Effort
from rtsim.experiments.effective_p import Effective
from rtsim.experiments.predictability import Drift, measure

QUICK = ["--states", "3", "--branches", "3", "--runs", "3", "--steps", "40", "--delays", "1", "3", "--horizon", "2"]
JUMP = ["measure", "--env", "mdp:jump(n=9, p=0.8)", "--policy", "best", *QUICK]


def test_measure_tells_the_same_numbers_as_table_json_file_and_picture(tmp_path: Path, capsys):
    out, plot = tmp_path / "curve.json", tmp_path / "picture.svg"
    assert main([*JUMP, "--out", str(out), "--plot", str(plot)]) == 0
    table = capsys.readouterr()
    assert main([*JUMP, "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["schema"] == "rtsim.measure/1"
    assert data["env"] == "mdp:jump(n=9, p=0.8)"
    assert len(data["predictable"]) == 4
    first = data["predictable"][0]["observation"]
    assert f"{first['value']:.3f} [{first['ci95'][0]:.3f}, {first['ci95'][1]:.3f}]" in table.out
    for found in data["p_effective"]["observation"].values():
        assert f"{found['value']:.4f}" in table.out
    assert "Limits: " in table.out
    assert data["limits"][0] in table.out
    curve = DelayCurve.load(out)
    assert [p.delay_steps for p in curve.points] == [0, 1, 3]
    assert [p.reward_per_step for p in curve.points] == [p["reward_per_step"] for p in data["delay_curve"]["points"]]
    assert curve.points[0].reward_per_step == 1
    assert curve.default_reward == 0
    assert curve.details["p_effective"] == data["p_effective"]
    assert curve.details["policy"] == "best"
    assert curve.fps is None
    assert "--fps was not given" in table.err
    rows = list(csv.DictReader(plot.with_suffix(".csv").read_text().splitlines()))
    drawn = {(row["what"], row["under"], row["delay_steps"]): float(row["value"]) for row in rows}
    assert drawn["observation", "default", "1"] == first["value"]
    assert [drawn["reward_per_step", "policy", str(k)] for k in (0, 1, 3)] == [p.reward_per_step for p in curve.points]


def test_measure_says_the_same_bytes_for_the_same_seed_and_takes_fps(tmp_path: Path, capsys):
    said = []
    for _ in range(2):
        assert main([*JUMP, "--fps", "30", "--out", str(tmp_path / "curve.json")]) == 0
        said.append((capsys.readouterr().out, (tmp_path / "curve.json").read_bytes()))
    assert said[0] == said[1]
    assert DelayCurve.load(tmp_path / "curve.json").fps == 30


def test_measure_reads_settings_from_toml(tmp_path: Path, capsys):
    file = tmp_path / "settings.toml"
    file.write_text(
        'env = "mdp:jump(n=9)"\npolicy = "best"\ndelays = [1]\nstates = 2\nbranches = 2\nruns = 2\nsteps = 5\n'
    )
    assert main(["measure", "--config", str(file), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["effort"]["delays"] == [1]


def test_measure_says_where_reward_does_not_depend_on_delay(capsys):
    words = ["measure", "--env", "CartPole-v1", "--states", "2", "--branches", "2", "--horizon", "2", "--runs", "2"]
    assert main([*words, "--steps", "20", "--delays", "1", "2"]) == 0
    assert "the reward does not depend on the delay (1 per step at every k" in capsys.readouterr().err


def test_p_that_does_not_fit_the_rewards_is_said_not_to(capsys):
    effort = Effort(delays=(1, 2, 4), visit_steps=20, horizon=1, states=2, runs=4)
    world = restorable("mdp:jump(n=50, p=0.9)")
    found = measure(world, policy_of("best", world), effort)
    first = found.curve.points[0].reward_per_step

    def with_late(kept: list[float]):
        late = [Point(k, first * x, 0.01) for k, x in zip((1, 2, 4), kept, strict=True)]
        points = (replace(found.curve.points[0], interval=0.01), *late)
        return replace(
            found, curve=replace(found.curve, points=points, default_reward=0.0), rewards=Effective(0.9, None)
        )

    assert with_late([0.9, 0.81, 0.6561]).misfit is None
    assert with_late([0.9, 0.81, 0.1]).misfit.delay_steps == 4


def test_measure_says_where_episodes_end_within_the_delays(capsys):
    words = ["measure", "--env", "CartPole-v1", *QUICK[:-4], "--delays", "1", "90", "--horizon", "2"]
    assert main(words) == 0
    assert "100 % of the branches end within the delays" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words, says",
    [
        (["measure"], "--env is missing"),
        (["measure", "--env", "nonsense"], "neither a game"),
        (["measure", "--env", "Pendulum-v1"], "finite set"),
        (["measure", "--env", "mdp:jmp"], "jump"),
        ([*JUMP[:3], "--policy", "clever"], "choose from best, noop, random, scripted"),
        ([*JUMP[:3], "--policy", "greedy"], "greedy:FILE"),
        ([*JUMP[:3], "--policy", "greedy:none.pt"], "none.pt"),
        ([*JUMP[:3], "--policy", "scripted"], "no scripted player"),
        ([*JUMP[:3], "--pending", "perhaps"], "known or unknown"),
        ([*JUMP, "--states", "1"], "states 1"),
        ([*JUMP, "--seconds", "0"], "seconds 0"),
        ([*JUMP, "--delays", "0"], "delay 0"),
        ([*JUMP, "--plot", "a.bmp"], "a.bmp"),
        ([*JUMP, "--out", "nowhere/curve.json"], "nowhere"),
        ([*JUMP, "--fps", "fast"], "--fps fast"),
    ],
)
def test_measure_refuses_in_one_line(words: list[str], says: str, capsys):
    assert main(words) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert says in captured.err
    assert captured.err.count("\n") == 1


def test_network_from_a_file_takes_its_best_actions(tmp_path: Path, capsys):
    torch = pytest.importorskip("torch")
    from rtsim.networks.architecture import Architecture
    from rtsim.networks.files import save_weights

    architecture = Architecture("mlp(8)", actions=2, observation=(4,))
    network = architecture.build(seed=3)
    file = save_weights(tmp_path / "weights.pt", architecture, network.state_dict())
    assert main(["measure", "--env", "CartPole-v1", "--policy", f"greedy:{file}", *QUICK, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["p_effective"]["observation"]["policy"]["value"] == 1
    from rtsim.networks.greedy import best_action, network_of

    seen = torch.randn(4, generator=torch.Generator().manual_seed(0)).numpy()
    assert best_action(network_of(str(file), 2, (4,)))(seen) == int(network(torch.from_numpy(seen)[None]).argmax())
    assert main(["measure", "--env", "blocks", "--policy", f"greedy:{file}", *QUICK]) == 2
    assert "are for 2 actions" in capsys.readouterr().err


@pytest.mark.parametrize(("delay", "who"), [(2, "at k = 2"), (None, "under the default policy")])
def test_measure_says_where_the_curve_depends_on_its_length(delay, who, capsys):
    world = restorable("mdp:jump(n=4)")
    effort = Effort(delays=(2,), states=2, branches=2, visit_steps=5, horizon=1, runs=4, steps=100)
    found = measure(world, policy_of("best", world), effort)
    _warn_of_curve(replace(found, drift=None))
    assert "depends" not in capsys.readouterr().err
    _warn_of_curve(replace(found, drift=Drift(delay, 0.25, 0.125)))
    line = f"rtsim: {who} the second half of the runs earns 0.125 per step, the first 0.25, so this curve depends on "
    assert line in capsys.readouterr().err
