"""How fast rtsim is on this machine, as one table: ``python tests/bench/report.py``.

Ratios are of complete public calls on the same scenario, taken in turns within this run, so that
what else the machine does falls on both clocks. Nothing is asserted here.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rtsim import agents, mdps, theory
from rtsim.clocks import compiled, simpy_clock
from rtsim.experiments import Grid, sweep
from rtsim.rollout import rollout, undelayed
from rtsim.scenario import Scenario
from rtsim.statistics import Tally

#: 3600 s at 59.7275 Hz.
GAME_BOY_HOUR = 215_019
WORKERS = (1, 8, 72, 600)
RULES = ("max_time", "exp_time")
ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Sizes:
    """How much work: what the report's figures are told for, or just enough to see that it runs."""

    steps: int = GAME_BOY_HOUR
    rounds: int = 3
    cells: int = 400
    horizons: tuple[int, ...] = (10**5, 10**6, 10**7)
    first: bool = False


QUICK = Sizes(steps=1000, rounds=1, cells=8, horizons=(1000, 10_000))


@dataclass(frozen=True)
class Row:
    """One line: ``value`` in ``unit``, its target, what SimPy reaches, and how often that (or one process) fits."""

    benchmark: str
    case: str
    value: float
    unit: str
    simpy: float | None = None
    ratio: float | None = None
    target: float | None = None


def scenario(rule: str, workers: int, steps: int) -> Scenario:
    """As many workers as the mean inference takes steps, so that there is an inference for every step."""
    return Scenario(rule, f"lognorm(mean={workers * 16.7427}ms, cv=0.05)", workers=workers, steps=steps)


def seconds(work: Callable[..., Any], *arguments: Any, **more: Any) -> float:
    """How long one call takes."""
    begin = time.perf_counter()
    work(*arguments, **more)
    return time.perf_counter() - begin


def simpy_statistics(found: Scenario) -> Tally:
    """What :func:`rtsim.clocks.compiled.tally` gives, by the reference."""
    return simpy_clock.simulate(found).tally()


def clocks(sizes: Sizes) -> Iterator[Row]:
    """Environment steps and inferences per second, both clocks in turns: medians and their ratio."""
    for rule in RULES:
        for workers in WORKERS:
            found = scenario(rule, workers, sizes.steps)
            events = sizes.steps + compiled.tally(found).released
            compiled.simulate(found)
            counting, keeping, simpy = [], [], []
            for _ in range(sizes.rounds):
                for _ in range(5):
                    counting.append(seconds(compiled.tally, found))
                    keeping.append(seconds(compiled.simulate, found))
                simpy.append(seconds(simpy_statistics, found))
            reference = statistics.median(simpy)
            for name, times in (("statistics", counting), ("full Schedule", keeping)):
                taken = statistics.median(times)
                rates = (events / taken / 1e6, events / reference / 1e6)
                yield Row(name, f"{rule}, N = {workers}", rates[0], "M events/s", rates[1], reference / taken)


def game_boy_hour(sizes: Sizes) -> Iterator[Row]:
    """An hour of play at N = 72, statistics only, once the clock is compiled."""
    for rule in RULES:
        found = scenario(rule, 72, sizes.steps)
        compiled.tally(found)
        times = [seconds(compiled.tally, found) for _ in range(5 * sizes.rounds)]
        yield Row("Game Boy hour, N = 72", rule, statistics.median(times), "s")


def run(*words: str, **environment: str) -> str:
    """A Python process of its own; what it prints."""
    known = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    return subprocess.run([sys.executable, *words], env=known, capture_output=True, text=True, check=True).stdout


def start_up(sizes: Sizes) -> Iterator[Row]:
    """From the command to its answer."""
    for case, words in (("rtsim --help", ("-m", "rtsim", "--help")), ("import rtsim", ("-c", "import rtsim"))):
        times = [seconds(run, *words) for _ in range(3 * sizes.rounds)]
        yield Row("start-up", case, statistics.median(times), "s")
    if sizes.first:
        with tempfile.TemporaryDirectory() as empty:
            for case in ("rtsim compare, first ever", "rtsim compare, second"):
                compare = ("-m", "rtsim", "compare", "--alg", "max_time", "exp_time")
                yield Row("start-up", case, seconds(run, *compare, NUMBA_CACHE_DIR=empty), "s")


PEAK = """
import pathlib, resource, sys
sys.path.insert(0, sys.argv[2])
from report import scenario
from rtsim.clocks import compiled
compiled.tally(scenario("max_time", 72, int(sys.argv[1])))
status = pathlib.Path("/proc/self/status")
if status.exists():  # Linux counts the process that started this one in ru_maxrss
    print(next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith("VmHWM")) / 1024)
else:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20)
"""


def memory(sizes: Sizes) -> Iterator[Row]:
    """Peak memory of a process that counts, against the horizon."""
    for steps in sizes.horizons:
        yield Row(
            "peak memory, N = 72",
            f"{steps:,} steps",
            float(run("-c", PEAK, str(steps), str(Path(__file__).parent))),
            "MiB",
        )


