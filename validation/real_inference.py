"""Do live runs with real inference show the inaction that the papers predict?

The network of 10M parameters chooses actions in real processes, in the sequential loop and under Algorithm 1
with one and two workers. The papers predict the share of steps without an action from the inference time alone:
Remark 1 for the sequential loop, 1 − τ_M/τ̄_θ; Appendix B.4 for N workers of Algorithm 1 whose offsets are equal,
at most 1 − N τ_M/τ_θ^max (Riemer et al. 2025). No rule can do with less than the capacity limit 1 − N τ_M/τ̄_θ.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from rtsim import theory
from rtsim.calibrate import CalibrationPlan, calibrate
from rtsim.cli import scripts
from rtsim.cli.arguments import Play
from rtsim.cli.play import plan_of
from rtsim.intervals import mean_interval
from rtsim.live import acceptance, trials
from rtsim.live.agreement import fitted_law
from rtsim.live.summary import settled
from rtsim.timing import Empirical, Law

FOLDER = Path(__file__).parent
SCHEMA = "rtsim.validation.real-inference/1"
SECTION = "real-inference"
K = 7.0

PLANS: dict[str, dict[str, Any]] = {
    "sequential": {"alg": "sequential", "workers": 1},
    "max_time, 1 worker": {"alg": "max_time", "workers": 1},
    "max_time, 2 workers": {"alg": "max_time", "workers": 2},
    "max_time warm, 2 workers": {"alg": "max_time(initial_max=p99.9)", "workers": 2},
}


def predicted(alg: str, workers: int, law: Law, step: float) -> tuple[float, float]:
    """Least and largest inaction fraction that the papers allow; the same number where they are exact."""
    if alg == "sequential":
        exact = 1 - step / theory.sequential_interaction_time(law.mean, 0.0, step)
        return exact, exact
    return theory.capacity_limit(workers, step, law.mean), theory.held_inaction(law.upper, step, workers)


def measure(name: str, runs: int, seconds: float, recorded: Path, calibrated: Law) -> dict[str, Any]:
    """Play one plan several times, and hold it against the prediction."""
    settings = {**PLANS[name], "profile": f"epyc#resnet15-k{K:g}", "inference": "real", "seconds": seconds}
    found = []
    for seed in range(runs):
        stem = "real-" + name.replace(", ", "-").replace(" ", "-")
        found.append(trials.make_trial(plan_of(Play(**settings, seed=seed)), recorded, stem))
        print(f"{name}, run {seed + 1} of {runs}", file=sys.stderr, flush=True)
    schedules = [trial.schedule for trial in found]
    law, step = fitted_law(schedules), plan_of(Play(**settings)).scenario.step_mean
    live, interval = mean_interval([settled(schedule).inaction_fraction for schedule in schedules], 0.99)
    low, high = predicted(PLANS[name]["alg"], PLANS[name]["workers"], law, step)
    margin = max(acceptance.INACTION, (interval[1] - interval[0]) / 2 if interval else 0.0)
    return {
        "name": name,
        **PLANS[name],
        "runs": runs,
        "disturbed": sum(trial.disturbed for trial in found),
        "inference_mean_s": law.mean,
        "inference_longest_s": law.upper,
        "live": live,
        "live_ci99": interval,
        "predicted": [low, high],
        "predicted_from_calibration": list(predicted(PLANS[name]["alg"], PLANS[name]["workers"], calibrated, step)),
        "margin": margin,
        "holds": low - margin <= live <= high + margin,
    }


def section(data: dict[str, Any] | None) -> str:
    """The section of README.md that belongs to some results."""
    if data is None:
        return scripts.UNMEASURED
    rows = [
        [
            plan["name"],
            f"{plan['runs']} ({plan['disturbed']})" if plan["disturbed"] else f"{plan['runs']}",
            f"{1e3 * plan['inference_mean_s']:.2f}, {1e3 * plan['inference_longest_s']:.1f}",
            _range(plan["predicted_from_calibration"]),
            _range(plan["predicted"]),
            f"{plan['live']:.4f} ± {(plan['live_ci99'][1] - plan['live_ci99'][0]) / 2:.4f}",
            "**holds**" if plan["holds"] else "**fails**",
        ]
        for plan in data["plans"]
    ]
    columns = [
        *("plan", "runs (disturbed)", "inference time: mean, longest (ms)", "predicted from the calibration"),
        *("predicted from the times in the runs", "live", "the papers' prediction"),
    ]
    calibrated = data["calibrated"]
    return "\n".join(
        [
            scripts.machine_line(data["machine"]),
            "",
            f"The network of 10M parameters (resnet15-k{K:g}), alone: {1e3 * calibrated['mean_s']:.2f} ms on "
            f"average, {1e3 * calibrated['longest_s']:.1f} ms at most. Shares of steps without an action:",
            "",
            scripts.markdown(columns, rows),
        ]
    )


def _range(pair: list[float]) -> str:
    return f"{pair[0]:.4f}" if pair[0] == pair[1] else f"{pair[0]:.4f} to {pair[1]:.4f}"


def main() -> int:
    parser = scripts.measuring("real_inference.py", __doc__, "two runs of 2 s each")
    arguments = scripts.parsed(parser, FOLDER)
    runs, seconds, limit = (2, 2.0, 2.0) if arguments.quick else (5, 20.0, 30.0)
    print("calibrating", file=sys.stderr, flush=True)
    profile = calibrate(CalibrationPlan(k=(K,), batch=(), time_limit_s=limit))
    law = Empirical.of(profile.samples(f"resnet15-k{K:g}"), "calibrated")
    plans = [measure(name, runs, seconds, arguments.out / "recorded", law) for name in PLANS]
    data = {
        "schema": SCHEMA,
        "machine": scripts.machine(),
        "calibrated": {"mean_s": law.mean, "longest_s": law.upper},
        "plans": plans,
    }
    scripts.write_results(arguments.out / "results" / "real_inference.json", data)
    scripts.write_section(arguments.out / "README.md", SECTION, section(scripts.rounded(data)))
    return 0 if all(plan["holds"] for plan in plans) else 1


if __name__ == "__main__":
    raise SystemExit(scripts.guarded("real_inference.py", main))
