"""The scripts of validation/: their page belongs to their results, and the grid of plans can be played.

What they measure is not judged here: it takes hours of a quiet machine, and is recorded with it.
"""

from __future__ import annotations

import ast
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from rtsim.cli import scripts
from rtsim.live import LivePlan
from rtsim.live.acceptance import AGREES, DIFFERS, SPREAD

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "validation"
PAGE = FOLDER / "README.md"
RESULTS = {
    "live_agreement": "agreement.json",
    "real_inference": "real_inference.json",
    "live_learning": "live_learning.json",
    "required_workers_hardware": "required_hardware.json",
    "pace": "pace.json",
    "soak": "soak.json",
    "learning_scores": "learning_scores.json",
    "learning_optimum": "learning_optimum.json",
    "learning_figures": "learning_figures.json",
}


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"validation_{name}", FOLDER / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def run(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"}
    return subprocess.run(
        [sys.executable, f"validation/{name}.py", *arguments],
        env=environment,
        capture_output=True,
        encoding="utf-8",
        cwd=ROOT,
    )


def test_every_script_is_tested_here() -> None:
    assert sorted(path.stem for path in FOLDER.glob("*.py")) == sorted(RESULTS)


@pytest.mark.parametrize("name", RESULTS)
def test_section_of_the_page_is_that_of_the_recorded_results(name: str) -> None:
    module = load(name)
    data = scripts.read_results(FOLDER / "results" / RESULTS[name], module.SCHEMA)
    assert scripts.section(PAGE, module.SECTION) == module.section(data)


def test_pictures_of_the_page_exist_with_their_data() -> None:
    for picture in re.findall(r"!\[[^\]]*\]\((.*?)\)", PAGE.read_text(encoding="utf-8")):
        assert (FOLDER / picture).is_file()
        assert (FOLDER / picture).with_suffix(".csv").is_file()


def test_recorded_verdicts_are_those_of_the_recorded_numbers() -> None:
    data = scripts.read_results(FOLDER / "results" / "agreement.json", load("live_agreement").SCHEMA)
    for plan in (data or {"plans": []})["plans"]:
        missed = [check for check in plan["checks"] if check["holds"] is False]
        if not all(run["replayed"] for run in plan["runs"]):
            assert plan["verdict"] == DIFFERS
        elif not missed:
            assert plan["verdict"] == AGREES
        else:
            assert plan["verdict"] == (SPREAD if all(check["within_runs"] for check in missed) else DIFFERS)
        for check in plan["checks"]:
            if check["name"] == "identical source":
                assert check["holds"] == (check["value"] >= 0.999)
                assert check["value"] == min(run["identical_source"] for run in plan["runs"])
            elif check["value"] is not None:
                assert check["holds"] == (abs(check["value"]) <= check["limit"])


def test_results_tell_nothing_of_where_they_were_made() -> None:
    for path in [*(FOLDER / "results").glob("*.json"), *(FOLDER / "results").glob("*.csv"), PAGE]:
        assert not re.search(r"/(home|root|work|tmp|Users)/", path.read_text(encoding="utf-8")), path


def test_scripts_import_only_rtsim_and_what_trains_and_never_each_other() -> None:
    for path in FOLDER.glob("*.py"):
        imported = set()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0
                imported.add(str(node.module).split(".")[0])
        assert imported <= {"rtsim", "torch", "gymnasium", *sys.stdlib_module_names}, path
        assert not imported & set(RESULTS)


def test_names_of_scripts_are_unique_in_the_repository() -> None:
    others = {path.stem for room in ("rtsim", "tests", "theory") for path in (ROOT / room).rglob("*.py")}
    assert not others & set(RESULTS)


def test_grid_has_every_rule_on_the_game_boy_and_two_on_each_atari_game_real_and_timed() -> None:
    module = load("live_agreement")
    rules: dict[tuple[str, str], set[str]] = {}
    for entry in module.grid():
        plan = entry.plan(module.SECONDS, 0)
        assert isinstance(plan, LivePlan)
        assert entry.runs >= 5
        rules.setdefault((plan.game, plan.inference), set()).add(entry.settings["alg"])
        assert plan.scenario.workers <= 72
        assert plan.inference == "timed" or plan.scenario.workers <= 2
    every = set(module.RULES.values())
    assert {key: len(value) for key, value in rules.items()} == {
        ("blocks", "timed"): len(every),
        ("blocks", "real"): len(every),
        **{(f"atari:{game}", inference): 2 for game in ("Boxing", "Krull") for inference in ("timed", "real")},
    }
    assert set(module.DELAYS) | set(module.QUICK) <= {entry.name for entry in module.grid()}
    # Two hours: 20 s a run, about 4 s to start and end it.
    assert sum(entry.runs for entry in module.grid()) * (module.SECONDS + 4) < 2 * 3600


@pytest.mark.parametrize("name", RESULTS)
def test_bad_flags_are_one_line_and_exit_2(name: str) -> None:
    for arguments in (["--nonsense"], ["--quick"]):
        found = run(name, *arguments)
        assert found.returncode == 2
        assert len(found.stderr.splitlines()) == 1
        assert "Traceback" not in found.stderr


def test_unknown_plan_is_refused_with_those_there_are() -> None:
    found = run("live_agreement", "--only", "timed-6 exp-time")
    assert found.returncode == 2
    assert "did you mean 'timed-6 exp_time'?" in found.stderr


def test_stopping_a_case_measured_again_keeps_those_recorded_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = load("learning_optimum")
    data = scripts.read_results(FOLDER / "results" / "learning_optimum.json", module.SCHEMA)
    assert data is not None
    for case in data["cases"][:3]:
        case["decisions"] += 1  # so that they are measured again
    path = tmp_path / "results" / "learning_optimum.json"
    scripts.write_results(path, data)

    def measure(mdp: str, rule: str, delay: int, decisions: int, seeds: object) -> dict[str, object]:
        if (mdp, rule, delay) == tuple(data["cases"][1][key] for key in ("mdp", "rule", "delay")):
            raise KeyboardInterrupt
        return {**data["cases"][0], "decisions": decisions}

    monkeypatch.setattr(module, "measure", measure)
    monkeypatch.setattr("torch.set_num_threads", lambda _: None)
    monkeypatch.setattr(sys, "argv", ["learning_optimum.py", "--out", str(tmp_path)])
    with pytest.raises(KeyboardInterrupt):
        module.main()
    after = json.loads(path.read_text())["cases"]
    assert after[0]["decisions"] == data["cases"][0]["decisions"] - 1
    assert after[1:] == scripts.measured(data, "cases")[1:]
    assert after[0]["machine"]["date"] != after[1]["machine"]["date"]


def test_results_kept_from_before_keep_their_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = {**scripts.machine(), "cpu": "the first", "date": "2001-01-01T00:00+00:00"}
    shutil.copy(PAGE, tmp_path / "README.md")
    scores, agreement = load("learning_scores"), load("live_agreement")
    names = [problem.name for problem in scores.PROBLEMS]
    run_of = {"curve": {}, "steps_per_second": None}
    found = {"steps": 1, "runs": [run_of], "scores": [1.0], "mean": 1.0, "least": 1.0, "holds": True}
    data = {"schema": scores.SCHEMA, "machine": old, "problems": [{"name": name, **found} for name in names]}
    scripts.write_results(tmp_path / "results" / "learning_scores.json", data)
    monkeypatch.setattr(scores, "measure", lambda problem, *_: {"name": problem.name, **found})
    monkeypatch.setattr(sys, "argv", ["learning_scores.py", "--only", names[0], "--out", str(tmp_path)])
    assert scores.main() == 0
    section = scripts.section(tmp_path / "README.md", scores.SECTION)
    assert section.count("Measured on") == 2
    assert section.count("Measured on 2001-01-01: the first,") == 1

    plans = [{"name": name, "verdict": AGREES} for name in agreement.QUICK]
    data = {"schema": agreement.SCHEMA, "machine": old, "plans": plans}
    scripts.write_results(tmp_path / "results" / "agreement.json", data)
    recorded: list[dict[str, Any]] = []
    monkeypatch.setattr(agreement, "play_all", lambda *_: None)
    monkeypatch.setattr(agreement, "compare", lambda entry, *_: {"name": entry.name, "verdict": AGREES})
    monkeypatch.setattr(agreement, "record", lambda data, out: recorded.append(data))
    monkeypatch.setattr(sys, "argv", ["live_agreement.py", "--only", agreement.QUICK[0], "--out", str(tmp_path)])
    assert agreement.main() == 0
    compared, kept = recorded[0]["plans"]
    assert compared["machine"]["cpu"] != "the first"
    assert kept["machine"] == old


@pytest.mark.realtime
def test_quick_grid_is_played_compared_recorded_and_not_played_again(tmp_path: Path) -> None:
    page = PAGE.read_text(encoding="utf-8")
    shutil.copy(PAGE, tmp_path / "README.md")
    first = run("live_agreement", "--quick", "--out", str(tmp_path))
    # 1: the statistics differ, which those of two short runs on a busy machine may.
    assert first.returncode in (0, 1), first.stderr
    data = json.loads((tmp_path / "results" / "agreement.json").read_text())
    module = load("live_agreement")
    assert [plan["name"] for plan in data["plans"]] == list(module.QUICK)
    for plan in data["plans"]:
        assert len(plan["runs"]) == 2
        # However busy the machine is: a record replays, and its own durations explain it.
        assert all(run["replayed"] for run in plan["runs"])
        assert all(run["identical_source"] >= 0.95 for run in plan["runs"])
    assert scripts.section(tmp_path / "README.md", module.SECTION) == module.section(data)
    for picture in ("agreement", "agreement_delays"):
        assert (tmp_path / "results" / f"{picture}.png").is_file()
        assert (tmp_path / "results" / f"{picture}.csv").is_file()
    recorded = {path: path.stat().st_mtime_ns for path in (tmp_path / "recorded").iterdir()}
    assert len(recorded) >= 4
    # One plan again: nothing is played, and the other's results stay.
    again = run("live_agreement", "--quick", "--only", module.QUICK[0], "--out", str(tmp_path), "--minutes", "0")
    assert again.returncode == first.returncode, again.stderr
    plans = json.loads((tmp_path / "results" / "agreement.json").read_text())["plans"]
    assert plans[1] == data["plans"][1]
    # Compared again, perhaps a minute later.
    assert {**plans[0], "machine": None} == {**data["plans"][0], "machine": None}
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "recorded").iterdir()} == recorded
    assert PAGE.read_text(encoding="utf-8") == page