def sweeps(sizes: Sizes) -> Iterator[Row]:
    """Cells per second of a sweep in this process and in two beside it, their start-up included, in turns."""
    grid = Grid(RULES, ("lognorm(mean=84ms, cv=0.1)",), workers=(6, 9), steps=sizes.steps, seeds=sizes.cells // 4)
    taken: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(sizes.rounds):
        for processes, times in taken.items():
            with tempfile.TemporaryDirectory() as folder:
                times.append(seconds(sweep, Path(folder) / "run", grid, processes=processes))
    alone = statistics.median(taken[1])
    for processes, times in taken.items():
        here = statistics.median(times)
        ratio = None if processes == 1 else alone / here
        yield Row("sweep", f"{processes} process(es)", sizes.cells / here, "cells/s", None, ratio)


def processor(work: Callable[..., Any], *arguments: Any, rounds: int, **more: Any) -> float:
    """Shortest of several calls, in processor time: other processes on the machine hardly count."""
    taken = []
    for _ in range(rounds):
        begin = time.process_time()
        work(*arguments, **more)
        taken.append(time.process_time() - begin)
    return min(taken)


def loops(sizes: Sizes) -> Iterator[Row]:
    """Rollouts and learners, S = 10 and A = 4."""
    steps = 20 * sizes.steps if sizes.rounds > 1 else sizes.steps
    mdp, schedule = mdps.garnet(10, 4), undelayed(steps)
    cases = (
        ("rollout", agents.Tabular([0] * 10), 20.0),
        ("UCB Q-learning", agents.QUCB(every_step=True), 50.0),
        ("UCRL2", agents.UCRL2(every_step=True), 100.0 / 3.0),
    )
    for case, policy, most in cases:
        rollout(mdp, policy, undelayed(10))
        taken = processor(rollout, mdp, policy, schedule, rounds=sizes.rounds)
        yield Row("loop over steps", case, taken / steps * 1e9, "ns/step", target=most)


def solvers(sizes: Sizes) -> Iterator[Row]:
    """Exact solvers at the sizes they are held to."""
    small = sizes.rounds == 1
    cases: tuple[tuple[str, Callable[..., Any], tuple[Any, ...], dict[str, Any], float], ...] = (
        ("16 pending actions, n = 10, A = 2, value iteration", theory.pending_optimum,
         (mdps.garnet(10, 2), 4 if small else 16), {"method": "value_iteration"}, 1.0),
        ("S = 1000, A = 4, random", theory.optimum, (mdps.garnet(30 if small else 1000),), {}, 10.0),
        ("S = 1000, a line", theory.optimum, (mdps.riverswim(30 if small else 1000),), {}, 10.0),
        ("S = 1000, a line, 3 pending actions, direct", theory.pending_optimum,
         (mdps.riverswim(30 if small else 1000), 3), {"method": "direct"}, 10.0),
    )  # fmt: skip
    for case, solve, arguments, options, most in cases:
        yield Row("exact solver", case, processor(solve, *arguments, rounds=sizes.rounds, **options), "s", target=most)


#: What the report consists of; another benchmark is another function here.
SECTIONS = (clocks, game_boy_hour, sweeps, start_up, memory, loops, solvers)


def machine() -> dict[str, Any]:
    """What the figures depend on."""
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [line.partition(":")[2].strip() for line in info.read_text().splitlines() if "model name" in line]
        cpu = names[0] if names else cpu
    return {
        "cpu": cpu,
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "os": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        **{name: version(name) for name in ("numpy", "numba", "simpy", "scipy")},
        "load_average_before": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
    }


def main(words: list[str] | None = None) -> None:
    """Print the table, or with ``--json`` the same numbers as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--first", action="store_true", help="also the first rtsim compare ever, which compiles")
    parser.add_argument("--quick", action="store_true", help="small sizes, to see that it runs: figures mean nothing")
    known = {section.__name__: section for section in SECTIONS}
    parser.add_argument("--only", nargs="+", choices=known, default=list(known), help="some of the sections")
    given = parser.parse_args(words)
    about, sizes = machine(), QUICK if given.quick else Sizes(first=given.first)
    rows = [row for name in given.only for row in known[name](sizes)]
    if given.json:
        print(json.dumps({"schema": "rtsim.bench/1", "machine": about, "rows": [asdict(row) for row in rows]}))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(title=", ".join(f"{name} {value}" for name, value in about.items()), title_justify="left")
    for column in ("benchmark", "case", "result", "target", "SimPy", "ratio"):
        table.add_column(column, justify="left" if column in ("benchmark", "case") else "right")
    for row in rows:
        table.add_row(
            row.benchmark,
            row.case,
            f"{row.value:.3g} {row.unit}",
            "" if row.target is None else f"<= {row.target:.3g} {row.unit}",
            "" if row.simpy is None else f"{row.simpy:.3g} {row.unit}",
            "" if row.ratio is None else f"{row.ratio:.3g}×",
        )
    Console(width=None if sys.stdout.isatty() else 140).print(table)


if __name__ == "__main__":
    main()
