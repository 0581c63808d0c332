"""Does the environment keep its pace? 72, 26 and 600 timed workers beside it, a minute each.

72 processes are what the first paper needed for 100M parameters, about 600 for a billion. With 26 under
``time_triggered`` a worker begins with every step, and has to be woken then.
"""

from __future__ import annotations

import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rtsim import pictures
from rtsim.cli import scripts
from rtsim.cli.arguments import Play
from rtsim.cli.play import plan_of
from rtsim.live import trials
from rtsim.live.summary import LiveSummary

FOLDER = Path(__file__).parent
SCHEMA = "rtsim.validation.pace/1"
SECTION = "pace"
#: Rows of the data beside a picture.
ROWS = 400
WARM = "max_time(initial_max=p99.9)"
#: By name: settings of rtsim play. Delays of 69.5 and 595.5 steps are the published ones, with a little spread.
PLANS: dict[str, dict[str, Any]] = {
    "72 workers": {"alg": WARM, "workers": 72, "inference_time": "lognorm(mean=1164ms, cv=0.02)"},
    "26 workers, time_triggered": {"alg": "time_triggered", "workers": 26, "profile": "epyc#resnet15-k29"},
    "600 workers": {"alg": WARM, "workers": 600, "inference_time": "lognorm(mean=9.97s, cv=0.02)"},
}
MS, US = 1e-3, 1e-6


@dataclass(frozen=True)
class Limit:
    """One thing that must hold: what was measured, and what it may be at most, in seconds."""

    name: str
    value_s: float
    limit_s: float

    @property
    def holds(self) -> bool:
        return self.value_s <= self.limit_s


def limits(name: str, found: LiveSummary, frame: float) -> list[Limit]:
    """72 workers or fewer must not be felt at all; with 600 the environment must keep its rate."""
    drift = Limit("last step after its deadline", found.drift_s, frame)
    if name == "600 workers":
        return [drift, Limit("99 % of the steps after their deadline, at most", found.late_p99_s, frame)]
    return [
        drift,
        Limit("99 % of the steps after their deadline, at most", found.late_p99_s, 1 * MS),
        Limit("the runtime's own time per step, median", found.runtime_p50_s, 50 * US),
        Limit("handing an action over, median", found.hand_over.p50_s if found.hand_over else 0.0, 100 * US),
    ]


def measure(name: str, seconds: float, out: Path) -> dict[str, Any]:
    """One plan; again, if the machine disturbed it."""
    plan = plan_of(Play(**PLANS[name], seconds=seconds))
    trial = trials.make_trial(plan, out / "recorded", "pace-" + _stem(name))
    print(f"{name}: played", file=sys.stderr, flush=True)
    found = limits(name, trial.summary, plan.scenario.step_mean)
    about = trial.schedule.header["live"]
    rows = pictures.lateness_rows(trial.schedule)
    stem = "pace_" + _stem(name)
    axes = pictures.plot_lateness(trial.schedule)
    # Evenly thinned out; the latest step is always among them.
    thinned = rows[:: -max(len(rows) // ROWS, 1)][::-1]
    (out / "results").mkdir(exist_ok=True)
    pictures.save_figure(pictures.figure_of(axes), out / "results" / f"{stem}.png", thinned)
    return {
        "name": name,
        "seconds": seconds,
        "attempts": trial.attempts,
        "summary": asdict(trial.summary),
        "realtime_class": about["realtime_class"],
        "steal_fraction": about["machine"]["steal_fraction"],
        "limits": [{**asdict(limit), "holds": limit.holds} for limit in found],
    }


def section(data: dict[str, Any] | None) -> str:
    """The section of README.md that belongs to some results."""
    if data is None:
        return scripts.UNMEASURED
    rows = []
    for plan in data["plans"]:
        for limit in plan["limits"]:
            kept = "**holds**" if limit["holds"] else "**fails**"
            rows.append([plan["name"], limit["name"], _time(limit["value_s"]), _time(limit["limit_s"]), kept])
        summary = plan["summary"]
        rows.append([plan["name"], "longest time after a deadline", _time(summary["late_max_s"]), "", "told"])
        rows.append([plan["name"], "deadlines missed by 1 ms", f"{100 * summary['missed_fraction']:.3f} %", "", "told"])
        rows.append([plan["name"], "waking workers, median", _time(summary["waking_p50_s"]), "", "told"])
        rows.append(
            [plan["name"], "the emulator's time per step, median", _time(summary["emulator_p50_s"]), "", "told"]
        )
    granted = "granted" if all(plan["realtime_class"] for plan in data["plans"]) else "not granted"
    disturbed = [plan["name"] for plan in data["plans"] if plan["summary"]["disturbed"]]
    return "\n".join(
        [
            scripts.machine_line(data["machine"]),
            "",
            f"Runs of {data['plans'][0]['seconds']:g} s at 59.7275 frames/s; real-time scheduling class {granted}. "
            + (f"Disturbed by the machine: {', '.join(disturbed)}." if disturbed else "No run was disturbed."),
            "",
            scripts.markdown(["run", "quantity", "measured", "limit", ""], rows),
            "",
            "![Share of the steps later than a given time, 72 workers](results/pace_72.png)",
        ]
    )


def _stem(name: str) -> str:
    """Of files' names: the number of workers."""
    return name.split()[0]


def _time(value: float) -> str:
    return "none" if not value else f"{value / MS:.3g} ms" if value >= MS else f"{value / US:.3g} µs"


def main() -> int:
    parser = scripts.measuring("pace.py", __doc__, "runs of 3 s")
    arguments = scripts.parsed(parser, FOLDER)
    seconds = 3.0 if arguments.quick else 60.0
    plans = [measure(name, seconds, arguments.out) for name in PLANS]
    data = {"schema": SCHEMA, "machine": scripts.machine(), "plans": plans}
    scripts.write_results(arguments.out / "results" / "pace.json", data)
    scripts.write_section(arguments.out / "README.md", SECTION, section(scripts.rounded(data)))
    return 0 if all(limit["holds"] for plan in plans for limit in plan["limits"]) else 1


if __name__ == "__main__":
    raise SystemExit(scripts.guarded("pace.py", main))
