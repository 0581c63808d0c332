"""Do trainings in real processes and in virtual time have the same Schedule?

A learner of 55 thousand parameters trains on the Game Boy game in real processes, several times with different seeds.
Then it trains in virtual time, with inference and learning times drawn from those of the other half of the live runs.
"""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rtsim.cli import scripts
from rtsim.envs.worlds import environment
from rtsim.learning import PRESETS, Row, ScheduledTraining, memory_file, overall, prepare
from rtsim.live import LivePlan, acceptance, play, trials
from rtsim.live.agreement import fitted_law, fitted_learning, fitted_scenario, identity
from rtsim.live.plan import LEARNER, LearningPlan
from rtsim.live.rows import half_width, row_of
from rtsim.live.training import curve
from rtsim.live.virtual import replay
from rtsim.scenario import Scenario
from rtsim.schedule import Schedule

FOLDER = Path(__file__).parent
SCHEMA = "rtsim.validation.live-learning/1"
SECTION = "live-learning"
SETTINGS = PRESETS["game-boy"].with_(network="resnet15-k0.0625", capacity=20_000, exploration_steps=1_000)
#: By name: rule, workers, and the learner rule with its learners.
PLANS: dict[str, dict[str, Any]] = {
    "time_triggered, 2 in a round robin": {"rule": "time_triggered", "workers": 7, "learners": 2},
    "max_time warm, 2 lock-free": {
        "rule": "max_time(initial_max=p99.9)",
        "workers": 6,
        "learners": 2,
        "learner_rule": "lock_free",
    },
    "sequential": {"rule": "sequential"},
}
#: Unit, what a row of a learning curve says of it, and by how much the means may differ.
QUANTITIES = {
    "inaction": ("", lambda row: row.inaction, acceptance.INACTION),
    "delay": ("steps", lambda row: row.delay, acceptance.DELAY),
    "staleness of actions": ("updates", lambda row: row.staleness, None),
    "staleness of gradients": ("updates", lambda row: row.gradient_staleness, None),
    "updates per step": ("", lambda row: row.updates / row.step, None),
}


def live_plan(name: str, seed: int, seconds: float, folder: Path) -> LivePlan:
    """One run of a plan."""
    scenario = Scenario(
        **PLANS[name],
        inference_time="lognorm(mean=84ms, cv=0.1)",
        learning_time="20ms",
        learning_starts=60,
        batch=SETTINGS.batch,
        steps=round(seconds * 59.7275),
        seed=seed,
    )
    learning = LearningPlan(SETTINGS.to_json(), str(folder / "learner.pt"))
    return LivePlan(scenario, "blocks", LEARNER, network=SETTINGS.network, learning=learning)


def played(plan: LivePlan) -> Schedule:
    """Run a plan; what it learnt is thrown away."""
    assert plan.learning is not None
    checkpoint = Path(plan.learning.checkpoint)
    try:
        return play(plan)
    finally:
        for path in (checkpoint, memory_file(checkpoint)):
            path.unlink(missing_ok=True)


def virtual(scenario: Scenario, steps: int) -> Row:
    """The same training in virtual time."""
    env = environment("blocks")
    try:
        training = ScheduledTraining(env, prepare(env, SETTINGS, scenario.seed), scenario, row_steps=steps)
        training.run(steps)
        return overall(training.rows[:1])
    finally:
        env.close()


def measure(name: str, runs: int, seconds: float, recorded: Path) -> dict[str, Any]:
    """Train live several times, and as often in virtual time."""
    recorded.mkdir(parents=True, exist_ok=True)
    stem = "learning-" + name.replace(", ", "-").replace(" ", "-")
    found = []
    for seed in range(runs):
        found.append(trials.make_trial(live_plan(name, seed, seconds, recorded), recorded, stem, play=played))
        print(f"{name}, run {seed + 1} of {runs}", file=sys.stderr, flush=True)
    schedules = [trial.schedule for trial in found]
    steps = len(schedules[0])
    simulated = []
    for index in range(runs):
        half = schedules[1 - index % 2 :: 2]
        scenario = live_plan(name, 1000 + index, seconds, recorded).scenario
        fitted = fitted_scenario(scenario, fitted_law(half), fitted_learning(half))
        simulated.append(virtual(fitted, steps))
        print(f"{name}, virtual {index + 1} of {runs}", file=sys.stderr, flush=True)
    live = [overall(curve(schedule, steps)) for schedule in schedules]
    rows = []
    for quantity, (unit, value, limit) in QUANTITIES.items():
        row = row_of(quantity, unit, [value(one) for one in live], [value(one) for one in simulated])
        rows.append({**asdict(row), "holds": None if limit is None else _holds(row, limit)})
    shares = [identity(schedule).share for schedule in schedules]
    faithful = [replay(schedule).faithful for schedule in schedules]
    return {
        "name": name,
        "runs": runs,
        "disturbed": sum(trial.disturbed for trial in found),
        "identical_source": min(shares),
        "replayed": sum(faithful),
        "rows": rows,
        "holds": all(faithful)
        and min(shares) >= acceptance.IDENTICAL
        and all(row["holds"] is not False for row in rows),
    }


def _holds(row: Any, limit: float) -> bool | None:
    """A fraction is off by at most the limit, others by that share; or by no more than the runs differ."""
    if row.error is None:
        return None
    allowed = limit if not row.unit else limit * abs(row.live)
    return bool(abs(row.error) <= max(allowed, half_width(row.live, row.live_ci99)))


def section(data: dict[str, Any] | None) -> str:
    """The section of README.md that belongs to some results."""
    if data is None:
        return scripts.UNMEASURED
    rows = []
    for plan in data["plans"]:
        runs = f"{plan['runs']} ({plan['disturbed']})" if plan["disturbed"] else f"{plan['runs']}"
        for row in plan["rows"]:
            kept = {True: "**holds**", False: "**fails**", None: "told"}[row["holds"]]
            unit = f" ({row['unit']})" if row["unit"] else ""
            rows.append(
                [
                    plan["name"],
                    runs,
                    row["quantity"] + unit,
                    *(_text(row, side) for side in ("live", "simulated")),
                    kept,
                ]
            )
        same = f"{100 * plan['identical_source']:.2f} %"
        kept = "**holds**" if plan["identical_source"] >= acceptance.IDENTICAL else "**fails**"
        rows.append([plan["name"], runs, "steps with the same source, recorded durations, least", "", same, kept])
    columns = ["plan", "runs (disturbed)", "", "live", "virtual", ""]
    return "\n".join([scripts.machine_line(data["machine"]), "", scripts.markdown(columns, rows)])


def _text(row: dict[str, Any], side: str) -> str:
    mean, interval = row[side], row[f"{side}_ci99"]
    if mean is None:
        return "-"
    return f"{mean:.4g}" if interval is None else f"{mean:.4g} ± {half_width(mean, interval):.2g}"


def main() -> int:
    parser = scripts.measuring("live_learning.py", __doc__, "two runs of 4 s each")
    arguments = scripts.parsed(parser, FOLDER)
    runs, seconds = (2, 4.0) if arguments.quick else (5, 20.0)
    plans = [measure(name, runs, seconds, arguments.out / "recorded") for name in PLANS]
    data = {"schema": SCHEMA, "seconds": seconds, "machine": scripts.machine(), "plans": plans}
    scripts.write_results(arguments.out / "results" / "live_learning.json", data)
    scripts.write_section(arguments.out / "README.md", SECTION, section(scripts.rounded(data)))
    return 0 if all(plan["holds"] for plan in plans) else 1


if __name__ == "__main__":
    raise SystemExit(scripts.guarded("live_learning.py", main))
