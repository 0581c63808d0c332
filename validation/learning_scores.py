"""Does DQN without delay reach what is published?

Nothing is late here: the check is of the learner alone, on two problems with published scores. On CartPole the mean
score of 100 greedy episodes after 50,000 decisions, beside that of the RL Baselines3 Zoo after as many; it must reach
475, which Gymnasium calls solved. On MinAtar Breakout the mean return of the last 100 episodes of training (ε = 0.1,
all six actions, sticky actions) beside the curve of Young & Tian 2019 after as many frames, read off their figure, a
mean over 30 runs; the mean over the seeds must reach 80 % of it.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rtsim.cli import scripts
from rtsim.intervals import mean_interval

FOLDER = Path(__file__).parent
SCHEMA = "rtsim.validation.learning-scores/1"
SECTION = "learning-scores"
SEEDS = (0, 1, 2)
#: Episodes that a score is the mean of.
EPISODES = 100


@dataclass(frozen=True)
class Problem:
    """A problem, what is published of it, and what must be reached."""

    name: str
    env: str
    settings: dict[str, Any]
    preset: str
    steps: int
    greedy: bool
    published: dict[int, float]
    least: float
    source: str


PROBLEMS = (
    Problem(
        "CartPole",
        "CartPole-v1",
        {},
        "cartpole",
        50_000,
        True,
        {50_000: 500.0},
        475.0,
        "RL Baselines3 Zoo, benchmark.md (DQN, 50k steps, 300 greedy episodes of one run)",
    ),
    Problem(
        "MinAtar Breakout",
        "rtsim/MinAtar-v0",
        {"game": "breakout", "minimal": False},
        "minatar",
        150_000,
        False,
        # Their figure for Breakout, DQN, in the repository kenjyoung/MinAtar (img/learning_curves.gif).
        {
            50_000: 1.1,
            100_000: 4.4,
            150_000: 5.3,
            200_000: 6.1,
            250_000: 6.8,
            300_000: 7.3,
            500_000: 8.3,
            1_000_000: 9.2,
        },
        0.8 * 5.3,
        "Young & Tian 2019, Breakout, DQN: moving average over 100 episodes, mean over 30 runs, read off the figure",
    ),
)


def trained(problem: Problem, seed: int, steps: int, recorded: Path) -> dict[str, Any]:
    """One training, gone on with where it was stopped, and its scores."""
    import gymnasium
    import torch

    import rtsim.envs  # noqa: F401 - registers the environments
    from rtsim.learning import PRESETS, evaluate, load, prepare, train_plain

    torch.set_num_threads(1)
    recorded.mkdir(parents=True, exist_ok=True)
    file = recorded / f"scores-{problem.preset}-{seed}.pt"
    env = gymnasium.make(problem.env, **problem.settings)
    every = max(steps // 10, 1)
    if file.exists():
        learner, progress = load(file)
    else:
        learner, progress = prepare(env, PRESETS[problem.preset], seed, checkpoint=file, every=every), None
    begun, before = time.perf_counter(), learner.decisions
    episodes = train_plain(env, learner, steps, file, every, progress)
    took = time.perf_counter() - begun
    curve = {}
    for at in [*(step for step in problem.published if step < steps), steps]:
        last = [episode.score for episode in episodes if episode.decision <= at][-EPISODES:]
        curve[str(at)] = sum(last) / len(last) if last else None
    greedy = float(evaluate(env, learner, EPISODES).mean()) if problem.greedy else None
    return {
        "seed": seed,
        "curve": curve,
        "greedy": greedy,
        "episodes": len(episodes),
        "steps_per_second": (learner.decisions - before) / took if learner.decisions > before else None,
    }


def measure(problem: Problem, quick: bool, recorded: Path) -> dict[str, Any]:
    """All seeds of a problem."""
    steps = min(problem.steps, 2_000) if quick else problem.steps
    runs = []
    for seed in SEEDS[:1] if quick else SEEDS:
        runs.append(trained(problem, seed, steps, recorded))
        print(f"{problem.name}, seed {seed}: {runs[-1]}", file=sys.stderr, flush=True)
    scores = [run["greedy"] if problem.greedy else run["curve"][str(steps)] for run in runs]
    mean, interval = mean_interval(scores)
    return {
        "name": problem.name,
        "steps": steps,
        "runs": runs,
        "scores": scores,
        "mean": mean,
        "ci95": interval,
        "least": problem.least,
        "holds": mean >= problem.least,
    }


def section(data: dict[str, Any] | None) -> str:
    """The section of README.md that belongs to some results."""
    if data is None:
        return scripts.UNMEASURED
    rows, curves = [], []
    measured = {found["name"]: found for found in data["problems"]}
    for problem in PROBLEMS:
        if problem.name not in measured:
            rows.append([problem.name, *["-"] * 5, "not measured"])
            continue
        found = measured[problem.name]
        published = problem.published.get(found["steps"])
        rows.append(
            [
                problem.name,
                f"{found['steps']:,}",
                ", ".join(f"{score:.4g}" for score in found["scores"]),
                f"{found['mean']:.4g}",
                "-" if published is None else f"{published:g}",
                f"{found['least']:.4g}",
                "**holds**" if found["holds"] else "**fails**",
            ]
        )
        if not problem.greedy:
            for at, value in problem.published.items():
                ours = [run["curve"].get(str(at)) for run in found["runs"]]
                if None not in ours:
                    curves.append([f"{at:,}", f"{sum(ours) / len(ours):.3g}", f"{value:g}"])
    speed = [run["steps_per_second"] for found in data["problems"] for run in found["runs"] if run["steps_per_second"]]
    return "\n".join(
        [
            scripts.machine_lines(scripts.measured(data, "problems")),
            "",
            scripts.markdown(
                ["problem", "decisions", "scores of the seeds", "mean", "published", "must reach", ""], rows
            ),
            *(
                ["", "On the way, MinAtar Breakout:", "", scripts.markdown(["frames", "here", "published"], curves)]
                * bool(curves)
            ),
            "",
            f"Published: {'; '.join(problem.source for problem in PROBLEMS)}. One core made "
            + (
                f"{min(speed):.0f} to {max(speed):.0f} decisions, and nearly as many updates, per second."
                if speed
                else ""
            ),
        ]
    )


def main() -> int:
    parser = scripts.measuring("learning_scores.py", __doc__, "2,000 decisions, one seed")
    parser.add_argument("--only", choices=[problem.name for problem in PROBLEMS], help="this problem alone")
    arguments = scripts.parsed(parser, FOLDER)
    before = scripts.read_results(arguments.out / "results" / "learning_scores.json", SCHEMA)
    found = {each["name"]: each for each in scripts.measured(before, "problems")}
    for problem in PROBLEMS:
        if arguments.only in (None, problem.name):
            now = measure(problem, arguments.quick, arguments.out / "recorded")
            found[problem.name] = {**now, "machine": scripts.machine()}
    problems = [found[problem.name] for problem in PROBLEMS if problem.name in found]
    data = {"schema": SCHEMA, "problems": problems}
    scripts.write_results(arguments.out / "results" / "learning_scores.json", data)
    scripts.write_section(arguments.out / "README.md", SECTION, section(scripts.rounded(data)))
    return 0 if all(problem["holds"] for problem in problems) else 1


if __name__ == "__main__":
    raise SystemExit(scripts.guarded("learning_scores.py", main))
