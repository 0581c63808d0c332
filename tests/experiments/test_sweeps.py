"""Sweeps: grids, run directories that survive anything, executors that change nothing."""

from __future__ import annotations

import csv
import io
import json
import os
import pickle
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from rtsim import Rule, Scenario, register, simulate
from rtsim.errors import FileProblem, InvalidValue, UnknownName
from rtsim.experiments import Grid, executors, results, store, sweep, sweeps
from rtsim.experiments.cells import FOUND, SETTINGS, parameters
from rtsim.experiments.grid import cells_of
from rtsim.experiments.required import required_learners
from rtsim.schedulers.free_running import release_now
from rtsim.schedulers.rule import Program
from tests.experiments import lethal

GRID = Grid(
    alg=("max_time", "exp_time"),
    inference_time=("84ms", "gamma(mean=84ms, cv=0.3)"),
    workers=(3, 6, 9, 12, 15),
    steps=300,
    seeds=10,
)
FLAGS = [
    *("--alg", "max_time", "exp_time", "--inference-time", "84ms", "gamma(mean=84ms, cv=0.3)"),
    *("--workers", "3", "6", "9", "12", "15", "--steps", "300", "--seeds", "10"),
]
SMALL = replace(GRID, workers=(3, 6), seeds=2)


def rows_of(folder: Path) -> bytes:
    return (folder / "results.csv").read_bytes()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The results of 200 cells, undisturbed."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    found = sweep(folder, GRID, processes=1)
    assert (found.cells, found.finished, found.failures) == (200, 200, {})
    return rows_of(folder)


# Grids


def test_a_grid_is_every_combination_and_none_twice():
    grid = Grid(("max_time", "sequential"), ("84ms", "90ms"), workers=(1, 2, 2), learners=(1, 4), seeds=3, steps=50)
    cells = grid.cells()
    seen = {(str(c.scenario.rule), str(c.scenario.inference_time), c.scenario.workers, c.scenario.seed) for c in cells}
    # sequential has one worker, and nobody learns, so that learners make no difference.
    expected = {("max_time", law, n, seed) for law in ("84ms", "90ms") for n in (1, 2) for seed in range(3)}
    expected |= {("sequential", law, 1, seed) for law in ("84ms", "90ms") for seed in range(3)}
    assert seen == expected
    assert len(cells) == len(expected)


def test_workers_are_chosen_around_the_capacity_limit_for_each_law():
    cells = Grid(("max_time",), ("84ms", "500ms"), seeds=1).cells()
    numbers = {
        law: {c.scenario.workers for c in cells if str(c.scenario.inference_time) == law} for law in ("84ms", "500ms")
    }
    assert {1, 6, 18} <= numbers["84ms"]  # 84 ms are 5.02 steps
    assert {1, 30, 90} <= numbers["500ms"]  # 500 ms are 29.9


def test_a_grid_survives_json():
    grid = replace(GRID, learning_time=("40ms", None), warmup_steps=20)
    assert Grid.from_json(json.loads(json.dumps(grid.to_json()))) == grid


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"alg": ()}, "alg is empty"),
        ({"alg": ("nope",)}, "unknown"),
        ({"inference_time": ("profile:epyc#nope",)}, "unknown"),
        ({"measure": "nope"}, "unknown"),
        ({"measure": "required_workers", "workers": (3,)}, "leave workers out"),
        ({"measure": "required_learners", "learning_time": ("40ms",), "learners": (2,)}, "leave learners out"),
        ({"measure": "required_learners"}, "learning time"),
        ({"alg": ("sequential",), "measure": "required_learners", "learning_time": ("40ms",)}, "processes of its own"),
        ({"seeds": 0}, "seeds"),
        ({"seeds": 10**6, "workers": (1, 2)}, "at most"),
        ({"warmup_steps": 10**6}, "warmup_steps"),
        ({"target": 0.0, "measure": "required_workers"}, "target"),
        ({"engine": "warp"}, "engine"),
        ({"batch": (16, 0)}, "batch"),
        ({"alg": ("earliest_deadline(deadline=1steps)",)}, "deadline"),
    ],
)
def test_a_grid_that_cannot_run_says_so_before_it_runs(changes, words, tmp_path):
    base = replace(GRID, workers=())
    with pytest.raises((InvalidValue, UnknownName), match=words):
        sweep(tmp_path / "run", replace(base, **changes), processes=1)
    assert not (tmp_path / "run").exists()


