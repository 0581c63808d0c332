"""The command line as a user meets it: a process of its own for what is about processes, main() for the rest."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import resource
import signal
import subprocess
import sys
import time

import pytest

from rtsim import Profile, Rule, Schedule, register
from rtsim.cli.main import main
from rtsim.schedulers.free_running import release_now
from rtsim.schedulers.rule import Program

QUICK = ["--inference-time", "90ms", "--steps", "400", "--seeds", "2", "--workers", "3", "6"]


def run(*words: str, timeout: float = 60) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "rtsim", *words], capture_output=True, text=True, timeout=timeout)


@pytest.fixture
def said(capsys):
    """Run main() and return (code, stdout, stderr)."""

    def call(*words: str) -> tuple[int, str, str]:
        code = main(list(words))
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


def test_compare_json_has_the_published_schema(said):
    code, out, _ = said("compare", "--alg", "max_time", "exp_time", "sequential", *QUICK, "--json")
    data = json.loads(out)
    assert code == 0
    assert data["schema"] == "rtsim.compare/1"
    needed = {
        "alg", "options", "key", "workers", "inaction_fraction", "inaction_fraction_ci95", "interaction_time_s",
        "delay_steps_mean", "delay_steps_p99", "overwritten_fraction", "capacity_limit", "theory_inaction_fraction",
    }  # fmt: skip
    assert all(needed <= set(row) for row in data["rows"])
    assert [(row["key"], row["workers"]) for row in data["rows"]] == [
        ("max_time", 3), ("max_time", 6), ("exp_time", 3), ("exp_time", 6), ("sequential", 1),
    ]  # fmt: skip
    assert set(data["required_workers"]) == {"max_time", "exp_time", "sequential"}
    for entry in data["required_workers"].values():
        assert {"target", "workers", "paper_formula"} <= set(entry)
    # 90 ms is 5.4 steps of the Game Boy: ceil gives 6 by the papers' formulas, and one process cannot.
    assert data["required_workers"]["max_time"]["paper_formula"] == 6
    assert data["required_workers"]["max_time"]["workers"] == 6
    assert data["required_workers"]["sequential"]["workers"] is None
    assert "one process" in data["required_workers"]["sequential"]["reason"]
    assert data["scenario"]["step_time"] == "59.7275fps"
    assert data["scenario"]["mailbox"] == "latest"


def test_compare_table_and_json_tell_the_same_numbers(said):
    _, text, _ = said("compare", "--alg", "exp_time", *QUICK)
    _, out, _ = said("compare", "--alg", "exp_time", *QUICK, "--json")
    for row in json.loads(out)["rows"]:
        assert f"{100 * row['inaction_fraction']:.2f} %" in text


def test_compare_tells_differences_of_shares_in_percentage_points(said):
    words = ["compare", "--alg", "max_time", "exp_time", *QUICK, "--no-search"]
    _, text, _ = said(*words)
    _, out, _ = said(*words, "--json")
    for found in json.loads(out)["paired_differences"]:
        half = 100 * (found["ci95"][1] - found["mean"])
        assert f"{100 * found['mean']:+.2f} ± {half:.2f} pp" in text


def test_compare_same_seed_same_bytes_of_stdout():
    words = ["compare", "--alg", "exp_time", "--inference-time", "gamma(mean=84ms, cv=0.3)", "--steps", "500"]
    first, second = run(*words, "--no-search"), run(*words, "--no-search")
    assert first.returncode == 0
    assert first.stdout == second.stdout
    assert run(*words, "--no-search", "--seed", "5").stdout != first.stdout


def test_compare_default_scenario_is_the_measured_profile(said):
    code, out, _ = said("compare", "--alg", "phase_locked", "--steps", "300", "--seeds", "1", "--workers", "2",
                        "--no-search", "--json")  # fmt: skip
    scenario = json.loads(out)["scenario"]
    assert code == 0
    assert scenario["inference_time"] == "profile:epyc#resnet15-k29"
    assert scenario["step_time"] == "59.7275fps"


def test_compare_writes_plot_csv_and_trace(said, tmp_path):
    plot, table, trace = tmp_path / "a.png", tmp_path / "a_rows.csv", tmp_path / "t.json"
    code, out, _ = said("compare", "--alg", "max_time", *QUICK, "--json", "--plot", str(plot), "--csv", str(table),
                        "--trace", str(trace))  # fmt: skip
    assert code == 0
    assert plot.read_bytes().startswith(b"\x89PNG")
    lines = table.read_text().splitlines()
    assert json.loads(lines[0].removeprefix("# "))["seeds"] == 2
    rows = list(csv.DictReader(io.StringIO("\n".join(lines[1:]))))
    expected = json.loads(out)["rows"]
    assert [float(r["inaction_fraction"]) for r in rows] == [r["inaction_fraction"] for r in expected]
    assert json.loads(trace.read_text())["traceEvents"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.csv", "a.png", "a_rows.csv", "t.json"]


def test_compare_draws_regret_against_time_whose_ends_are_the_rows(said, tmp_path):
    plot = tmp_path / "r.svg"
    words = ["compare", "--alg", "sequential", "max_time", *QUICK, "--workers", "2", "--mdp", "jump", "--json"]
    code, out, _ = said(*words, "--regret-plot", str(plot))
    assert code == 0
    assert out == said(*words)[1]
    assert plot.read_text(encoding="utf-8").lstrip().startswith("<?xml")
    data = list(csv.DictReader(io.StringIO((tmp_path / "r.csv").read_text(encoding="utf-8"))))
    ends = [row for row, after in zip(data, [*data[1:], {"panel": ""}], strict=True) if row["panel"] != after["panel"]]
    assert [end["panel"] for end in ends] == ["sequential, 1 worker: best on jump", "max_time, 2 workers: best on jump"]
    for end, row in zip(ends, json.loads(out)["rows"], strict=True):
        for part in ("total", "inaction", "delay", "learn"):
            rate = float(end[part]) / float(end["seconds"])
            assert rate == pytest.approx(row["regret"][f"{part}_per_s"], rel=1e-9, abs=1e-9)


def test_config_file_gives_defaults_and_flags_override(said, tmp_path):
    config = tmp_path / "c.toml"
    config.write_text(
        'alg = ["unstaggered"]\ninference-time = "50ms"\nsteps = 300\nworkers = [2]\nfps = 60\nno_search = true\n'
    )
    _, out, _ = said("compare", "--config", str(config), "--steps", "200", "--json")
    scenario = json.loads(out)["scenario"]
    assert (scenario["steps"], scenario["inference_time"], scenario["step_time"]) == (200, "50ms", "60fps")
    assert scenario["alg"] == ["unstaggered"]
    assert scenario["workers"] == [2]


def test_simulate_saves_a_schedule_that_loads(said, tmp_path):
    from rtsim import Schedule

    path = tmp_path / "s.npz"
    pictures = [str(tmp_path / name) for name in ("t.svg", "h.pdf")]
    code, out, _ = said("simulate", "--alg", "time_triggered(deadline=6steps)", "--inference-time", "90ms", "--steps",
                        "300", "--workers", "6", "--out", str(path), "--timeline", pictures[0], "--histogram",
                        pictures[1], "--json")  # fmt: skip
    data = json.loads(out)
    loaded = Schedule.load(path)
    assert code == 0
    assert len(loaded) == 300
    found = loaded.statistics(data["scenario"]["warmup_steps"])
    assert found.inaction_fraction == data["statistics"]["inaction_fraction"]
    assert all(os.path.getsize(p) > 0 for p in pictures)


def test_workers_take_ranges_and_commas(said):
    _, out, _ = said("compare", "--alg", "max_time", "--inference-time", "90ms", "--steps", "200", "--seeds", "1",
                     "--workers", "1-3", "6,8", "--no-search", "--json")  # fmt: skip
    assert [row["workers"] for row in json.loads(out)["rows"]] == [1, 2, 3, 6, 8]


def test_csv_beside_a_plot_of_the_same_name_says_so_and_writes_nothing(said, tmp_path):
    code, _, err = said("compare", "--alg", "max_time", *QUICK, "--plot", str(tmp_path / "a.png"), "--csv",
                        str(tmp_path / "a.csv"))  # fmt: skip
    assert code == 2
    assert err.count("\n") == 1
    assert "two outputs would be written" in err
    assert not list(tmp_path.iterdir())


def test_agent_that_learns_without_learning_time_is_said_to_learn_at_every_step(said):
    words = ["compare", "--alg", "max_time", *QUICK, "--no-search", "--mdp", "jao"]
    _, _, err = said(*words, "--agent", "ucrl2(scale=0.1)")
    assert err.count("learns at every step (no --learning-time)") == 1
    _, _, err = said(*words, "--agent", "ucrl2", "--learning-time", "20ms")
    assert "learns" not in err
    _, _, err = said(*words, "--agent", "oracle")
    assert "learns" not in err


def test_simulate_table_has_standard_deviations_and_units(said):
    words = ["simulate", "--inference-time", "gamma(mean=90ms, cv=0.3)", "--workers", "4", "--steps", "2000"]
    _, out, _ = said(*words, "--json")
    found = json.loads(out)["statistics"]
    _, text, _ = said(*words)
    lines = {
        line.rsplit("  ", 1)[0].strip(): line.rsplit("  ", 1)[1].strip() for line in text.splitlines() if "  " in line
    }
    assert lines["interaction steps sd"] == f"{found['interaction_steps_var'] ** 0.5:.4g} steps"
    assert lines["interaction time sd"] == f"{1e3 * found['interaction_time_var_s2'] ** 0.5:.4g} ms"
    assert lines["delay p99"] == f"{found['delay_steps_p99']} steps"
    assert "s²" not in text


def test_timeline_of_more_steps_than_pixels_says_so(said, tmp_path):
    words = ["simulate", "--inference-time", "90ms", "--steps", "600", "--timeline", str(tmp_path / "t.png")]
    assert "narrower than a pixel" in said(*words, "--timeline-steps", "600")[2]
    assert "narrower" not in said(*words, "--timeline-steps", "100")[2]


def test_rules_explains_the_options_of_one_rule(said):
    _, out, _ = said("rules", "time_triggered")
    assert "deadline" in out
    assert "p99.99" in out
    assert "drop or release" in out


def test_both_engines_print_the_same(said):
    words = [
        "compare",
        "--alg",
        "max_time",
        "exp_time",
        "--inference-time",
        "lognorm(mean=84ms, cv=0.1)",
        "--steps",
        "900",
    ]
    _, simpy, _ = said(*words, "--engine", "simpy")
    _, compiled, _ = said(*words, "--engine", "compiled")
    assert simpy == compiled


def test_rules_lists_every_rule_on_one_line_each(said):
    from rtsim.schedulers import LEARNER_RULES, names

    _, out, _ = said("rules", "--json")
    data = json.loads(out)
    assert [rule["alg"] for rule in data["rules"]] == names()
    assert [rule["name"] for rule in data["learner_rules"]] == list(LEARNER_RULES)
    _, text, _ = said("rules")
    assert all(name in text for name in names())


def test_profiles_lists_the_shipped_models(said):
    _, out, _ = said("profiles")
    assert "profile:paper#resnet15-k98" in out
    assert "profile:epyc#resnet15-k29" in out


BAD = {
    "negative time": (["compare", "--inference-time", "-3ms"], "-3"),
    "nan time": (["compare", "--inference-time", "nan"], "nan"),
    "infinite time": (["compare", "--inference-time", "inf"], "inf"),
    "zero step": (["compare", "--step-time", "0ms"], "0"),
    "zero rate": (["compare", "--fps", "0"], "0"),
    "negative rate": (["compare", "--fps", "-60"], "-60"),
    "nan rate": (["compare", "--fps", "nan"], "nan"),
    "empty alg": (["compare", "--alg"], "--alg"),
    "unknown rule": (["compare", "--alg", "max_tim"], "max_time"),
    "unknown option": (["compare", "--alg", "max_time(foo=1)"], "foo"),
    "rule twice": (["compare", "--alg", "max_time", "max_time"], "twice"),
    "zero workers": (["compare", "--workers", "0"], "0"),
    "word workers": (["compare", "--workers", "many"], "many"),
    "too many seeds": (["compare", "--seeds", "1000000000000"], "1000000000000"),
    "no seeds": (["compare", "--seeds", "0"], "0"),
    "too many steps": (["compare", "--steps", "100000000000"], "100000000000"),
    "no steps": (["simulate", "--steps", "0"], "0"),
    "warm-up beyond run": (["simulate", "--steps", "10", "--warmup-steps", "10"], "10"),
    "bad target": (["compare", "--target", "1.5"], "1.5"),
    "nan target": (["compare", "--target", "nan"], "nan"),
    "bad mailbox": (["compare", "--mailbox", "fifo(0)"], "fifo"),
    "unknown profile": (["compare", "--inference-time", "profile:nobody#x"], "nobody"),
    "unknown model": (["compare", "--inference-time", "profile:paper#k7"], "k7"),
    "missing profile": (["compare", "--inference-time", "profile:./none.json#x"], "none.json"),
    "unknown flag": (["compare", "--stpes", "4"], "--steps"),
    "not a number": (["compare", "--steps", "x"], "x"),
    "unknown command": (["compere"], "compere"),
    "no command": ([], "compare"),
    "two agents": (["compare", "--mdp", "jao", "--agent", "oracle", "pending"], "compare takes one --agent"),
    "two rules": (["simulate", "--alg", "max_time", "exp_time"], "simulate takes one --alg"),
    "cv and sd": (["compare", "--inference-time", "gamma(mean=60ms, sd=10ms, cv=0.1)"], "not both"),
    "sd of 0": (["compare", "--inference-time", "gamma(mean=60ms, sd=0s)"], "cv"),
    "two rates": (["compare", "--fps", "60", "--step-time", "16ms"], "--fps"),
    "no folder": (["compare", "--csv", "nowhere/a.csv"], "nowhere"),
    "bad picture": (["compare", "--plot", "a.xyz"], ".png"),
    "regret plot without an MDP": (["compare", "--regret-plot", "a.png"], "--mdp"),
    "too many panels": (["compare", "--regret-plot", "a.png", "--mdp", "jump"], "--workers"),
    "agent without an MDP": (["compare", "--agent", "ucrl2"], "--mdp"),
    "sweep of an agent without an MDP": (["sweep", "run", "--agent", "best", "oracle"], "--mdp"),
    "two plots, one csv": (["compare", "--plot", "a.png", "--regret-plot", "a.svg", "--mdp", "jump"], "a.csv"),
    "trace beside plot": (["compare", "--plot", "a.png", "--trace", "a.csv"], "a.csv"),
    "no unit": (["compare", "--inference-time", "84"], "84ms"),
    "rate in words": (["compare", "--fps", "thirty"], "thirty"),
    "unknown engine": (["compare", "--engine", "fast"], "compiled"),
    "range backwards": (["compare", "--workers", "8-1"], "8-1"),
    "two pictures, one csv": (["simulate", "--timeline", "a.png", "--histogram", "a.svg"], "a.csv"),
    "missing config": (["compare", "--config", "none.toml"], "none.toml"),
    "learner rule": (["compare", "--learning-time", "1s", "--learner-rule", "sequential"], "sequential"),
    "learners": (["compare", "--learners", "0"], "0"),
    "negative seed": (["compare", "--seed", "-1"], "-1"),
    "give-up later than deadline": (["simulate", "--alg", "earliest_deadline(deadline=1steps)"], "deadline"),
    "calibrate k": (["calibrate", "--k", "-1"], "-1"),
    "calibrate out": (["calibrate", "--out", "p.txt"], "p.txt"),
}  # fmt: skip


@pytest.mark.parametrize("words, named", BAD.values(), ids=BAD)
def test_bad_input_gets_one_line_and_exit_code_2(said, tmp_path, monkeypatch, words, named):
    monkeypatch.chdir(tmp_path)
    code, out, err = said(*words)
    assert code == 2
    assert out == ""
    assert err.count("\n") == 1
    assert err.startswith("rtsim: ")
    assert named in err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "content, named",
    [
        ("speed = 3\n", "speed"),
        ("steps = 'many'\n", "steps"),
        ("steps = [1, 2]\n", "steps"),
        ("steps = true\n", "steps"),
        ("= 3\n", "TOML"),
        ("config = 'x.toml'\n", "config"),
    ],
)
def test_bad_config_gets_one_line_and_exit_code_2(said, tmp_path, content, named):
    path = tmp_path / "c.toml"
    path.write_text(content)
    code, _, err = said("compare", "--config", str(path))
    assert (code, err.count("\n")) == (2, 1)
    assert named in err


@pytest.mark.parametrize("content", [b"", b"{", b"[1, 2]", b"\x00\xff\xfe", b'{"schema": "other/1"}', b"[" * 100_000])
def test_foreign_profile_gets_one_line_and_exit_code_2(said, tmp_path, content):
    path = tmp_path / "p.json"
    path.write_bytes(content)
    code, _, err = said("compare", "--inference-time", f"profile:{path}#m")
    assert (code, err.count("\n")) == (2, 1)
    assert "p.json" in err


def test_interrupted_compare_prints_what_is_finished_and_exits_130():
    words = ["compare", "--alg", "max_time", "--inference-time", "lognorm(mean=84ms, cv=0.1)", "--workers", "1", "2",
             "3", "--seeds", "1", "--steps", "2000000", "--json"]  # fmt: skip
    code = (
        "import sys, rtsim.experiments.required as r\n"
        "old = r.run_once\n"
        "import rtsim.experiments.comparison as c\n"
        "def cell(scenario, warmup, engine):\n"
        "    small = scenario.workers == 1\n"
        "    found = old(scenario.with_(steps=1000), 10, 'simpy') if small else None\n"
        "    if small:\n"
        "        return found\n"
        "    print('ready', file=sys.stderr, flush=True)\n"
        "    return old(scenario, warmup, 'simpy')\n"
        "c.run_once = cell\n"
        "from rtsim.cli.main import main\n"
        f"sys.exit(main({words!r}))\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    with process:
        assert process.stderr is not None
        assert process.stderr.readline() == "ready\n"
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        try:
            out, err = process.communicate(timeout=120)
        finally:
            process.kill()  # nothing left behind, should it not have ended
    assert process.returncode == 130
    data = json.loads(out)
    assert data["interrupted"] is True
    assert [row["workers"] for row in data["rows"]] == [1]
    assert "interrupted" in err


def test_help_answers_without_loading_the_heavy_libraries():
    code = (
        "import sys\n"
        "from rtsim.cli.main import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        "heavy = {'numpy', 'scipy', 'matplotlib', 'torch', 'numba', 'simpy', 'rich', 'lark'} & set(sys.modules)\n"
        "sys.exit(f'loaded: {heavy}' if heavy else 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "compare" in done.stdout


def test_core_commands_run_without_torch():
    code = (
        "import sys\n"
        "from rtsim.cli.main import main\n"
        "code = main(['compare', '--inference-time', '50ms', '--steps', '100', '--seeds', '1', '--workers', '2'])\n"
        "loaded = {'torch', 'psutil', 'ray', 'jupyterlab'} & set(sys.modules)\n"
        "sys.exit(f'loaded: {loaded}' if loaded else code)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_closed_pipe_keeps_no_picture_from_being_written(tmp_path):
    words = [
        "compare",
        "--alg",
        "max_time",
        "--inference-time",
        "20ms",
        "--workers",
        "2",
        "--steps",
        "200",
        "--seeds",
        "1",
    ]
    process = subprocess.Popen(
        [sys.executable, "-m", "rtsim", *words, "--plot", str(tmp_path / "a.png")],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    process.stdout.close()
    assert process.wait(timeout=60) == 0
    assert (tmp_path / "a.png").exists()
    assert process.stderr is not None
    process.stderr.close()


def test_closed_pipe_is_no_error():
    process = subprocess.Popen(
        [sys.executable, "-m", "rtsim", "rules", "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    assert process.wait(timeout=30) == 0
    assert process.stderr.read() == b""
    process.stderr.close()


@pytest.mark.parametrize("command", ["compare", "sweep", "plan", "calibrate", "replay", "train", "figures"])
def test_help_shows_no_empty_defaults(command, capsys):
    with pytest.raises(SystemExit):
        main([command, "--help"])
    shown = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert "(default: )" not in shown
    assert "(default:" in shown or command == "replay"


@pytest.mark.realtime
def test_help_answers_within_half_a_second():
    # Processor time, the least of five: what it takes on a machine that does nothing else.
    times = []
    for _ in range(5):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert run("--help").returncode == 0
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert min(times) < 0.5


CALIBRATE = ["calibrate", "--k", "0.0625", "--time-limit", "200ms", "--live", "no"]


def test_calibrate_writes_a_profile_that_compare_reads_and_append_adds_to_it(said, tmp_path):
    path = str(tmp_path / "p.json")
    code, out, _ = said(*CALIBRATE, "--batch", "2", "--out", path)
    assert code == 0
    assert "resnet15-k0.0625" in out
    code, out, _ = said(*CALIBRATE, "--depth", "30", "--batch", "--out", path, "--append", "--json")
    assert code == 0
    profile = Profile.load(path)
    assert set(profile.models) == {"resnet15-k0.0625", "resnet30-k0.0625"}
    assert list(profile.models["resnet15-k0.0625"].learning) == [2]
    # How fast this machine infers is not judged: at two steps per inference one worker leaves every other step.
    mean_ns = profile.models["resnet30-k0.0625"].inference.to_json()["summary"]["mean_ns"]
    code, out, _ = said("compare", "--inference-time", f"profile:{path}#resnet30-k0.0625", "--steps", "100", "--seeds",
                        "1", "--workers", "1", "--fps", repr(2e9 / mean_ns), "--json")  # fmt: skip
    assert code == 0
    assert json.loads(out)["rows"][0]["capacity_limit"] == pytest.approx(0.5)


def test_calibrate_append_refuses_another_machine_before_measuring(said, tmp_path):
    path = tmp_path / "p.json"
    said(*CALIBRATE, "--batch", "--out", str(path))
    before = path.read_text().replace('"cpu": "', '"cpu": "another ')
    path.write_text(before)
    code, _, err = said(*CALIBRATE, "--batch", "--out", str(path), "--append")
    assert (code, err.count("\n")) == (2, 1)
    assert "cpu" in err
    assert path.read_text() == before


def test_calibrate_that_measures_nothing_keeps_the_old_profile(said, tmp_path):
    path = tmp_path / "p.json"
    said(*CALIBRATE, "--batch", "--out", str(path))
    before = path.read_bytes()
    code, _, err = said("calibrate", "--k", "10000", "--batch", "--live", "no", "--out", str(path))
    assert code == 2
    assert "nothing was measured" in err
    assert path.read_bytes() == before


def test_output_never_overwrites_an_input(said, tmp_path):
    config = tmp_path / "c.toml"
    config.write_text("steps = 100\n")
    code, _, err = said("compare", "--config", str(config), "--csv", str(tmp_path / "sub" / ".." / "c.toml"))
    assert (code, err.count("\n")) == (2, 1)
    assert config.read_text() == "steps = 100\n"


def test_output_through_a_link_goes_to_the_file_it_points_to(said, tmp_path):
    target, link = tmp_path / "t.npz", tmp_path / "l.npz"
    target.write_bytes(b"old")
    link.symlink_to(target)
    said("simulate", "--inference-time", "50ms", "--steps", "50", "--out", str(link))
    assert link.is_symlink()
    assert len(Schedule.load(target)) == 50


def test_rule_that_fails_is_named_in_one_line_and_finished_rows_are_kept(said):
    def start(now, worker, step, step_start, params, state):
        return now if step < 20 else 1 // 0

    register(
        Rule("breaks", "divides by zero", "a test", prepare=lambda o, s: Program(start, release_now)), replace=True
    )
    code, out, err = said("compare", "--alg", "unstaggered", "breaks", "--inference-time", "50ms", "--steps", "100",
                          "--seeds", "1", "--workers", "2", "--no-search", "--json")  # fmt: skip
    assert code == 2
    assert [row["key"] for row in json.loads(out)["rows"]] == ["unstaggered"]
    assert "breaks" in err
    assert "ZeroDivisionError" in err


# Sweeps

GRID = ["--alg", "max_time", "--inference-time", "90ms", "--workers", "3-4", "--steps", "200", "--processes", "1"]


def test_sweep_and_report_end_to_end(said, tmp_path):
    folder = str(tmp_path / "runs" / "first")
    code, out, _ = said("sweep", folder, *GRID, "--seeds", "2", "--json")
    data = json.loads(out)
    assert (code, data["cells"], data["finished"], data["failures"]) == (0, 4, 4, {})
    code, out, _ = said("sweep", folder, "--resume", "--processes", "1")
    assert (code, "4 of 4" in out) == (0, True)
    code, out, _ = said("report", folder, "--json")
    report = json.loads(out)
    assert (code, [group["settings"]["workers"] for group in report["statistics"]]) == (0, [3, 4])
    code, text, _ = said("report", folder)
    for group in report["statistics"]:
        assert f"{100 * group['means']['inaction_fraction']:.2f} %" in text


def test_resume_with_flags_at_their_defaults_is_another_sweep_too(said, tmp_path):
    folder = str(tmp_path / "run")
    assert said("sweep", folder, *GRID, "--seeds", "1")[0] == 0
    for flag in (["--steps", "10000"], ["--seeds=3"], ["--workers", "auto"]):
        code, _, err = said("sweep", folder, "--resume", "--processes", "1", *flag)
        assert (code, "another sweep" in err) == (2, True)


def test_learning_times_none_and_some_lie_on_one_axis(said, tmp_path):
    folder = tmp_path / "run"
    assert said("sweep", str(folder), *GRID, "--seeds", "1", "--learning-time", "none", "40ms")[0] == 0
    rows = list(csv.DictReader(io.StringIO((folder / "results.csv").read_text())))
    assert [row["learning_time"] for row in rows] == ["", "", "40ms", "40ms"]


def test_report_draws_what_was_searched_for(said, tmp_path):
    folder = tmp_path / "run"
    words = ["--inference-time", "50ms", "90ms", "--alg", "exp_time", "--steps", "500", "--seeds", "1"]
    assert said("sweep", str(folder), *words, "--measure", "required_workers", "--processes", "1")[0] == 0
    code, out, err = said("report", str(folder), "--format", "svg")
    assert code == 0
    assert "none" in out or "exp_time" in out
    assert (folder / "required_workers.svg").read_bytes().startswith(b"<?xml")
    assert len(list(csv.DictReader(io.StringIO((folder / "required_workers.csv").read_text())))) == 2
    assert err.count("wrote") == 2


def test_report_draws_inaction_and_gives_the_regret_its_intervals(said, tmp_path):
    folder = tmp_path / "run"
    words = ["--inference-time", "gamma(mean=90ms, cv=0.3)", "--alg", "exp_time", "max_time", "--workers", "3", "6"]
    words += ["--mdp", "jump(n=3)", "inaction", "--steps", "500", "--seeds", "3", "--processes", "1"]
    assert said("sweep", str(folder), *words)[0] == 0
    code, out, err = said("report", str(folder))
    assert (code, err.count("wrote")) == (0, 2)
    assert (folder / "inaction.png").read_bytes().startswith(b"\x89PNG")
    drawn = list(csv.DictReader(io.StringIO((folder / "inaction.csv").read_text())))
    # Two rules, two numbers of workers; the MDP makes no difference to the inaction.
    assert [(row["key"], row["workers"]) for row in drawn] == [
        ("exp_time", "3"), ("exp_time", "6"), ("max_time", "3"), ("max_time", "6"),
    ]  # fmt: skip
    report = json.loads(said("report", str(folder), "--json")[1])
    for group in report["statistics"]:
        low, high = group["regret_ci95"]["regret_inaction_per_s"]
        assert f"{group['means']['regret_inaction_per_s']:.3f} ± {(high - low) / 2:.3f}" in out
    laws, two = tmp_path / "laws", ["--inference-time", "50ms", "90ms", "--alg", "exp_time", "--workers", "3", "6"]
    assert said("sweep", str(laws), *two, "--steps", "300", "--seeds", "2", "--processes", "1")[0] == 0
    assert said("report", str(laws))[0] == 0
    for name, mean in (("inaction_1.csv", 0.05), ("inaction_2.csv", 0.09)):
        (row, _) = csv.DictReader(io.StringIO((laws / name).read_text()))
        assert float(row["capacity_limit"]) == pytest.approx(max(0.0, 1 - 3 / 59.7275 / mean), abs=1e-9)
    one = tmp_path / "one"
    assert said("sweep", str(one), *GRID, "--workers", "3", "--seeds", "2")[0] == 0
    assert "wrote" not in said("report", str(one))[2]


def test_sweep_reads_grids_from_toml_and_flags_override(said, tmp_path):
    study = tmp_path / "study.toml"
    study.write_text(
        'steps = 900\nseeds = 1\nworkers = ["2-3", 5]\n'
        '[[grid]]\nalg = ["max_time"]\ninference-time = ["84ms"]\n'
        '[[grid]]\nalg = ["exp_time"]\ninference-time = ["20ms"]\nworkers = 1\n'
    )
    folder = tmp_path / "run"
    assert said("sweep", str(folder), "--config", str(study), "--steps", "100", "--processes", "1")[0] == 0
    rows = list(csv.DictReader(io.StringIO((folder / "results.csv").read_text())))
    assert [(row["rule"], row["inference_time"], row["workers"], row["steps"]) for row in rows] == [
        ("max_time", "84ms", "2", "100"), ("max_time", "84ms", "3", "100"), ("max_time", "84ms", "5", "100"),
        ("exp_time", "20ms", "1", "100"),
    ]  # fmt: skip


def test_the_shipped_study_is_that_of_the_papers_figures():
    from rtsim.cli.main import parse
    from rtsim.cli.sweep import _grids
    from rtsim.experiments.grid import cells_of

    cells = cells_of(_grids(parse(["sweep", "anywhere", "--config", "paper", "--seeds", "1"])))
    workers = [cell for cell in cells if cell.measure == "required_workers"]
    learners = [cell for cell in cells if cell.measure == "required_learners"]
    assert {cell.scenario.rule.name for cell in workers} >= {"max_time", "exp_time", "phase_locked"}
    assert len({str(cell.scenario.inference_time) for cell in workers}) == 10  # five sizes, epsilon 0 and 0.5
    assert {cell.scenario.batch for cell in learners} == {16, 32, 64}
    assert {cell.target for cell in workers} == {0.01}


@pytest.mark.parametrize(
    "words, told",
    [
        (["sweep"], "name a directory"),
        (["report"], "name the directory"),
        (["report", "nowhere"], "holds no sweep"),
        (["sweep", "{}/run", "--resume"], "holds no sweep"),
        (["sweep", "{}/run", "--alg"], "alg"),
        (["sweep", "{}/run", "--executor", "slurm"], "unknown"),
        (["sweep", "{}/run", "--address", "auto"], "--executor ray"),
        (["sweep", "{}/run", "--processes", "0"], "processes"),
        (["sweep", "{}/run", "--inference-time", "84"], "no unit"),
        (["sweep", "{}/run", "--fps", "60", "--step-time", "10ms"], "exclude"),
        (["sweep", "{}/run", "--workers", "3-1"], "workers"),
        (["sweep", "{}/run", "--learners", "0"], "learners"),
        (["sweep", "{}/run", "--config", "{}/none.toml"], "none.toml"),
        (["sweep", "{}/file/run"], "run directory"),
        (["report", "{}", "--format", "gif"], "must end in"),
        (["report", "{}", "--format", "png/../x.png"], "must end in"),
        (["sweep", "{}/run", "--fps", "inf"], "--fps inf"),
        (["sweep", "{}/run", "--step-time", "16"], "no unit"),
    ],
)
def test_bad_sweeps_are_one_line_and_write_nothing(said, tmp_path, words, told):
    (tmp_path / "file").write_text("x")
    code, out, err = said(*(word.replace("{}", str(tmp_path)) for word in words))
    assert (code, out) == (2, "")
    assert told in err
    assert err.count("\n") == 1
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.parametrize(
    "text, told",
    [
        ("grid = 3", "[[grid]]"),
        ("[[grid]]\nprocesses = 2", "unknown"),
        ("[[grid]]\nalg = 3.5", "3.5"),
        ('[[grid]]\nseeds = "many"', "seeds"),
        ("[[grid]]\n[[grid.grid]]\nalg = 1", "unknown"),
        ('inference-time = "1ms"\ninference_time = "2ms"', "twice"),
    ],
)
def test_bad_studies_are_one_line(said, tmp_path, text, told):
    study = tmp_path / "study.toml"
    study.write_text(text)
    code, _, err = said("sweep", str(tmp_path / "run"), "--config", str(study))
    assert code == 2
    assert told in err
    assert err.count("\n") == 1
    assert not (tmp_path / "run").exists()


# Regret


def test_compare_tells_the_regret_and_whose_it_is(said):
    words = ["--alg", "exp_time", *QUICK, "--no-search", "--mdp", "jump(n=4, p=0.8)"]
    code, text, _ = said("compare", *words)
    assert code == 0
    assert "Regret on jump(n=4, p=0.8), agent best" in text
    _, out, _ = said("compare", *words, "--json")
    for row in json.loads(out)["rows"]:
        assert f"{row['regret']['delay_per_s']:.3f}" in text
    # A jump pays 1 per step, and the Game Boy has 59.7275 of them a second.
    assert "reward per second (optimal gain 59.73 per second)" in text
    assert "Equation 4 for this Schedule's delays" in text
    _, _, err = said("compare", *words, "--agent", "ucrl2")
    assert "learns at every step (no --learning-time)" in err


def test_the_parts_of_the_regret_table_add_up_and_only_learners_have_a_bound_on_learning(said):
    words = ["compare", "--alg", "max_time", *QUICK, "--no-search", "--mdp", "garnet(states=4)", "--workers", "2"]
    for agent, learns in (("best", False), ("qucb", True)):
        _, text, _ = said(*words, "--agent", agent)
        table = text[text.index("Regret on") :]
        assert ("lower bound, constant 1" in table) is learns
        row = next(line for line in table.splitlines() if line.split()[:2] == ["max_time", "2"])
        numbers = [float(n) for n in re.findall(r"(?<!± )-?\d+\.\d+", row)]
        total, parts, bounds = numbers[0], numbers[1:5], numbers[5:]
        assert total == pytest.approx(sum(parts), abs=0.0026)  # five numbers of three decimals
        assert parts[-1] != 0.0
        assert len(bounds) == 2 + learns
        assert "leaves the warm-up out" in table


def test_regret_in_csv_has_the_columns_of_a_sweep(said, tmp_path):
    words = ["--alg", "max_time", *QUICK, "--mdp", "jump(n=4, p=0.8)", "--workers", "2", "--seeds", "1"]
    code, out, _ = said("compare", *words, "--no-search", "--json", "--csv", str(tmp_path / "a.csv"))
    assert code == 0
    said("sweep", str(tmp_path / "run"), *words, "--processes", "1")
    lines = (tmp_path / "a.csv").read_text().splitlines()
    (row,) = csv.DictReader(lines[1:])
    (cell,) = csv.DictReader((tmp_path / "run" / "results.csv").read_text().splitlines())
    shared = [name for name in cell if name.startswith(("regret_", "bound_"))]
    assert {name: row[name] for name in shared} == {name: cell[name] for name in shared}
    assert float(row["regret_delay_per_s"]) == json.loads(out)["rows"][0]["regret"]["delay_per_s"]
    assert "regret" not in row


def test_sweep_says_that_learners_without_a_learning_time_learn_at_once(said, tmp_path):
    words = ["--alg", "max_time", *QUICK, "--seeds", "1", "--workers", "2", "--mdp", "jao", "--processes", "1"]
    for number, (more, at_once) in enumerate(
        [(["--agent", "best", "qucb"], True), (["--agent", "best"], False),
         (["--agent", "qucb", "--learning-time", "9ms"], False)]
    ):  # fmt: skip
        code, _, err = said("sweep", str(tmp_path / str(number)), *words, *more)
        assert code == 0
        assert ("qucb learns at every step" in err) is at_once


def test_mdps_lists_families_and_agents(said):
    _, text, _ = said("mdps")
    _, out, _ = said("mdps", "--json")
    data = json.loads(out)
    assert all(entry["name"] in text for entry in [*data["mdps"], *data["agents"]])
    code, out, _ = said("mdps", "jump", "--json")
    assert (code, set(json.loads(out)["options"])) == (0, {"n", "p"})
    assert "jump(n=...)" in said("mdps", "jump")[1]


def test_mdps_describes_an_mdp(said, tmp_path):
    # Jaksch et al. 2010, Theorem 5: the gain of the good action; the way down takes 1/delta steps.
    found = json.loads(said("mdps", "jao(delta=0.1, epsilon=0.05)", "--json")[1])
    assert found["optimal_gain_per_step"] == pytest.approx(0.15 / 0.25, rel=1e-9)
    assert found["diameter_steps"] == pytest.approx(10, rel=1e-9)
    assert (found["states"], found["actions"], found["default"], found["p_minimax"]) == (2, 2, "stay", 0.85)
    file = tmp_path / "mine.json"
    file.write_text(
        '{"format": "rtsim-mdp", "version": 1, "states": 2, "actions": 2,'
        ' "p": [[[0.5, 0.5], [0, 1]], [[0, 1], [0, 1]]],'
        ' "r": [[0, 0], [1, -1]], "default": 1}'
    )
    text = said("mdps", str(file))[1]
    lines = dict(line.strip().split("  ", 1) for line in text.splitlines() if "  " in line.strip())
    assert {name.strip(): value.strip() for name, value in lines.items()} == {
        "states": "2", "actions": "2", "default policy": "the agent's action 1", "rewards": "-1 to 1",
        "optimal gain": "1 per step", "p_minimax": "0.5", "diameter": "infinite: some state is out of reach of another",
    }  # fmt: skip
    code, _, err = said("mdps", "jump(m=3)")
    assert (code, err.count("\n")) == (2, 1)


BAD_TABLES = {
    "sum": {"p": [[[0.5, 0.47]], [[1, 0]]]},
    "negative": {"p": [[[-0.5, 1.5]], [[1, 0]]]},
    "apart": {"p": [[[1, 0]], [[0, 1]]]},
    "text": {"p": "half"},
}


@pytest.mark.parametrize("case", BAD_TABLES)
def test_a_wrong_mdp_file_is_one_line(said, tmp_path, case):
    base = {"format": "rtsim-mdp", "version": 1, "states": 2, "actions": 1, "r": [[0.0], [1.0]]}
    file = tmp_path / "mine.json"
    file.write_text(json.dumps({**base, **BAD_TABLES[case]}))
    code, out, err = said("compare", *QUICK, "--mdp", str(file))
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "mine.json" in err


@pytest.mark.parametrize("words", [["--mdp", "nope"], ["--mdp", "jump(n=1)"], ["--mdp", "jao", "--agent", "nope"]])
def test_wrong_worlds_are_one_line(said, words):
    code, out, err = said("compare", *QUICK, *words)
    assert (code, out, err.count("\n")) == (2, "", 1)
