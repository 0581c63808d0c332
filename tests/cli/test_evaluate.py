"""rtsim evaluate: scores of saved weights under a Schedule, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import gymnasium
import numpy as np
import pytest
import torch

from rtsim.cli.main import main
from rtsim.intervals import mean_interval
from rtsim.learning import Extent, Learner, Settings, evaluate, play, prepare
from rtsim.learning.references import fared
from rtsim.learning.scores import LONGEST_EVALUATION, Count
from rtsim.learning.training import EVALUATION
from rtsim.networks.files import save_weights
from rtsim.scenario import Scenario

SETTINGS = Settings(network="mlp(8)", capacity=10, batch=2)


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def saved(path: Path, env: gymnasium.Env, seed: int = 0) -> Learner:
    """Random weights in a file, and a learner that has them."""
    learner = prepare(env, SETTINGS, seed)
    save_weights(path, learner.architecture, learner.parameters.weights)
    return learner


def told(capsys, *words: str) -> dict:
    assert main(["evaluate", *words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def follower(path: Path) -> Learner:
    """Weights that push the cart the way the pole falls."""
    learner = prepare(gymnasium.make("CartPole-v1"), SETTINGS, 0)
    state = learner.state()
    for weight in (weights := state["weights"]).values():
        weight.zero_()
    into, out = (weight for weight in weights.values() if weight.ndim == 2)
    into[0, 2:] = 1.0  # angle and its velocity, of either sign in a unit of its own
    into[1, 2:] = -1.0
    out[1, 0] = out[0, 1] = 1.0
    learner.restore(state)
    save_weights(path, learner.architecture, weights)
    return learner


@pytest.mark.parametrize("alg", ["max_time", "sequential"])
def test_without_times_scores_are_those_of_plain_evaluation(tmp_path, capsys, alg) -> None:
    learner = follower(tmp_path / "w.pt")
    words = (str(tmp_path / "w.pt"), "--env", "CartPole-v1", "--alg", alg, "--episodes", "4")
    row = told(capsys, *words)["rows"][0]
    means = []
    for seed, each in enumerate(row["evaluations"]):
        learner.seed = seed  # of the episodes; the weights stay
        plain = evaluate(gymnasium.make("CartPole-v1"), learner, 4)
        assert each["scores"] == plain.tolist()
        means.append(float(plain.mean()))
    mean, interval = mean_interval(means)
    assert row["score"] == {"mean": mean, "ci95": list(interval)}
    assert (row["delay"]["mean"], row["inaction"]["mean"]) == (0.0, 0.0)
    late = told(capsys, *words, "--inference-time", "100ms")["rows"][0]
    assert late["score"]["mean"] < mean / 2, "five steps late the pole falls"


@pytest.mark.parametrize(("inference", "share"), [("20ms", 1.0), ("40ms", 1 / 2), ("50ms", 1 / 2.5)])
def test_sequential_interaction_earns_what_remark_1_says(tmp_path, capsys, inference, share) -> None:
    # Of Riemer et al. 2025, App. B.2's MDP, a step pays 1 if the one before was the agent's, else 0, whatever it does;
    # the agent acts every max(τ_M, τ_θ) (Remark 1). So a second, of 50 steps, earns 50 τ_M/τ_θ, but for the beginning.
    from rtsim.envs.worlds import environment

    saved(tmp_path / "w.pt", environment("mdp:inaction"))
    words = ("--env", "mdp:inaction", "--fps", "50", "--alg", "sequential", "--inference-time", inference)
    found = told(capsys, str(tmp_path / "w.pt"), *words, "--steps", "1000", "--seeds", "2")
    assert found["difference_of"] == "reward_rate"
    row, noop, _ = found["rows"]
    assert row["reward_rate"]["mean"] == pytest.approx(50 * share, abs=50 * 3 / 1000)
    assert row["inaction"]["mean"] == pytest.approx(1 - share, abs=3 / 1000)
    assert row["score"] is None
    assert noop["reward_rate"]["mean"] == pytest.approx(50 / 1000), "the first step only"
    assert noop["difference"]["mean"] == noop["reward_rate"]["mean"] - row["reward_rate"]["mean"]


def test_delay_costs_a_perfect_follower_what_equation_4_says(tmp_path, capsys) -> None:
    # jump(n, p): the old state is still right after k steps with probability 1/n + (1 - 1/n) λ^k.
    from rtsim.envs.worlds import environment

    env = environment("mdp:jump(n=4, p=0.9)")
    learner = prepare(env, SETTINGS.with_(network="mlp(4)"), 0)
    weights = {name: torch.zeros_like(w) for name, w in learner.parameters.weights.items()}
    for weight in weights.values():
        if weight.ndim == 2:
            weight.copy_(torch.eye(*weight.shape))
    save_weights(tmp_path / "w.pt", learner.architecture, weights)
    words = ("--env", "mdp:jump(n=4, p=0.9)", "--fps", "50", "--steps", "4000", "--alg", "max_time(initial_max=40ms)")
    found = told(capsys, str(tmp_path / "w.pt"), *words, "--inference-time", "40ms", "--workers", "2")
    per_step = [each["reward"] / each["steps"] for each in found["rows"][0]["evaluations"]]
    decay = 0.9 - 0.1 / 3
    # 12,000 steps, correlated for some 1/(1 - λ) of them: five standard errors are 0.05, a false alarm in 10^6 runs.
    assert np.mean(per_step) == pytest.approx(1 / 4 + 3 / 4 * decay**2, abs=0.05)
    assert found["rows"][0]["delay"]["mean"] == 2.0


def test_rows_share_episodes_and_a_folder_plays_its_seeds_in_turn(tmp_path, capsys) -> None:
    for seed in (0, 2):
        (tmp_path / f"seed-{seed}").mkdir()
        saved(tmp_path / f"seed-{seed}" / "checkpoint.pt", gymnasium.make("CartPole-v1"), seed)
    single = str(tmp_path / "seed-0" / "checkpoint.pt")
    words = ("--env", "CartPole-v1", "--inference-time", "30ms", "--episodes", "3", "--alg", "max_time", "sequential")
    rows = told(capsys, str(tmp_path), single, *words)["rows"]
    assert [row["player"] for row in rows] == [str(tmp_path)] * 2 + [single] * 2 + ["noop", "random"]
    assert [Path(each["file"]).parent.name for each in rows[0]["evaluations"]] == ["seed-0", "seed-2", "seed-0"]
    for both, alone in zip(rows[:2], rows[2:4], strict=True):
        for seed in (0, 2):  # the same weights meet the same episodes and times
            assert both["evaluations"][seed] == alone["evaluations"][seed]
    assert "difference" in rows[2]
    assert rows[0]["difference"] is None
    assert main(["evaluate", str(tmp_path), single, *words]) == 0
    shown = capsys.readouterr().out
    assert "max_time, 30ms, 2 workers" in shown
    assert "never late" in shown


def test_environment_and_rate_are_those_of_the_training(tmp_path, capsys) -> None:
    out = str(tmp_path / "a")
    small = ("--set", "network=mlp(8)", "batch=4", "learning_starts=10", "capacity=100")
    times = ("--inference-time", "30ms", "--fps", "40")
    assert main(["train", "--env", "CartPole-v1", "--out", out, "--steps", "60", *times, *small]) == 0
    capsys.readouterr()
    found = told(capsys, out, "--inference-time", "50ms", "--episodes", "1")
    assert found["env"] == "CartPole-v1"
    assert found["rows"][0]["scenario"]["step_time"] == "40fps"
    assert len(found["rows"][0]["evaluations"]) == 3


def test_episodes_before_any_inference_count_and_endless_ones_are_cut() -> None:
    # Inferences of 2 s read every hundredth step; of the left-falling cart's episodes, ten steps each, most have none.
    slow = Scenario("sequential", "2s", step_time="50fps")
    env = gymnasium.make("CartPole-v1")
    found = play(env, slow, lambda seen: 1, 0, Extent(episodes=12))
    alone = fared(env, "noop", 0, Extent(episodes=12), EVALUATION)
    assert found.scores == alone.scores, "what was decided in an episode never acts in another"
    assert (found.acted, found.inaction) == (0, 1.0)
    count = Count(Extent(episodes=1))
    for _ in range(LONGEST_EVALUATION + 5):
        count.step(1.0, False)
    assert (count.played.scores, count.played.cut, count.played.steps) == ((20_000.0,), 1, 20_000)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "name weights, a checkpoint or a folder of rtsim train"),
        (["none.pt", "--env", "CartPole-v1"], "cannot read weights 'none.pt': no such file"),
        (["{}"], "holds no training"),
        (["{}/bad.pt", "--env", "CartPole-v1"], "it is damaged, not written by torch.save"),
        (["{}/w.pt"], "give --env"),
        (["{}/w.pt", "--env", "Acrobot-v1", "--fps", "15"], "do not fit: they are for 2 actions"),
        (["{}/w.pt", "--env", "CartPole-v1", "--inference-time", "84"], "unit"),
        (["{}/w.pt", "--env", "CartPole-v1", "--alg", "chunking(size=3)"], "makes 3 actions per inference"),
        (["{}/w.pt", "--env", "CartPole-v1", "--default-policy", "none"], "default policy 'none' unknown"),
        (["{}/w.pt", "--env", "CartPole-v1", "--seeds", "0"], "--seeds"),
        (["{}/w.pt", "--env", "CartPole-v1", "--episodes", "0"], "episodes"),
    ],
)
def test_bad_input_is_one_line(tmp_path, capsys, words, message) -> None:
    saved(tmp_path / "w.pt", gymnasium.make("CartPole-v1"))
    (tmp_path / "bad.pt").write_bytes((tmp_path / "w.pt").read_bytes()[:500])
    assert main(["evaluate", *(word.format(tmp_path) for word in words)]) == 2
    found = capsys.readouterr()
    assert found.out == ""
    assert message in found.err
    assert found.err.count("\n") == 1


def test_interrupted_evaluation_tells_of_the_seeds_that_all_have_finished(tmp_path, capsys, monkeypatch) -> None:
    from rtsim.learning import evaluation

    def stopped(env, player, seed, *rest):
        if seed == 2:
            raise KeyboardInterrupt
        return fared(env, player, seed, *rest)

    monkeypatch.setattr(evaluation, "fared", stopped)
    follower(tmp_path / "w.pt")
    assert main(["evaluate", str(tmp_path / "w.pt"), "--env", "CartPole-v1", "--episodes", "1", "--json"]) == 130
    found = capsys.readouterr()
    assert json.loads(found.out)["seeds"] == 2
    assert found.err == "rtsim: interrupted after 2 of 3 seeds\n"