def test_parameters_are_those_of_the_model_in_the_law():
    assert parameters("profile:epyc#resnet15-k7@batch16") == 10_368_742
    assert parameters("mixture(0.5: profile:epyc#resnet15-k1, 0.5: profile:epyc#resnet15-k7)") is None


# What a cell finds


def test_rows_are_the_statistics_of_single_runs(tmp_path):
    sweep(tmp_path / "run", SMALL, processes=1)
    rows = results(tmp_path / "run")
    assert [row["cell"] for row in rows] == list(range(16))
    for row in rows:
        scenario = Scenario(
            str(row["rule"]), str(row["inference_time"]), workers=row["workers"], steps=300, seed=row["seed"]
        )
        expected = simulate(scenario, engine="simpy").statistics(row["warmup_steps"])
        for name in FOUND:
            if hasattr(expected, name):
                assert row[name] == getattr(expected, name), name


def test_required_learners_are_the_formula_for_constant_times(tmp_path):
    # Without waiting for one another N learners take in N·B transitions per τ_L: enough if N·B·τ_M >= τ_L.
    times = ("100ms", "400ms", "1s", "1700ms")
    grid = Grid(
        ("unstaggered",), ("15ms",), times, learner_rule=("lock_free", "round_robin"), batch=(8, 16), steps=20_000,
        seeds=1, measure="required_learners",
    )  # fmt: skip
    sweep(tmp_path / "run", grid, processes=1)
    rows = results(tmp_path / "run")
    assert len(rows) == 16
    for row in rows:
        needed = row["learning_time_s"] / (row["batch"] * row["step_time_s"])
        assert row["required"] == -(-needed // 1), row
        assert row["required"] == row["required_formula"]


@pytest.mark.parametrize("rule", ["lock_free", "round_robin"])
@pytest.mark.parametrize("n", [1, 2, 5])
def test_required_learners_are_the_formula_where_it_is_a_whole_number(n, rule):
    # n learners keep up exactly; how many updates fall into the steps counted depends on where these end.
    for steps in range(10_000, 10_017):
        scenario = Scenario(
            "unstaggered", "9ms", step_time="10ms", steps=steps, learning_time=0.16 * n, batch=16, learner_rule=rule
        )
        assert required_learners(scenario, steps // 2).learners == n


def test_required_workers_of_a_grid_are_those_of_compare(tmp_path):
    from rtsim import Design, compare

    law = "lognorm(mean=84ms, cv=0.2)"
    grid = Grid(("exp_time", "phase_locked", "sequential"), (law,), steps=3000, seeds=1, measure="required_workers")
    sweep(tmp_path / "run", grid, processes=1)
    for row in results(tmp_path / "run"):
        base = Scenario(str(row["rule"]), law, steps=3000)
        design = Design((base.rule,), base, (base.least_workers,), seeds=1, warmup_steps=row["warmup_steps"])
        expected = compare(design).required_workers[str(row["rule"])]
        assert (row["required"], row["required_reason"]) == (expected.workers, expected.reason)
        assert row["inaction_fraction"] == expected.inaction_fraction


# Run directories


def test_the_file_has_a_column_for_every_setting_and_every_number(whole):
    reader = csv.DictReader(io.StringIO(whole.decode()))
    assert reader.fieldnames == ["cell", *SETTINGS, *FOUND]
    rows = list(reader)
    assert len(rows) == 200
    assert all(row["inaction_fraction"] for row in rows)


@pytest.mark.parametrize("processes", [2, 3])
def test_results_do_not_depend_on_the_number_of_processes(whole, tmp_path, processes):
    sweep(tmp_path / "run", GRID, processes=processes)
    assert rows_of(tmp_path / "run") == whole


def test_results_do_not_depend_on_the_order_in_which_cells_finish(whole, tmp_path, monkeypatch):
    @contextmanager
    def backwards():
        yield lambda cells: ((index, executors.measure(cell)) for index, cell in reversed(cells.items()))

    seen = []
    monkeypatch.setattr(sweeps, "in_process", backwards)
    sweep(tmp_path / "run", GRID, processes=1, on_progress=lambda *_: seen.append(rows_of(tmp_path / "run")))
    assert seen[-1] != whole  # as they finished
    assert rows_of(tmp_path / "run") == whole


def test_what_a_kill_leaves_is_taken_up_and_the_half_row_run_again(whole, tmp_path, monkeypatch):
    folder = tmp_path / "run"
    sweep(folder, GRID, processes=1)
    lines = whole.splitlines(keepends=True)
    # 50 rows out of order, one row of another sweep, one twice, and half a row without its end.
    other = lines[60].replace(b",300,", b",301,")
    kept = [lines[0], *lines[60:10:-1], other, lines[30], lines[90][:40]]
    (folder / "results.csv").write_bytes(b"".join(kept))
    real, ran = executors.measure, []

    def counting(cell):
        ran.append(cell)
        return real(cell)

    monkeypatch.setattr(executors, "measure", counting)
    found = sweep(folder, resume=True, processes=1)
    assert (found.before, found.discarded, found.finished) == (50, 2, 200)
    assert len(ran) == 150
    assert rows_of(folder) == whole
    assert other in (folder / "results.csv.bak").read_bytes()  # whole, if not ours: nothing is lost


@pytest.mark.parametrize("cut", [1, 7, 100, 1000])
def test_a_file_cut_anywhere_is_completed(whole, tmp_path, cut):
    folder = tmp_path / "run"
    sweep(folder, GRID, processes=1)
    (folder / "results.csv").write_bytes(whole[:-cut])
    sweep(folder, resume=True, processes=1)
    assert rows_of(folder) == whole


def test_a_full_disk_leaves_no_half_row(tmp_path, monkeypatch):
    cells = cells_of([SMALL])
    run = store.RunDirectory.open(tmp_path / "run", (SMALL,), cells, resume=False)
    run.append(0, cells[0].results())
    before = rows_of(tmp_path / "run")
    real = os.write
    monkeypatch.setattr(os, "write", lambda file, data: real(file, data[:20]))
    with pytest.raises(FileProblem, match="no space"):
        run.append(1, cells[1].results())
    monkeypatch.undo()
    assert rows_of(tmp_path / "run") == before
    run.close()
    assert sweep(tmp_path / "run", resume=True, processes=1).before == 1


def test_a_run_is_not_begun_over_another(tmp_path):
    folder = tmp_path / "run"
    sweep(folder, SMALL, processes=1)
    written = rows_of(folder)
    with pytest.raises(InvalidValue, match="--resume"):
        sweep(folder, SMALL, processes=1)
    with pytest.raises(InvalidValue, match="another sweep"):
        sweep(folder, replace(SMALL, seeds=3), resume=True, processes=1)
    assert rows_of(folder) == written
    occupied = tmp_path / "occupied"
    occupied.mkdir()
    (occupied / "thesis.tex").write_text("x")
    with pytest.raises(InvalidValue, match="not empty"):
        sweep(occupied, SMALL, processes=1)
    assert os.listdir(occupied) == ["thesis.tex"]


@pytest.mark.parametrize(
    "axis, name", [("inference_time", "mine.json"), ("step_time", "mine.json"), ("step_time", "m")]
)
def test_a_run_of_another_version_or_of_changed_profiles_is_not_continued(tmp_path, monkeypatch, axis, name):
    from rtsim import Profile

    profile = tmp_path / name
    Profile.load("epyc").save(profile)
    grid = replace(SMALL, **{axis: (f"profile:{profile}#resnet15-k1",)})
    sweep(tmp_path / "run", grid, processes=1)
    text = profile.read_text()
    profile.write_text(text + " ")
    with pytest.raises(InvalidValue, match="file has changed"):
        sweep(tmp_path / "run", resume=True, processes=1)
    profile.write_text(text)
    sweep(tmp_path / "run", resume=True, processes=1)
    monkeypatch.setattr(store, "__version__", "9.9.9")
    with pytest.raises(InvalidValue, match=r"9\.9\.9"):
        sweep(tmp_path / "run", resume=True, processes=1)


def design_with(grids: object) -> str:
    """What says that it is whole."""
    data = {"schema": "rtsim.sweep/1", "rtsim": "0.1.0", "files": {}, "grids": grids}
    return json.dumps({**data, "digest": store._digest(data)})


@pytest.mark.parametrize(
    "content",
    [
        *("", "{", "[]", '{"schema": "rtsim.sweep/9"}', '{"schema": "rtsim.sweep/1"}'),
        *map(design_with, (3, [], [3], [{"alg": 3}], [{"x": 3}], [{"alg": [3]}], [{"seeds": "many"}])),
    ],
)
def test_a_broken_design_is_one_clear_error(tmp_path, content):
    (tmp_path / "sweep.json").write_text(content)
    with pytest.raises((FileProblem, InvalidValue, UnknownName)) as told:
        sweep(tmp_path, resume=True, processes=1)
    assert ("changed since" in str(told.value)) is (content == '{"schema": "rtsim.sweep/1"}')


def test_results_with_other_columns_are_refused_not_overwritten(tmp_path):
    sweep(tmp_path / "run", SMALL, processes=1)
    file = tmp_path / "run" / "results.csv"
    file.write_bytes(b"a,b\n1,2\n")
    with pytest.raises(FileProblem, match="other columns"):
        sweep(tmp_path / "run", resume=True, processes=1)
    assert file.read_bytes() == b"a,b\n1,2\n"


def test_two_writers_do_not_meet(tmp_path):
    run = store.RunDirectory.open(tmp_path / "run", (SMALL,), cells_of([SMALL]), resume=False)
    with pytest.raises(FileProblem, match="another process"):
        sweep(tmp_path / "run", SMALL, resume=True, processes=1)
    run.close()
    assert sweep(tmp_path / "run", SMALL, resume=True, processes=1).finished == 16


def test_a_changed_design_is_refused_and_no_row_is_lost(tmp_path):
    folder = tmp_path / "run"
    sweep(folder, SMALL, processes=1)
    written = rows_of(folder)
    text = (folder / "sweep.json").read_text()
    (folder / "sweep.json").write_text(text.replace('"seeds": 2', '"seeds": 5'))
    with pytest.raises(FileProblem, match="changed since the run began"):
        sweep(folder, resume=True, processes=1)
    assert rows_of(folder) == written


def test_what_a_kill_leaves_while_a_file_is_written_is_cleared_away(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / ".rtsim-abc").write_bytes(b"half")
    os.utime(folder / ".rtsim-abc", (0, 0))
    (folder / ".rtsim-def").write_bytes(b"of a report that is drawing")
    (folder / ".lock").touch()
    assert sweep(folder, SMALL, processes=1).finished == 16
    assert sorted(os.listdir(folder)) == [".lock", ".rtsim-def", "results.csv", "sweep.json"]
    (folder / "results.csv").write_bytes(store.HEADER[:100])
    assert sweep(folder, resume=True, processes=1).before == 0


def test_a_row_without_an_answer_is_not_finished(tmp_path):
    folder = tmp_path / "run"
    sweep(folder, SMALL, processes=1)
    written = rows_of(folder)
    rows = list(csv.reader(io.StringIO(written.decode())))
    rows[3][rows[0].index("inaction_fraction")] = ""
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerows(rows)
    (folder / "results.csv").write_text(stream.getvalue())
    assert sweep(folder, resume=True, processes=1).before == 15
    assert rows_of(folder) == written


def test_results_without_their_design_are_refused_and_kept(tmp_path):
    folder = tmp_path / "run"
    sweep(folder, SMALL, processes=1)
    written = rows_of(folder)
    (folder / "sweep.json").unlink()
    for resume in (False, True):
        with pytest.raises(InvalidValue, match="holds no sweep"):
            sweep(folder, SMALL, resume=resume, processes=1)
    assert rows_of(folder) == written


def test_a_cell_of_two_grids_is_one_cell_whatever_their_sizes():
    small = replace(SMALL, seeds=1, steps=2000)
    large = replace(small, seeds=200)
    assert {cell.clock for cell in small.cells()} != {cell.clock for cell in large.cells()}
    assert len(cells_of([small, large])) == len(large.cells())


def test_a_lock_that_cannot_be_had_says_why(tmp_path, monkeypatch):
    def unsupported(file):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(store, "_lock", unsupported)
    with pytest.raises(FileProblem, match="local disk"):
        sweep(tmp_path / "run", SMALL, processes=1)


def test_a_directory_that_is_not_ours_is_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(InvalidValue, match="not empty"):
        sweep(tmp_path, SMALL, processes=1)
    assert os.listdir(tmp_path) == ["thesis.tex"]


@pytest.mark.parametrize("path", ["", "a\0b", "x" * 300])
def test_impossible_directories_are_clear_errors(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for resume in (False, True):
        with pytest.raises((FileProblem, InvalidValue)):
            sweep(path, SMALL, resume=resume, processes=1)
    with pytest.raises((FileProblem, InvalidValue)):
        results(path)
    assert os.listdir(tmp_path) == []


def test_a_deleted_directory_ends_the_sweep_at_once(tmp_path):
    import shutil

    cells = cells_of([SMALL])
    run = store.RunDirectory.open(tmp_path / "run", (SMALL,), cells, resume=False)
    shutil.rmtree(tmp_path / "run")
    with pytest.raises(FileProblem, match="deleted"):
        run.append(0, cells[0].results())
    with pytest.raises(FileProblem):
        run.close()


@pytest.mark.parametrize(
    "changes",
    [
        {"alg": "max_time"}, {"inference_time": "84"}, {"alg": (3,)}, {"inference_time": (None,)}, {"workers": 4},
        {"workers": ("3",)}, {"workers": (True,)}, {"learners": 2}, {"target": None}, {"target": "x"}, {"engine": None},
        {"engine": []}, {"measure": None}, {"learner_rule": (None,)}, {"steps": 10.5}, {"seed": -1}, {"batch": (0,)},
        {"mailbox": {}},
    ],
)  # fmt: skip
def test_a_grid_of_wrong_types_is_a_clear_error(changes):
    with pytest.raises((InvalidValue, UnknownName)):
        replace(GRID, **changes)


def test_a_grid_takes_what_python_users_have_at_hand():
    import numpy as np

    from rtsim import RuleSpec, law

    given = Grid(
        alg=[RuleSpec.of("max_time")], inference_time=(law("84ms"), 0.02), workers=range(1, 3),
        learners=np.array([2]), seeds=np.int64(2), steps=50.0,
    )  # fmt: skip
    said = Grid(("max_time",), ("84ms", "20ms"), workers=(1, 2), learners=(2,), seeds=2, steps=50)
    assert given == said
    json.dumps(given.to_json())


# Failures


def _past(now, worker, step, step_start, params, state):
    return now if step < 100 else now - 1


def test_a_cell_that_fails_is_told_left_open_and_harms_no_other(tmp_path):
    register(
        Rule("backwards", "asks for the past", "a test", prepare=lambda o, s: Program(_past, release_now)), replace=True
    )
    grid = replace(SMALL, alg=("max_time", "backwards"), engine="simpy")
    found = sweep(tmp_path / "run", grid, processes=1)
    assert found.finished == 8
    assert len(found.failures) == 8
    assert all("backwards" in reason for reason in found.failures.values())
    assert {row["rule"] for row in results(tmp_path / "run")} == {"max_time"}


def test_a_cell_that_kills_its_process_is_given_up_and_the_rest_finished(tmp_path, monkeypatch):
    monkeypatch.setattr(executors, "measure_all", lethal.measure_or_die)
    grid = replace(GRID, inference_time=("84ms",), workers=(3,), seeds=8)
    found = sweep(tmp_path / "run", grid, processes=2)
    assert {cells_of([grid])[index].scenario.seed for index in found.failures} == {lethal.LETHAL}
    assert (len(found.failures), found.finished) == (2, 14)
    monkeypatch.undo()
    again = sweep(tmp_path / "run", resume=True, processes=1)
    assert (again.before, again.finished, again.failures) == (14, 16, {})


SCRIPT = """
import sys
import rtsim
from rtsim.schedulers import Program
from rtsim.schedulers.free_running import release_now, start_now

GRID = rtsim.Grid(("max_time", "mine"), ("84ms",), workers=(3,), steps=100, seeds=1)
MINE = rtsim.Rule("mine", "a rule", "a test", prepare=lambda options, setting: Program(start_now, release_now))
"""


def run_script(tmp_path: Path, body: str) -> subprocess.CompletedProcess[str]:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT + body)
    environment = {**os.environ, "PYTHONPATH": os.getcwd()}
    words = [sys.executable, str(script), str(tmp_path / "run")]
    return subprocess.run(words, env=environment, capture_output=True, text=True, timeout=100)


def test_a_script_without_its_guard_is_told_so(tmp_path):
    done = run_script(tmp_path, "rtsim.register(MINE)\nprint(rtsim.sweep(sys.argv[1], GRID, processes=2))\n")
    assert done.returncode != 0
    assert "__main__" in done.stderr.splitlines()[-1]


def test_a_rule_that_worker_processes_do_not_know_fails_alone(tmp_path):
    body = "if __name__ == '__main__':\n    {}rtsim.sweep(sys.argv[1], GRID, processes=2)\n"
    done = run_script(tmp_path, body.format("rtsim.register(MINE)\n    "))
    assert done.returncode == 0, done.stderr
    assert [row["rule"] for row in results(tmp_path / "run")] == ["max_time"]


def test_a_rule_registered_where_worker_processes_import_it_runs(tmp_path):
    body = "rtsim.register(MINE)\nif __name__ == '__main__':\n    rtsim.sweep(sys.argv[1], GRID, processes=2)\n"
    done = run_script(tmp_path, body)
    assert done.returncode == 0, done.stderr
    assert [row["rule"] for row in results(tmp_path / "run")] == ["max_time", "mine"]


# Processes and kills


def start(folder: Path, *words: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "rtsim", "sweep", str(folder), "--processes", "2", *words]
    with open(folder.parent / "stderr", "wb") as stderr:
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=stderr)


def wait_for_rows(process: subprocess.Popen[bytes], folder: Path, rows: int) -> None:
    file, end = folder / "results.csv", time.monotonic() + 120
    while process.poll() is None and not (file.exists() and file.read_bytes().count(b"\n") > rows):
        assert time.monotonic() < end
        time.sleep(0.01)


def workers_of(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    children = psutil.Process(process.pid).children()
    return [child for child in children if "spawn_main" in " ".join(child.cmdline())]


def test_a_killed_worker_is_replaced(whole, tmp_path):
    folder = tmp_path / "run"
    process = start(folder, *FLAGS)
    wait_for_rows(process, folder, 1)
    workers_of(process)[0].send_signal(signal.SIGKILL)
    assert process.wait(120) == 0
    assert rows_of(folder) == whole


def test_a_killed_parent_leaves_no_orphans_and_its_run_goes_on(whole, tmp_path):
    folder = tmp_path / "run"
    process = start(folder, *FLAGS)
    wait_for_rows(process, folder, 1)
    workers = workers_of(process)
    process.kill()
    process.wait()
    _, alive = psutil.wait_procs(workers, timeout=20)
    assert not alive
    before = rows_of(folder)
    assert before.count(b"\n") < 201, "killed too late to show anything"
    assert start(folder, "--resume").wait(120) == 0
    assert rows_of(folder) == whole


def test_an_interrupted_sweep_keeps_what_is_finished_and_says_how_to_go_on(whole, tmp_path):
    folder = tmp_path / "run"
    process = start(folder, *FLAGS)
    wait_for_rows(process, folder, 1)
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 130
    told = (tmp_path / "stderr").read_text()
    assert "--resume" in told
    assert "Traceback" not in told
    assert rows_of(folder).count(b"\n") > 1
    assert start(folder, "--resume").wait(120) == 0
    assert rows_of(folder) == whole


def test_a_two_node_ray_cluster_finds_the_same(whole, tmp_path):
    """In a process of its own: Ray leaves threads and warnings behind."""
    script = tmp_path / "cluster.py"
    script.write_text(
        "import os, subprocess, sys\n"
        "os.environ['RAY_USAGE_STATS_ENABLED'] = '0'\n"
        "from ray.cluster_utils import Cluster\n"
        "head = {'num_cpus': 1, 'include_dashboard': False}\n"
        "cluster = Cluster(initialize_head=True, head_node_args=head)\n"
        "cluster.add_node(num_cpus=1)\n"
        "command = [sys.executable, '-m', 'rtsim', 'sweep', *sys.argv[1:], '--address', cluster.address]\n"
        "code = subprocess.call(command)\n"
        "cluster.shutdown()\n"
        "sys.exit(code)\n"
    )
    folder = tmp_path / "run"
    command = [sys.executable, str(script), str(folder), *FLAGS, "--executor", "ray"]
    environment = {**os.environ, "PYTHONPATH": os.getcwd()}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert rows_of(folder) == whole


class FakeRay:
    """As much of Ray as executors use; tasks with a lethal cell fail."""

    class exceptions:
        class RayError(Exception):
            pass

    def __init__(self):
        self.parcels = []

    def remote(self, **options):
        return lambda function: SimpleNamespace(remote=self.submit)

    def submit(self, parcel, version):
        self.parcels.append((parcel, version))
        return len(self.parcels) - 1  # the reference

    def cluster_resources(self):
        return {"CPU": 2.0}

    def wait(self, references, num_returns):
        return references[:1], references[1:]

    def get(self, reference):
        parcel, version = self.parcels[reference]
        if any(pickle.loads(data).scenario.seed == lethal.LETHAL for data in parcel.values()):
            raise self.exceptions.RayError("The worker died.")
        return executors.remote_measure(parcel, version)


def test_a_lethal_cell_on_ray_takes_no_other_with_it():
    cells = dict(enumerate(cells_of([replace(SMALL, seeds=8, steps=100)])))
    ray = FakeRay()
    found = dict(executors._ray_tasks(ray, cells))
    failed = {cells[index].scenario.seed for index, what in found.items() if isinstance(what, executors.Failure)}
    assert failed == {lethal.LETHAL}
    assert set(found) == set(cells)


@pytest.mark.parametrize(
    "address, probed", [("10.0.0.1:6379", True), ("[::1]:6379", True), ("ray://host:10001", False)]
)
def test_only_plain_addresses_are_tried_before_ray_is_asked(monkeypatch, address, probed):
    import socket

    tried = []

    def connect(where, timeout):
        tried.append(where)
        raise OSError("refused")

    class Ray:
        def init(self, **options):
            raise ConnectionError("no cluster")

    monkeypatch.setattr(socket, "create_connection", connect)
    with pytest.raises(InvalidValue, match="cannot reach"):
        executors._connect(Ray(), address)
    assert bool(tried) is probed
    assert all("[" not in host for host, _ in tried)
