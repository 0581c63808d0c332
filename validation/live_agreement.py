"""Does the simulator say what happens? Plays a grid of plans in real time and compares each with its simulation.

Every plan is played several times with different seeds. Each run is played again on its emulator, step for
step, and simulated with its own recorded durations; then the statistics of all runs are compared with
simulations from the plan alone or, of real inference, from the times of the other half of the runs.

The whole grid takes about an hour and a half of a quiet machine. What was played is kept in validation/recorded/
and not played again, so it can be stopped at any time (Ctrl-C, --minutes) and goes on where it stopped.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rtsim import pictures
from rtsim.cli import scripts
from rtsim.cli.arguments import Play
from rtsim.cli.play import plan_of
from rtsim.errors import RtsimError, UnknownName
from rtsim.live import LiveFault, LivePlan, acceptance, trials, virtual
from rtsim.live.agreement import agree

FOLDER = Path(__file__).parent
SCHEMA = "rtsim.validation.agreement/1"
SECTION = "agreement"
SECONDS = 20.0
#: Simulated runs of real inference: so many that chance plays no part. Timed inference has one for each live one.
SIMULATED = 200
#: Plans whose delays are drawn.
DELAYS = (
    *("timed-6 max_time warm", "timed-6 exp_time", "timed-26 time_triggered"),
    *("timed-72 max_time cold", "real-2 max_time warm", "krull-real-2 time_triggered"),
)

RULES = {
    "sequential": "sequential",
    "max_time cold": "max_time",
    "max_time warm": "max_time(initial_max=p99.9)",
    "exp_time": "exp_time",
    "phase_locked": "phase_locked",
    "time_triggered": "time_triggered",
}
ALL = tuple(RULES)
TWO = ("max_time warm", "time_triggered")

MIDDLE = {"workers": 6, "inference_time": "lognorm(mean=84ms, cv=0.1)"}
REAL = {"workers": 2, "profile": "epyc#resnet15-k7", "inference": "real"}
#: Settings of rtsim play by group, and which rules are played.
GROUPS: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "timed-2": ({"workers": 2, "profile": "epyc#resnet15-k7"}, TWO),
    "timed-6": (MIDDLE, ALL),
    "timed-26": ({"workers": 26, "profile": "epyc#resnet15-k29"}, TWO),
    "timed-72": ({"workers": 72, "inference_time": "lognorm(mean=1164ms, cv=0.02)"}, ("max_time cold", *TWO)),
    "real-2": (REAL, ALL),
    "real-2-small": ({**REAL, "profile": "epyc#resnet15-k1"}, TWO[:1]),
    "boxing-timed-6": ({"game": "atari:Boxing", **MIDDLE}, TWO),
    "boxing-real-2": ({"game": "atari:Boxing", **REAL}, TWO),
    "krull-timed-6": ({"game": "atari:Krull", **MIDDLE}, TWO),
    "krull-real-2": ({"game": "atari:Krull", **REAL}, TWO),
}
QUICK = ("timed-6 max_time warm", "timed-6 time_triggered")


@dataclass(frozen=True)
class Entry:
    """One plan of the grid; its seed is that of the run."""

    name: str
    group: str
    settings: dict[str, Any]
    runs: int

    def plan(self, seconds: float, seed: int) -> LivePlan:
        return plan_of(Play(**self.settings, seconds=seconds, seed=seed))

    @property
    def stem(self) -> str:
        return self.name.replace(" ", "-")


def grid() -> list[Entry]:
    """All plans. A cold start freezes its offsets, so that its runs differ more and there are more of them."""
    return [
        Entry(f"{group} {rule}", group, {**settings, "alg": RULES[rule]}, 8 if rule == "max_time cold" else 5)
        for group, (settings, rules) in GROUPS.items()
        for rule in rules
    ]


def play_all(entries: list[Entry], runs: int, seconds: float, recorded: Path, until: float) -> None:
    """Play what has not been played; all plans once, then all twice, so that a slow hour meets every plan alike."""
    wanted = [(entry, seed) for seed in range(max(runs, 8)) for entry in entries if seed < (runs or entry.runs)]
    for number, (entry, seed) in enumerate(wanted, 1):
        plan = entry.plan(seconds, seed)
        if trials.finished(trials.find_trial(plan, recorded, entry.stem)):
            continue
        if time.monotonic() > until:
            print(f"live_agreement.py: time is up before run {number} of {len(wanted)}; run it again", file=sys.stderr)
            return
        try:
            found = trials.make_trial(plan, recorded, entry.stem)
        except LiveFault as fault:
            print(f"live_agreement.py: {entry.name}, seed {seed}: {fault}; left out", file=sys.stderr)
            continue
        state = f"disturbed in {found.attempts} attempts" if found.disturbed else "fine"
        print(f"{number}/{len(wanted)} {entry.name}, seed {seed}: {state}", file=sys.stderr, flush=True)


def compare(entry: Entry, runs: int, seconds: float, recorded: Path, seeds: int) -> dict[str, Any] | None:
    """What one plan came to; None while there are fewer than two runs of it."""
    found = [
        trial
        for seed in range(runs or entry.runs)
        if (trial := trials.find_trial(entry.plan(seconds, seed), recorded, entry.stem))
    ]
    if len(found) < 2:
        return None
    timed = entry.settings.get("inference") != "real"
    replays = [virtual.replay(trial.schedule, agent=timed) for trial in found]
    agreed = agree([trial.schedule for trial in found], seeds=len(found) if timed else seeds, with_rewards=timed)
    limits = acceptance.checks(agreed)
    data = agreed.to_json()
    reasons = Counter(one.reason for same in agreed.identities for one in same.mismatches)
    return {
        "name": entry.name,
        "group": entry.group,
        "rule": entry.settings["alg"],
        "verdict": acceptance.verdict(limits) if all(replay.faithful for replay in replays) else acceptance.DIFFERS,
        "checks": [asdict(check) for check in limits],
        "runs": [
            {
                "seed": trial.schedule.settings["seed"],
                "attempts": trial.attempts,
                "disturbed": trial.disturbed,
                "missed_fraction": trial.summary.missed_fraction,
                "late_p99_s": trial.summary.late_p99_s,
                "steal_fraction": trial.schedule.header["live"]["machine"]["steal_fraction"],
                "faults": trial.summary.faults,
                "replayed": replay.faithful,
                "identical_source": same.share,
            }
            for trial, replay, same in zip(found, replays, agreed.identities, strict=True)
        ],
        "mismatches": dict(reasons),
        **{key: data[key] for key in ("rows", "delay_distance", "live_delays", "simulated_delays", "limits")},
    }


def section(data: dict[str, Any] | None) -> str:
    """The section of README.md that belongs to some results."""
    if data is None:
        return scripts.UNMEASURED
    counts = Counter(plan["verdict"] for plan in data["plans"])
    runs = [run for plan in data["plans"] for run in plan["runs"]]
    agree, spread, differ = (counts[kind] for kind in (acceptance.AGREES, acceptance.SPREAD, acceptance.DIFFERS))
    faithful = sum(run["replayed"] for run in runs)
    lines = [
        scripts.machine_lines(scripts.measured(data, "plans")),
        "",
        f"{len(data['plans'])} plans, {len(runs)} runs of {data['seconds']:g} s: {agree} plans agree, "
        f"{spread} miss a limit by no more than their runs differ among themselves, {differ} differ. "
        f"Played again, {faithful} of {len(runs)} runs gave every reward and every observation. "
        f"{sum(run['disturbed'] for run in runs)} runs were disturbed by the machine, however often repeated.",
        "",
        scripts.markdown(
            [
                *("plan", "runs (disturbed)", "identical source, least run", "inaction: live, simulated"),
                *("interaction time (ms): live, simulated", "delay (steps): live, simulated"),
                *("either half from the other: interaction time; delay", "verdict"),
            ],
            [_line(plan) for plan in data["plans"]],
        ),
        "",
        "![Inaction and mean delay of every plan, live and simulated](results/agreement.png)",
        "",
        "![Distributions of the delay of a few plans, live and simulated](results/agreement_delays.png)",
    ]
    reasons: Counter[str] = Counter()
    for plan in data["plans"]:
        reasons.update(plan["mismatches"])
    if reasons:
        lines += ["", "Steps with another source than recorded, and why:", ""]
        lines += [f"* {count}: {reason}" for reason, count in reasons.most_common()]
    return "\n".join(lines)


def _line(plan: dict[str, Any]) -> list[str]:
    rows = {row["quantity"]: row for row in plan["rows"]}
    limits = {check["name"]: check for check in plan["checks"]}
    disturbed = sum(run["disturbed"] for run in plan["runs"])
    cells = [plan["name"], f"{len(plan['runs'])} ({disturbed})" if disturbed else f"{len(plan['runs'])}"]
    cells.append(f"{100 * limits['identical source']['value']:.2f} %{_mark(limits['identical source'])}")
    for name, digits in (("inaction fraction", 4), ("interaction time, mean", 2), ("delay, mean", 2)):
        cells.append(_pair(rows[name], digits) + _mark(limits[name]))
    cells.append("; ".join(_unseen(rows[name]) for name in ("interaction time, mean", "delay, mean")))
    cells.append(f"**{plan['verdict']}**")
    return cells


def _unseen(row: dict[str, Any]) -> str:
    """Relative errors of the halves of the runs, each simulated from the times of the other."""
    return (
        "not fitted"
        if not row["unseen"]
        else ", ".join(
            "-" if error is None or not row["live"] else f"{100 * error / row['live']:+.1f} %"
            for error in row["unseen"]
        )
    )


def _pair(row: dict[str, Any], digits: int) -> str:
    if row["live"] is None or row["simulated"] is None:
        return "-"
    relative = "" if digits == 4 or row["relative_error"] is None else f" ({100 * row['relative_error']:+.1f} %)"
    return f"{row['live']:.{digits}f}, {row['simulated']:.{digits}f}{relative}"


def _mark(check: dict[str, Any]) -> str:
    """An asterisk where a limit is missed, in brackets where the runs differ as much among themselves."""
    return "" if check["holds"] is not False else " (\\*)" if check["within_runs"] else " \\*"


def record(data: dict[str, Any], out: Path) -> None:
    """Results, pictures with their data, and the section."""
    results = out / "results"
    scripts.write_results(results / "agreement.json", data)
    plans = data["plans"]
    pictures.save_figure(pictures.plot_agreement(plans), results / "agreement.png", pictures.agreement_rows(plans))
    shown = [plan for plan in plans if plan["name"] in DELAYS] or plans[:6]
    pictures.save_figure(pictures.plot_delays(shown), results / "agreement_delays.png", pictures.delays_rows(shown))
    scripts.write_section(out / "README.md", SECTION, section(scripts.rounded(data)))
    print(f"recorded in {results / 'agreement.json'} and {out / 'README.md'}", file=sys.stderr)


def main() -> int:
    parser = scripts.measuring("live_agreement.py", __doc__, "two plans, two runs of 2 s")
    parser.add_argument("--only", nargs="+", metavar="NAME", help='these plans only, e.g. "timed-6 exp_time"')
    parser.add_argument("--minutes", type=float, default=1e6, metavar="M", help="begin no run after this time")
    parser.add_argument("--list", action="store_true", help="name the plans and leave")
    arguments = scripts.parsed(parser, FOLDER)
    out = arguments.out
    entries = {entry.name: entry for entry in grid()}
    for name in arguments.only or ():
        if name not in entries:
            raise UnknownName("plan", name, entries)
    chosen = [entries[name] for name in arguments.only or (QUICK if arguments.quick else entries)]
    if arguments.list:
        print("\n".join(f"{entry.name}: {entry.settings}, {entry.runs} runs" for entry in chosen))
        return 0
    runs, seconds, seeds = (2, 2.0, 4) if arguments.quick else (0, SECONDS, SIMULATED)
    recorded = out / "recorded"
    before = scripts.read_results(out / "results" / "agreement.json", SCHEMA)
    play_all(chosen, runs, seconds, recorded, time.monotonic() + 60 * arguments.minutes)
    plans = {plan["name"]: plan for plan in scripts.measured(before, "plans") if plan["name"] in entries}
    machine = scripts.machine()
    for entry in chosen:
        print(f"comparing {entry.name}", file=sys.stderr, flush=True)
        found = compare(entry, runs, seconds, recorded, seeds)
        if found is not None:
            plans[entry.name] = {**found, "machine": machine}
    if not plans:
        raise RtsimError("no plan has two runs yet, so there is nothing to compare; run it again")
    ordered = [plans[name] for name in entries if name in plans]
    data = {"schema": SCHEMA, "seconds": seconds, "plans": ordered}
    record(data, out)
    return 1 if any(plan["verdict"] == acceptance.DIFFERS for plan in ordered) else 0


if __name__ == "__main__":
    raise SystemExit(scripts.guarded("live_agreement.py", main))
