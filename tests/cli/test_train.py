"""rtsim train: what it writes and says, and that it goes on where it was stopped or killed."""

from __future__ import annotations

import importlib.util
import json
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from rtsim.cli.arguments import Play
from rtsim.cli.main import main
from rtsim.cli.play import plan_of
from rtsim.cli.trained import too_late
from rtsim.cli.trained_tables import below
from rtsim.learning import Outcome, Reference, plan_in, read_curve
from rtsim.learning.curve import Tally
from rtsim.learning.memory import Recent
from rtsim.learning.rows import HEADER
from rtsim.learning.runs import alone_in

SMALL = ["--set", "network=mlp(16)", "batch=8", "learning_starts=50", "capacity=2000"]
TIMES = ["--inference-time", "30ms", "--learning-time", "gamma(mean=45ms, cv=0.5)", "--learners", "2"]
CART = ["train", "--env", "CartPole-v1", *TIMES, *SMALL, "--row-steps", "50"]
#: Its replay memory is full after a hundred steps, so that it can be made longer.
FULL = [word.replace("capacity=2000", "capacity=100") for word in CART]


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def ran(*words: str) -> int:
    return main([*words])


def test_train_writes_curves_checkpoints_and_settings_and_tells_of_them(tmp_path, capsys) -> None:
    out = tmp_path / "runs" / "a"
    assert ran(*CART, "--steps", "300", "--seeds", "0", "3", "--eval-every", "100", "--out", str(out), "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert [each["seed"] for each in told["seeds"]] == [0, 3]
    for each in told["seeds"]:
        folder = out / f"seed-{each['seed']}"
        assert sorted(p.name for p in folder.iterdir()) == [
            "checkpoint.pt", "checkpoint.pt.replay", "curve.csv", "settings.json",
        ]  # fmt: skip
        rows = read_curve(folder / "curve.csv")
        assert [row.step for row in rows] == [50, 100, 150, 200, 250, 300]
        assert rows[-1].seconds == pytest.approx(6.0)
        assert [row["reward_rate"] for row in each["curve"]] == [50.0] * 6
        assert [row["evaluation"] is None for row in each["curve"]] == [True, False] * 3
        assert each["overall"]["updates"] == sum(row.updates for row in rows) > 100
        assert each["virtual_to_real"] > 0
        assert plan_in(folder).to_json() == told["plan"]


def test_train_says_what_matters_in_tables(tmp_path, capsys) -> None:
    assert ran(*CART, "--steps", "200", "--out", str(tmp_path / "a")) == 0
    out, err = capsys.readouterr()
    for word in ("reward/s", "non-noop", "stale (updates)", "delay (steps)", "virtual/real", "environment time"):
        assert word in out
    assert "checkpoint.pt" in err


def test_train_goes_on_with_more_steps_as_if_it_had_never_stopped(tmp_path, capsys) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert ran(*FULL, "--steps", "600", "--out", str(whole)) == 0
    assert ran(*FULL, "--steps", "200", "--out", str(parts)) == 0
    assert ran("train", "--out", str(parts), "--resume", "--steps", "600") == 0
    curves = [(folder / "seed-0" / "curve.csv").read_bytes() for folder in (whole, parts)]
    assert curves[0] == curves[1]
    assert curves[0].count(b"\n") == 13
    capsys.readouterr()
    assert ran("train", "--out", str(parts), "--resume", "--steps", "600", "--json") == 0  # nothing left to do
    assert json.loads(capsys.readouterr().out)["seeds"][0]["virtual_to_real"] is None


def test_train_whose_episodes_are_hardly_longer_than_the_delay_says_so_once(tmp_path, capsys) -> None:
    late = ["--alg", "time_triggered", "--workers", "7", "--inference-time", "lognorm(mean=84ms, cv=0.1)"]
    words = ["train", "--env", "CartPole-v1", *SMALL, "--steps", "400", "--row-steps", "20", "--seeds", "0", "1"]
    for times, expected in ((late, 1), (["--inference-time", "30ms"], 0)):
        assert ran(*words, *times, "--out", str(tmp_path / str(expected))) == 0
        said = [line for line in capsys.readouterr().err.splitlines() if "can hardly learn" in line]
        assert len(said) == expected
    assert all("steps late" in line and "inaction" in line for line in said)


@pytest.mark.parametrize(
    ("length", "delay", "says"),
    [(9.0, 7.0, "7 steps late"), (9.0, math.nan, "no action came in time"), (14.0, 7.0, ""), (math.nan, 7.0, "")],
)
def test_episodes_are_too_short_below_twice_the_delay(length, delay, says) -> None:
    row = Tally().row(0, 0.0)._replace(length=length, delay=delay, inaction=0.7)
    assert says in too_late([row])
    assert bool(too_late([row])) == bool(says)


def test_train_says_where_noop_is_only_assumed_and_what_inaction_is_without_the_beginnings(tmp_path, capsys) -> None:
    words = ["--inference-time", "30ms", *SMALL, "--steps", "100"]
    assert ran("train", "--env", "mdp:inaction", *words, "--fps", "50", "--out", str(tmp_path / "mdp")) == 0
    assert "taken for noop" not in capsys.readouterr().err
    assert ran("train", "--env", "CartPole-v1", *words, "--out", str(tmp_path / "cart")) == 0
    out, err = capsys.readouterr()
    assert "its first one, 0, is taken for noop" in err
    # An action acts two steps of 20 ms after what it was chosen on; with two workers one acts on every step then.
    assert "without those steps 0.00 %" in out


def test_train_tells_what_noop_and_random_players_get(tmp_path, capsys) -> None:
    # On mdp:inaction the first step pays 1, others 1 after any action of an agent and 0 after the default policy's.
    words = ["train", "--env", "mdp:inaction", "--inference-time", "3s", "--alg", "sequential", "--steps", "100"]
    assert ran(*words, *SMALL, "--out", str(tmp_path / "a"), "--json") == 0
    noop, random = json.loads(capsys.readouterr().out)["references"]
    assert (noop["player"], noop["reward"], noop["score"]) == ("noop", 1, None)
    assert (random["player"], random["steps"]) == ("random", 100)
    assert random["reward"] >= 99
    # CartPole pays 1 per step, and pushed to one side only it falls within eight to ten steps.
    assert ran(*CART, "--steps", "200", "--out", str(tmp_path / "b"), "--json") == 0
    noop, random = json.loads(capsys.readouterr().out)["references"]
    assert noop["reward_rate"] == pytest.approx(50)
    assert 8 <= noop["score"] == noop["length"] <= 10 < random["score"]
    assert ran("train", "--resume", "--out", str(tmp_path / "b")) == 0
    printed = capsys.readouterr().out
    assert "\n noop" in printed
    assert "players that learn nothing and are never late" in printed


def test_train_tables_tell_the_columns_that_vary(tmp_path, capsys) -> None:
    times = ["--inference-time", "30ms", *SMALL, "--steps", "100"]
    assert (
        ran("train", "--env", "mdp:inaction", "--fps", "50", *times, "--workers", "3", "--out", str(tmp_path / "a"))
        == 0
    )
    endless = capsys.readouterr().out
    assert "inference 30ms (mean 30 ms), workers 3, step 50fps (20 ms)" in endless
    assert "last 10% reward/s" in endless
    assert "score" not in endless.replace("below", "")
    assert ran("train", "--env", "CartPole-v1", *times, "--out", str(tmp_path / "b")) == 0
    scored = capsys.readouterr().out
    assert "last 10% score" in scored
    assert "reward/s [95 %]" not in scored  # every step pays 1


def test_train_shorter_than_a_row_of_its_curve_still_tells_its_steps(tmp_path, capsys) -> None:
    words = [*CART, "--steps", "40", "--out", str(tmp_path / "a"), "--plot", str(tmp_path / "a.png")]
    assert ran(*words) == 0
    out, err = capsys.readouterr()
    row = next(line for line in out.splitlines() if line.strip().startswith("0 ")).split()
    assert int(row[1]) == int(row[4]) >= 40  # CartPole pays 1 per step
    assert "no row of the curve is complete yet" in out
    assert "nothing to draw" in err
    assert not (tmp_path / "a.png").exists()


def test_seed_that_ends_below_a_player_that_learns_nothing_is_named() -> None:
    row = Tally(steps=10, reward=5.0, agent=10).row(10, 1.0)
    players = [
        Reference(name, 10, 1.0, rate, rate, 0, math.nan, math.nan) for name, rate in (("noop", 4.0), ("random", 6.0))
    ]
    found = {seed: Outcome([row._replace(reward=5.0 + seed)], 10, 1.0, math.nan, 0, False) for seed in (0, 1)}
    assert below(found, players) == ["seed 0 ends below the random player's 6: its reward/s in the last 10% is 5"]


def begun(out: Path) -> subprocess.Popen:
    words = [*CART, "--steps", "100000", "--checkpoint-every", "100", "--out", str(out)]
    child = subprocess.Popen(
        [sys.executable, "-m", "rtsim", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 120
    while not (out / "seed-0" / "checkpoint.pt").exists() and time.monotonic() < deadline and child.poll() is None:
        time.sleep(0.01)
    time.sleep(0.05)
    assert child.poll() is None, child.communicate()
    return child


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_train_stopped_goes_on_bit_for_bit(number, tmp_path, capsys) -> None:
    out, whole = tmp_path / "out", tmp_path / "whole"
    child = begun(out)
    child.send_signal(number)
    printed, said = child.communicate(timeout=60)
    if number != signal.SIGKILL:
        assert child.returncode == 130
        assert "go on with rtsim train --out" in said
        assert "reward/s" in printed
        # CartPole pays 1 for each of its 50 steps a second: all columns must be about the same steps.
        row = next(line for line in printed.splitlines() if line.strip().startswith("0 "))
        steps, seconds, unit, reward, rate = row.split()[1:6]
        assert (unit, steps) == ("s", reward)
        assert int(steps) == pytest.approx(50 * float(seconds), abs=2)
        assert float(rate) == pytest.approx(50, rel=0.05)
        assert "Traceback" not in said
    if number == signal.SIGTERM:
        return  # stops as Ctrl-C does
    steps = torch.load(out / "seed-0" / "checkpoint.pt", weights_only=True)["progress"]["steps"] // 50 * 50 + 200
    assert ran("train", "--out", str(out), "--resume", "--steps", str(steps)) == 0
    assert ran(*CART, "--steps", str(steps), "--out", str(whole)) == 0
    capsys.readouterr()
    curves = [(folder / "seed-0" / "curve.csv").read_bytes() for folder in (whole, out)]
    assert curves[0] == curves[1]


def test_train_made_longer_is_remembered_and_asked_for_less_keeps_its_curve(tmp_path, capsys) -> None:
    out = tmp_path / "a"
    assert ran(*FULL, "--steps", "100", "--out", str(out)) == 0
    assert ran("train", "--out", str(out), "--resume", "--steps", "200") == 0
    longer = (out / "seed-0" / "curve.csv").read_bytes()
    for words in ([], ["--steps", "100"]):
        assert ran("train", "--out", str(out), "--resume", *words) == 0
        assert (out / "seed-0" / "curve.csv").read_bytes() == longer
    assert plan_in(out / "seed-0").steps == 200


@pytest.mark.skipif(sys.platform == "win32", reason="no such locks")
def test_train_waits_for_no_other_that_trains_in_the_same_folder(tmp_path, capsys) -> None:
    out = tmp_path / "a"
    assert ran(*CART, "--steps", "60", "--out", str(out)) == 0
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    capsys.readouterr()
    with alone_in(out / "seed-0"):
        assert ran("train", "--resume", "--out", str(out)) == 2
    assert "another process trains in" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before
    assert ran("train", "--resume", "--out", str(out)) == 0


def test_train_damaged_tensor_of_a_checkpoint_is_refused(tmp_path, capsys) -> None:
    out = tmp_path / "a"
    assert ran(*CART, "--steps", "60", "--out", str(out)) == 0
    file = out / "seed-0" / "checkpoint.pt"
    weights = torch.load(file, weights_only=True)["weights"]
    tensor = max(weights.values(), key=lambda found: found.numel()).numpy().tobytes()
    data = bytearray(file.read_bytes())
    data[data.find(tensor) + 10] ^= 1
    file.write_bytes(data)
    capsys.readouterr()
    assert ran("train", "--resume", "--steps", "60", "--out", str(out)) == 2
    assert "it is damaged" in capsys.readouterr().err


def test_train_damaged_replay_memory_is_refused_in_one_line(tmp_path, capsys) -> None:
    out = tmp_path / "a"
    assert ran(*FULL, "--steps", "100", "--out", str(out)) == 0
    fields = Recent(2, (4,), np.float32)._fields()
    table = np.memmap(out / "seed-0" / "checkpoint.pt.replay", fields, "r+", offset=HEADER)
    table["action"] = 7  # of two
    table.flush()
    capsys.readouterr()
    assert ran("train", "--resume", "--steps", "200", "--out", str(out)) == 2
    said = capsys.readouterr().err
    assert "is damaged" in said
    assert said.count("\n") == 1


@pytest.mark.parametrize(("key", "value"), [("env", None), ("threads", True), ("steps", 1.5), ("steps", 10**400)])
def test_train_damaged_settings_are_refused_in_one_line(key, value, tmp_path, capsys) -> None:
    out = tmp_path / "a"
    assert ran(*CART, "--steps", "60", "--out", str(out)) == 0
    file = out / "seed-0" / "settings.json"
    told = json.loads(file.read_text())
    told["plan"][key] = value
    file.write_text(json.dumps(told))
    capsys.readouterr()
    assert ran("train", "--resume", "--out", str(out)) == 2
    said = capsys.readouterr().err
    assert "are damaged" in said
    assert said.count("\n") == 1


def test_train_weights_feed_play(tmp_path, capsys) -> None:
    from rtsim.live.network import SHAPE
    from rtsim.networks.greedy import network_of

    out = tmp_path / "a"
    words = ["train", "--env", "blocks(level=9)", "--inference-time", "40ms", "--steps", "60", "--out", str(out)]
    assert ran(*words, "--set", "network=resnet15-k0.0625", "learning_starts=30", "batch=4", "--eval-every", "50",
               "--eval-episodes", "1", "--preset", "game-boy") == 0  # fmt: skip
    network = network_of(str(out / "seed-0" / "checkpoint.pt"), 6, SHAPE)
    assert network.architecture.name == "resnet15-k0.0625"
    capsys.readouterr()
    agent = f"greedy:{out / 'seed-0' / 'checkpoint.pt'}"
    for alg, law, remarks in (("max_time", "40ms", 0), ("max_time", "60ms", 1), ("exp_time", "40ms", 1)):
        plan_of(Play(alg=alg, inference_time=law, agent=agent, game="blocks(level=9)"))
        said = [line for line in capsys.readouterr().err.splitlines() if "was trained with other settings" in line]
        assert len(said) == remarks
        assert all(("60ms" in line) == (law == "60ms") for line in said)
    capsys.readouterr()


BAD = [
    ([], "give --env"),
    (["--env", "CartPole-v1"], "give --inference-time"),
    (["--env", "CartPole-v1", "--inference-time", "84"], "84"),
    (["--env", "Nope-v1", "--inference-time", "84ms"], "neither a game"),
    (["--env", "Pendulum-v1", "--inference-time", "84ms"], "must be Discrete"),
    (["--env", "minatar:breakout", "--inference-time", "84ms"], "give --fps"),
    (["--env", "CartPole-v1", "--inference-time", "84ms", "--alg", "chunking(size=3)"], "3 actions per inference"),
    (["--env", "CartPole-v1", "--inference-time", "84ms", "--alg", "nope"], "nope"),
    (["--env", "CartPole-v1", "--inference-time", "84ms", "--set", "learning_rat=3"], "did you mean 'learning_rate'"),
    (["--env", "CartPole-v1", "--inference-time", "84ms", "--set", "batch=x"], "must be a number"),
    (["--env", "CartPole-v1", "--inference-time", "84ms", "--set", "batch"], "NAME=VALUE"),
    (["--env", "CartPole-v1", "--inference-time", "84ms", "--set", "network=nature"], "reads images"),
    (["--env", "CartPole-v1", "--inference-time", "84ms", "--preset", "x"], "preset 'x' unknown"),
    (["--env", "CartPole-v1", "--inference-time", "84ms", "--profile", "epyc#resnet15-k7"], "exclude each other"),
    (["--env", "CartPole-v1", "--inference-time", "84ms", "--learners", "2"], "go with --learning-time"),
    (["--env", "CartPole-v1", "--inference-time", "84ms", "--default-policy", "x"], "default policy 'x' unknown"),
    (["--env", "CartPole-v1", "--inference-time", "84ms", "--steps", "0"], "steps 0 must be a whole number in 1.."),
    (["--env", "CartPole-v1", "--inference-time", "84ms", "--seeds", "1", "1"], "each once"),
    (["--env", "CartPole-v1", "--inference-time", "84ms", "--seeds", "9" * 30], "must be a whole number in 0.."),
    (["--env", "CartPole-v1", "--inference-time", "84ms", "--threads", "99999"], "threads 99999 must be"),
    (["--env", "CartPole-v1", "--inference-time", "84ms", "--set", "beta=1" + "0" * 400], "must be a number"),
    (["--env", "CartPole-v1", "--inference-time", "84ms", "--live"], "--live"),
    (["--env", "CartPole-v1", "--inference-time", "84ms", "--inference", "real"], "goes with --live"),
    (["--env", "minatar:breakout", "--fps", "60", "--inference-time", "84ms", "--video", "x.gif"], "no pictures"),
    (["--resume"], "holds no training"),
]


@pytest.mark.parametrize(("words", "message"), BAD, ids=[" ".join(words)[-40:] for words, _ in BAD])
def test_train_refuses_in_one_line_and_writes_nothing(words, message, tmp_path, capsys) -> None:
    out = tmp_path / "a"
    assert ran("train", *words, "--out", str(out)) == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1
    assert not out.exists()


def test_train_refuses_to_overwrite_or_to_go_on_otherwise(tmp_path, capsys) -> None:
    out = tmp_path / "a"
    assert ran(*CART, "--steps", "100", "--out", str(out)) == 0
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    capsys.readouterr()
    for words, message in (
        ([*CART, "--steps", "100"], "holds a training already"),
        (["train", "--resume", "--alg", "exp_time"], "begun with other settings; leave out --alg"),
        (["train", "--resume", *CART[1:], "--fps", "30"], "begun with other settings"),
        (["train", "--resume", "--env", "blocks", "--steps", "5000"], "holds a training of CartPole-v1, not of blocks"),
        (["train", "--resume", "--env", "CartPole-v1", "--alg", "exp_time"], "other settings; leave out --alg"),
        (["train", "--resume", "--steps", "5000"], "replay memory was cut down for"),
    ):
        assert ran(*words, "--out", str(out)) == 2
        said = capsys.readouterr().err
        assert message in said
        assert said.count("\n") == 1
        assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before
    assert ran(*CART, "--steps", "100", "--resume", "--out", str(out)) == 0  # the same flags again are fine
    assert ran("train", "--env", "CartPole-v1", "--resume", "--out", str(out)) == 0


@pytest.mark.parametrize("what", ["foreign", "damaged", "plain", "holes", "seed", "settings"])
def test_train_foreign_checkpoints_are_refused_in_one_line(what, tmp_path, capsys) -> None:
    out, other = tmp_path / "a", tmp_path / "b"
    assert ran(*CART, "--steps", "60", "--out", str(out)) == 0
    file = out / "seed-0" / "checkpoint.pt"
    data = torch.load(file, weights_only=True)
    if what == "foreign":
        torch.save({"x": torch.zeros(1)}, file)
    elif what == "damaged":
        file.write_bytes(file.read_bytes()[:1000])
    elif what == "plain":
        torch.save({**data, "progress": {}}, file)
    elif what == "holes":
        torch.save({**data, "progress": {key: data["progress"][key] for key in ("kind", "scenario")}}, file)
    elif what == "settings":
        (out / "seed-0" / "settings.json").write_text("[]")
    else:
        assert ran(*CART, "--steps", "60", "--seeds", "1", "--out", str(other)) == 0
        for name in ("checkpoint.pt", "checkpoint.pt.replay"):
            os.replace(other / "seed-1" / name, out / "seed-0" / name)
    capsys.readouterr()
    assert ran("train", "--resume", "--out", str(out)) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "seed-0" in said or "checkpoint" in said


def test_train_without_room_on_the_disk_says_so_before_anything_is_learnt(tmp_path, monkeypatch, capsys) -> None:
    def full(*_: object) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(os, "posix_fallocate", full)
    assert ran(*CART, "--steps", "100", "--out", str(tmp_path / "a")) == 2
    said = capsys.readouterr().err.splitlines()
    assert "No space left on device" in said[-1]
    assert len(said) == 2
    assert "is taken for noop" in said[0]


def test_train_on_a_disk_that_fills_up_keeps_the_last_checkpoint(tmp_path, capsys) -> None:
    out = tmp_path / "a"
    assert ran(*FULL, "--steps", "100", "--row-steps", "100", "--out", str(out)) == 0
    before = (out / "seed-0" / "checkpoint.pt").read_bytes()
    # A limit on the size of files stands for the full disk: the checkpoint fails half way.
    code = (
        "import resource, signal, sys; from rtsim.cli.main import main\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))\n"
        f"sys.exit(main(['train', '--resume', '--out', {str(out)!r}, '--steps', '300']))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 2
    assert done.stderr.startswith("rtsim: cannot write checkpoint")
    assert done.stderr.count("\n") == 1
    assert (out / "seed-0" / "checkpoint.pt").read_bytes() == before
    assert not list((out / "seed-0").glob(".rtsim-*"))
    assert ran("train", "--resume", "--out", str(out), "--steps", "300") == 0
    capsys.readouterr()


def test_train_that_diverges_says_so_and_keeps_the_last_checkpoint(tmp_path, capsys) -> None:
    out = tmp_path / "a"
    deep = ["--set", "network=mlp(16,16,16,16)", "learning_rate=1e6", "batch=8", "learning_starts=50"]
    words = ["train", "--env", "CartPole-v1", "--inference-time", "30ms", *deep, "--checkpoint-every", "50"]
    assert ran(*words, "--steps", "5000", "--out", str(out)) == 2
    said = capsys.readouterr().err.splitlines()
    assert "learning diverged; the last checkpoint is as it was" in said[-1]
    assert len(said) == 2
    assert "is taken for noop" in said[0]
    kept = torch.load(out / "seed-0" / "checkpoint.pt", weights_only=True)
    assert kept["progress"]["steps"] >= 50
    assert all(bool(torch.isfinite(weight).all()) for weight in kept["weights"].values())
    assert len(read_curve(out / "seed-0" / "curve.csv")) > 0


def test_train_with_times_hardly_meant_says_so_in_one_line(tmp_path, capsys) -> None:
    words = ["train", "--env", "CartPole-v1", "--inference-time", "1us", "--alg", "sequential", "--steps", "2", *SMALL]
    assert ran(*words, "--out", str(tmp_path / "a")) == 0
    said = [line for line in capsys.readouterr().err.splitlines() if "decisions fall into one environment step" in line]
    assert len(said) == 1
    assert said[0].startswith("rtsim: more than 1000")


def test_train_without_tensorboard_says_what_is_missing(tmp_path, monkeypatch, capsys) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == "tensorboard" else real(name))
    assert ran(*CART, "--steps", "100", "--tensorboard", "--out", str(tmp_path / "a")) == 2
    assert capsys.readouterr().err == "rtsim: --tensorboard needs tensorboard; pip install 'rtsim[tensorboard]'\n"


def test_train_writes_for_tensorboard(tmp_path, capsys) -> None:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    assert ran(*CART, "--steps", "100", "--tensorboard", "--out", str(tmp_path / "a")) == 0
    log = accumulator.EventAccumulator(str(tmp_path / "a" / "seed-0"))
    log.Reload()
    assert [(e.step, e.value) for e in log.Scalars("train/reward_rate")] == [(50, 50.0), (100, 50.0)]
    capsys.readouterr()


def test_train_evaluation_of_a_console_game_disturbs_nothing(tmp_path, capsys) -> None:
    # The emulator is lent: one per process. With sticky actions its random numbers must come back, too.
    words = ["train", "--env", "blocks(level=9, sticky=0.3)", "--inference-time", "40ms", "--steps", "90",
             "--set", "network=resnet15-k0.0625", "learning_starts=30", "batch=4", "--row-steps", "15"]  # fmt: skip
    curves = []
    for every in ("0", "30"):
        out = tmp_path / every
        assert ran(*words, "--eval-every", every, "--eval-episodes", "1", "--out", str(out)) == 0
        curves.append(read_curve(out / "seed-0" / "curve.csv"))
    assert [repr(row._replace(evaluation=0)) for row in curves[0]] == [
        repr(r._replace(evaluation=0)) for r in curves[1]
    ]
    assert [not math.isnan(row.evaluation) for row in curves[1]] == [False, True] * 3
    capsys.readouterr()


def test_train_draws_its_curves_also_when_nothing_is_left_to_do(tmp_path, capsys) -> None:
    out, picture = tmp_path / "a", tmp_path / "a.png"
    assert ran(*CART, "--steps", "200", "--seeds", "0", "2", "--out", str(out), "--plot", str(picture)) == 0
    drawn = picture.read_bytes(), picture.with_suffix(".csv").read_bytes()
    assert drawn[0].startswith(b"\x89PNG")
    lines = [line.split(",")[0] for line in drawn[1].decode().splitlines()]
    assert lines == ["line", *["seed 0"] * 4, *["seed 2"] * 4, "noop", "random"]
    picture.unlink()
    assert ran("train", "--resume", "--out", str(out), "--plot", str(picture)) == 0
    assert (picture.read_bytes(), picture.with_suffix(".csv").read_bytes()) == drawn
    assert str(picture) in capsys.readouterr().err
    assert ran(*CART, "--out", str(tmp_path / "b"), "--plot", "curve.jpg") == 2
    assert not (tmp_path / "b").exists()
    capsys.readouterr()


def test_train_films_the_agent(tmp_path, capsys) -> None:
    film = tmp_path / "agent.gif"
    words = ["train", "--env", "blocks(level=9)", "--inference-time", "40ms", "--steps", "20",
             "--set", "network=resnet15-k0.0625"]  # fmt: skip
    assert ran(*words, "--video", str(film), "--out", str(tmp_path / "a")) == 0
    assert film.read_bytes()[:6] in (b"GIF87a", b"GIF89a")
    assert str(film) in capsys.readouterr().err
