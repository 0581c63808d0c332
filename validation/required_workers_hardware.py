"""How many processes does this hardware need? The first paper's Figures 7 and 8, measured here.

Inference and learning times of the network family are calibrated on this machine. From them the simulator finds
the fewest inference workers N_I* that reach an inaction of 1 %, and the fewest learners N_L* that learn from every
transition; then both are searched for in real time, with timed inference and learning: one machine plays the many.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
import sys
from pathlib import Path
from typing import Any

from rtsim import pictures
from rtsim.calibrate import CalibrationPlan, calibrate
from rtsim.cli import scripts
from rtsim.cli.arguments import Play
from rtsim.cli.play import plan_of
from rtsim.errors import InvalidValue
from rtsim.experiments import Grid, results, sweep
from rtsim.experiments.report import RequiredPoint, required_points
from rtsim.live import LivePlan, trials
from rtsim.live.required import Fewest, fewest_learners, fewest_workers
from rtsim.scenario import GAME_BOY
from rtsim.schedule import Schedule
from rtsim.timing import Profile

FOLDER = Path(__file__).parent
SCHEMA = "rtsim.validation.required-hardware/1"
SECTION = "required-hardware"
TARGET = 0.01
BATCH = 16
MOST_WORKERS, MOST_LEARNERS = 72, 8
#: Longer updates than this are too few in a run of half a minute, s.
LONGEST_UPDATE = 3.0
RULES = ("max_time(initial_max=p100)", "time_triggered(deadline=p99.99, late=release)")
WORKERS, LEARNERS = "required_workers", "required_learners"


def profile_at(path: Path, again: bool, quick: bool) -> Profile:
    """The profile of this machine; measured if there is none."""
    if path.exists() and not again:
        return Profile.load(path)
    plan = CalibrationPlan(
        k=(0.0625, 1.0) if quick else (0.0625, 1.0, 7.0, 29.0),
        batch=(BATCH,),
        time_limit_s=1.0 if quick else 60.0,
        min_samples=20 if quick else 300,
        name="validation",
    )
    seen = set()

    def tell(progress: Any) -> None:
        what = f"{progress.model} {progress.operation}"
        if what not in seen:
            seen.add(what)
            print(f"calibrating {what}", file=sys.stderr, flush=True)

    profile = calibrate(plan, on_progress=tell)
    path.parent.mkdir(parents=True, exist_ok=True)
    profile.save(path)
    return profile


def simulate(laws: list[str], recorded: Path, steps: int) -> dict[str, list[RequiredPoint]]:
    """Required workers in runs as long as the live ones, 20 seeds; required learners in long runs."""
    grids = (
        Grid(alg=RULES, inference_time=tuple(laws), steps=steps, seeds=20, measure=WORKERS, target=TARGET),
        *(
            Grid(
                alg=("unstaggered",),
                inference_time=("1ms",),
                learning_time=(law,),
                batch=(BATCH,),
                steps=60_000,
                seeds=3,
                measure=LEARNERS,
            )
            for law in laws
        ),
    )
    sweep(recorded / "sweep", grids, resume=(recorded / "sweep").exists(), processes=1)
    rows = results(recorded / "sweep")
    return {measure: required_points(rows, measure) for measure in (WORKERS, LEARNERS)}


def search(point: RequiredPoint, recorded: Path, seconds: float) -> Fewest | None:
    """The same in real time; None where it cannot be played."""

    def player(plan: LivePlan) -> Schedule:
        return trials.make_trial(plan, recorded, f"{what}-{point.law.rpartition('#')[2]}").schedule

    def tell(number: int, value: float) -> None:
        print(f"  {number}: {value:.4f}", file=sys.stderr, flush=True)

    if point.measure == WORKERS:
        if (1 - TARGET) * point.time_s > MOST_WORKERS * point.step_time_s:
            return None
        what = "workers"
        print(f"live, {point.series}, {point.law}: inaction by workers", file=sys.stderr)
        plan = plan_of(Play(alg=point.series, workers=1, inference_time=point.law, seconds=seconds))
        return fewest_workers(plan, TARGET, MOST_WORKERS, play=player, on_run=tell)
    if point.time_s > LONGEST_UPDATE:
        return None
    what = "learners"
    print(f"live, {point.law}: transitions per step by learners", file=sys.stderr)
    settings = {"alg": "unstaggered", "workers": 1, "inference_time": "1ms", "batch": BATCH}
    plan = plan_of(Play(**settings, learning_time=point.law, learner_rule="round_robin", seconds=3 * seconds))
    return fewest_learners(plan, MOST_LEARNERS, play=player, on_run=tell)


def described(point: RequiredPoint, live: Fewest | None) -> dict[str, Any]:
    """One row of the results."""
    kept = ("measure", "series", "time_s", "parameters", "median", "low", "high", "formula", "reason", "seeds")
    return {
        "model": point.law.rpartition("#")[2],
        **{name: getattr(point, name) for name in kept},
        "live": None if live is None else live.number,
        "live_tried": None if live is None else {str(number): live.tried[number] for number in sorted(live.tried)},
        "live_disturbed": None if live is None else live.disturbed,
    }


def section(data: dict[str, Any] | None) -> str:
    """The section of README.md that belongs to some results."""
    if data is None:
        return scripts.UNMEASURED
    tables = []
    for measure, name, what in ((WORKERS, "N_I*", "rule"), (LEARNERS, "N_L*", "learner rule")):
        rows = [
            [
                f"{row['model'].partition('@')[0]} ({row['parameters']:,})",
                row["series"],
                f"{1e3 * row['time_s']:.4g}",
                "-" if row["formula"] is None else str(row["formula"]),
                _between(row),
                _live(row),
            ]
            for row in data["rows"]
            if row["measure"] == measure
        ]
        mean = "mean inference time (ms)" if measure == WORKERS else "mean learning time (ms)"
        columns = ["network (parameters)", what, mean, f"{name}, the paper's formula", "simulated", "live"]
        tables.append(scripts.markdown(columns, rows))
    return "\n".join(
        [
            scripts.machine_line(data["machine"]),
            "",
            f"Fewest inference workers for an inaction of {100 * data['target']:g} % at {data['step_time']}, runs of "
            f"{data['seconds']:g} s (simulated: median and range of 20 seeds):",
            "",
            tables[0],
            "",
            "![Required workers against inference time and parameters](results/required_workers_hardware.png)",
            "",
            "Fewest learners that learn from every transition:",
            "",
            tables[1],
            "",
            "![Required learners against learning time and parameters](results/required_learners_hardware.png)",
        ]
    )


def _between(row: dict[str, Any]) -> str:
    if row["median"] is None:
        return "-"
    high = "more than tried" if row["high"] is None else str(row["high"])
    return str(row["median"]) if row["low"] == row["high"] else f"{row['median']} ({row['low']} to {high})"


def _live(row: dict[str, Any]) -> str:
    if row["live_tried"] is None:
        return "not played"
    number = f"more than {max(map(int, row['live_tried']))}" if row["live"] is None else str(row["live"])
    return f"{number}, {row['live_disturbed']} runs disturbed" if row["live_disturbed"] else number


def record(data: dict[str, Any], points: dict[str, list[RequiredPoint]], out: Path) -> None:
    """Results, pictures with their data, and the section."""
    folder = out / "results"
    scripts.write_results(folder / "required_hardware.json", data)
    for measure, here in points.items():
        rows = [row for row in data["rows"] if row["measure"] == measure]
        live = [
            dataclasses.replace(point, median=row["live"], low=row["live"], high=row["live"], not_found=0)
            for point, row in zip(here, rows, strict=True)
            if row["live"] is not None
        ]
        table = [{"what": "simulated", **row} for row in pictures.scaling_rows(here)]
        table += [{"what": "live", **row} for row in pictures.scaling_rows(live)]
        for row in table:
            row["law"] = str(row["law"]).rpartition("#")[2]
        pictures.save_figure(pictures.plot_scaling(here, live=live), folder / f"{measure}_hardware.png", table)
    scripts.write_section(out / "README.md", SECTION, section(scripts.rounded(data)))


def main() -> int:
    parser = scripts.measuring("required_workers_hardware.py", __doc__, "two small networks, runs of 2 s")
    parser.add_argument("--calibrate", action="store_true", help="measure the profile again, though there is one")
    arguments = scripts.parsed(parser, FOLDER)
    out, seconds = arguments.out, 2.0 if arguments.quick else 10.0
    path = out / "results" / "profile.json"
    profile = profile_at(path, arguments.calibrate, arguments.quick)
    # What was played with other times does not count for these.
    recorded = out / "recorded" / f"required-{hashlib.sha256(path.read_bytes()).hexdigest()[:10]}"
    recorded.mkdir(parents=True, exist_ok=True)
    name = os.path.relpath(path)
    if any(letter in name for letter in "#@,() "):
        raise InvalidValue(f"the path {name!r} cannot stand in a law; run this from another folder")
    laws = [f"profile:{name if os.sep in name else f'./{name}'}#{model}" for model in profile.models]
    steps = plan_of(Play(inference_time="1ms", seconds=seconds)).scenario.steps
    points = simulate(laws, recorded, steps)
    rows = [described(point, search(point, recorded, seconds)) for here in points.values() for point in here]
    data = {
        "schema": SCHEMA,
        "machine": scripts.machine(),
        "seconds": seconds,
        "target": TARGET,
        "step_time": GAME_BOY,
        "rows": rows,
    }
    record(data, points, out)
    return 0


if __name__ == "__main__":
    raise SystemExit(scripts.guarded("required_workers_hardware.py", main))
