"""Does a learner under a Schedule reach the exact optimum for that Schedule?

DQN with a small MLP trains in virtual time on the worst cases of inaction and delay (Riemer et al. 2025, App. B.2, as
printed and corrected). The gain of its greedy policy is computed exactly, and so is that of the best policy that sees
one old observation under the same delay and inaction; it must miss that by at most 3 %. What is recorded already is not
measured again: delete results/learning_optimum.json to begin anew.
"""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rtsim.cli import scripts
from rtsim.studies.optimum import PLAYED, learn

FOLDER = Path(__file__).parent
SCHEMA = "rtsim.validation.learning-optimum/1"
SECTION = "learning-optimum"
SEEDS = (0, 1, 2)
DECISIONS, QUICK_DECISIONS = 12_000, 200
#: Decisions where any action is right, and where the second-best guess gains nearly as much as the best: by the
#: binomial distribution of the moves in 8 steps, 0.383 against 0.431, and 0.232 against 0.279. Who is to tell them
#: apart in every state must have tried both often.
OTHERS = {("inaction", 3): 1_000, ("inaction", 8): 1_000}
OTHERS |= {(f"delay(n=5, p={p})", 8): 160_000 for p in (0.9, 0.6)}
LIMIT = 0.03
MDPS = ("inaction", "delay(n=5, p=0.9)", "delay(n=5, p=0.6)", "jump(n=5, p=0.9)")
#: Rules and delays, steps.
SCHEDULES = (
    ("sequential", 3),
    ("max_time", 3),
    ("time_triggered(deadline=8steps)", 8),
)


def section(data: dict[str, Any] | None) -> str:
    """The section of README.md that belongs to some results."""
    if data is None:
        return scripts.UNMEASURED
    rows = []
    for case in data["cases"]:
        found = case["learnt"]
        rows.append(
            [
                case["mdp"],
                f"{case['rule']}, {case['delay']} steps late",
                f"{case['decisions']:,}",
                f"{found[0]['undelayed']:.4f}",
                f"{found[0]['optimum']:.4f}",
                ", ".join(f"{each['rate']:.4f}" for each in found),
                ", ".join(f"{each['played']:.4f}" for each in found),
                f"{100 * case['shortfall']:.2f} %",
                "**holds**" if case["holds"] else "**fails**",
            ]
        )
    columns = [
        *("MDP", "Schedule", "decisions", "best without delay", "best under the Schedule", "learnt, seeds 0 to 2"),
        *(f"the same, played {PLAYED:,} steps", "misses the best by at most", "3 %"),
    ]
    return "\n".join(
        [
            scripts.machine_lines(scripts.measured(data, "cases")),
            "",
            "Rewards per environment step:",
            "",
            scripts.markdown(columns, rows),
        ]
    )


def measure(mdp: str, rule: str, delay: int, decisions: int, seeds: tuple[int, ...]) -> dict[str, Any]:
    """One MDP under one Schedule."""
    found = [learn(mdp, rule, delay, decisions, seed) for seed in seeds]
    worst = max(each.shortfall for each in found)
    print(f"{mdp}, {rule}, {delay} steps late: {100 * worst:.2f} % below the optimum", file=sys.stderr, flush=True)
    case = {"mdp": mdp, "rule": rule, "delay": delay, "decisions": decisions}
    return {**case, "learnt": [asdict(each) for each in found], "shortfall": worst, "holds": worst <= LIMIT}


def main() -> int:
    import torch

    parser = scripts.measuring("learning_optimum.py", __doc__, "200 decisions, one seed, two Schedules")
    arguments = scripts.parsed(parser, FOLDER)
    torch.set_num_threads(1)
    path = arguments.out / "results" / "learning_optimum.json"
    before = scripts.measured(scripts.read_results(path, SCHEMA), "cases")
    known = {(case["mdp"], case["rule"], case["delay"]): case for case in before}
    grid = [(mdp, rule, delay) for mdp in MDPS for rule, delay in (SCHEDULES[:2] if arguments.quick else SCHEDULES)]
    for mdp, rule, delay in grid:
        decisions = QUICK_DECISIONS if arguments.quick else OTHERS.get((mdp, delay), DECISIONS)
        if known.get((mdp, rule, delay), {}).get("decisions") != decisions:
            seeds = SEEDS[:1] if arguments.quick else SEEDS
            found = measure(mdp, rule, delay, decisions, seeds)
            known[mdp, rule, delay] = {**found, "machine": scripts.machine()}
        # Those that are still to come stay as they were: the script may be stopped now.
        cases = [known[each] for each in grid if each in known]
        scripts.write_results(path, {"schema": SCHEMA, "cases": cases})
    data = scripts.read_results(path, SCHEMA)
    scripts.write_section(arguments.out / "README.md", SECTION, section(data))
    return 0 if all(case["holds"] for case in cases) else 1


if __name__ == "__main__":
    raise SystemExit(scripts.guarded("learning_optimum.py", main))
