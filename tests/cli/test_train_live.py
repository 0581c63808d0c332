"""rtsim train --live: refused in a line, or trained, written down, and gone on with."""

from __future__ import annotations

import json

import pytest

pytest.importorskip("torch")

from rtsim.cli.main import main
from rtsim.learning import read_curve
from rtsim.schedule import Schedule

WALK = [
    *("train", "--live", "--env", "walk", "--alg", "sequential", "--inference-time", "40ms", "--learning-time", "10ms"),
    *("--set", "network=mlp(8)", "batch=4", "learning_starts=20", "capacity=200"),
]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--env", "CartPole-v1"], "game 'CartPole-v1' unknown"),
        (["--learning-time", "none"], "--live needs --learning-time"),
        (["--alg", "chunking(size=2)"], "makes several actions per inference"),
        (["--dispatch-time", "1ms"], "--dispatch-time does not go with --live"),
        (["--eval-every", "10"], "--eval-every 10 does not go with --live"),
        (["--demonstrations", "100"], "--demonstrations 100 does not go with --live"),
        (["--preset", "minatar"], "a live run cannot learn with optimiser 'rmsprop'"),
        (["--preset", "rainbow"], "a live run cannot learn with algorithm 'rainbow'"),
        (["--inference", "guessed"], "must be timed or real"),
    ],
)
def test_what_real_processes_cannot_do_is_said_in_a_line_and_nothing_is_written(words, message, tmp_path, capsys):
    assert main([*WALK, *words, "--out", str(tmp_path / "a")]) == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1
    assert not (tmp_path / "a").exists()


def test_a_folder_without_a_live_training_is_not_gone_on_with(tmp_path, capsys):
    assert main(["train", "--live", "--resume", "--out", str(tmp_path)]) == 2
    assert "holds no live training" in capsys.readouterr().err


@pytest.mark.realtime
def test_a_live_training_is_written_down_and_gone_on_with(tmp_path, capsys):
    out = ["--out", str(tmp_path)]
    assert main([*WALK, "--steps", "120", "--row-steps", "60", *out, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    (each,) = told["seeds"]
    folder = tmp_path / "seed-0"
    files = ["checkpoint.pt", "checkpoint.pt.replay", "curve.csv", "live-1.npz", "live.json", "settings.json"]
    assert sorted(path.name for path in folder.iterdir()) == files
    schedule = Schedule.load(folder / "live-1.npz")
    assert each["overall"]["updates"] == len(schedule.updates["version"]) > 5
    assert each["steps"] == len(schedule) == 120
    assert main([*WALK, "--steps", "120", *out]) == 2
    assert "holds a training already" in capsys.readouterr().err
    for words, message in (
        (["--alg", "exp_time"], "begun with other settings; leave out --alg"),
        (["--steps", "180", "--inference", "real"], "begun with --inference timed"),
    ):
        assert main(["train", "--live", "--resume", *words, *out]) == 2
        assert message in capsys.readouterr().err
    assert main(["train", "--live", "--resume", *out]) == 0  # nothing is left to do
    assert not (folder / "live-2.npz").exists()
    picture = tmp_path / "curve.png"
    assert main(["train", "--live", "--resume", *out, "--plot", str(picture)]) == 0
    lines = [line.split(",")[0] for line in picture.with_suffix(".csv").read_text().splitlines()]
    assert lines == ["line", "seed 0", "seed 0", "noop", "random"]
    assert main(["train", "--live", "--resume", "--steps", "180", *out]) == 0
    assert [row.step for row in read_curve(folder / "curve.csv")] == [60, 120, 180]
    assert len(Schedule.load(folder / "live-2.npz")) == 60
    capsys.readouterr()
    assert main(["replay", str(folder / "live-1.npz"), "--seeds", "2"]) == 0
    assert "weights are not kept" in capsys.readouterr().out
