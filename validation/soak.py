"""Does a long run keep what it holds of the machine? Memory, files, processes and shared memory over half an hour.

Then two runs are started at once: neither may hinder the other, and both must replay.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rtsim.cli import scripts
from rtsim.cli.arguments import Play
from rtsim.cli.play import plan_of
from rtsim.errors import InvalidValue
from rtsim.live import agreement, memory, play, virtual
from rtsim.live.resources import Holding, Slope, holding, slope
from rtsim.live.summary import summary
from rtsim.schedule import Schedule

FOLDER = Path(__file__).parent
SCHEMA = "rtsim.validation.soak/1"
SECTION = "soak"
#: Between two samples, s. The first fifth of the run, in which memory is first touched, is not counted.
EVERY, SETTLING = 10.0, 0.2
#: How much memory may grow in the time counted, as a share of the mean: of the processes, and of the supervisor, which
#: holds about a fifth of what they do, beyond its record. About 2 MB of either.
GROWTH, OWN_GROWTH = 0.002, 0.01
#: What the record holds of a step, of an inference (its worker stands before it) and of an update, bytes.
STEP_BYTES, INFERENCE_BYTES = 8 * len(memory.STEP_ROW), 8 * (1 + len(memory.INFERENCE))
UPDATE_BYTES = 8 * len(memory.UPDATE)
SETTINGS: dict[str, Any] = {
    "alg": "max_time(initial_max=p99.9)",
    "workers": 24,
    "inference_time": "lognorm(mean=390ms, cv=0.02)",
    "learning_time": "lognorm(mean=200ms, cv=0.1)",
}


def soak(minutes: float, every: float) -> dict[str, Any]:
    """Play for a long time and look now and then."""
    before = holding()
    samples: list[Holding] = []

    def look(_: object) -> None:
        if not samples or time.monotonic() - samples[-1].time_s >= every:
            samples.append(holding())

    schedule = play(plan_of(Play(**SETTINGS, seconds=60 * minutes)), on_status=look)
    found = summary(schedule)
    assert schedule.spans is not None
    rows = (len(schedule), len(schedule.spans["worker"]), len(schedule.updates["land_ns"]))
    record = sum(count * size for count, size in zip(rows, (STEP_BYTES, INFERENCE_BYTES, UPDATE_BYTES), strict=True))
    del schedule
    after = holding()
    counted = samples[int(SETTLING * len(samples)) :]
    if len(counted) < 3:
        raise InvalidValue(f"--minutes {minutes:g} is too short for three samples; give more")
    times = [sample.time_s for sample in counted]
    seconds = times[-1] - times[0]
    slopes = {
        "children": slope(times, [sample.children_bytes for sample in counted]),
        "own": slope(times, [sample.own_bytes for sample in counted]),
    }
    recorded_per_s = record / (60 * minutes)
    # The supervisor keeps the record, and no more than that may grow.
    rest = Slope(
        slopes["own"].per_s - recorded_per_s,
        (slopes["own"].ci99[0] - recorded_per_s, slopes["own"].ci99[1] - recorded_per_s),
        slopes["own"].mean,
    )
    same = {"descriptors": {s.descriptors for s in counted}, "processes": {s.processes for s in counted}}
    return {
        "minutes": minutes,
        "samples": [
            {**{key: value for key, value in asdict(s).items() if key != "shared"}, "time_s": s.time_s - before.time_s}
            for s in samples
        ],
        "seconds_counted": seconds,
        "slopes": {name: asdict(each) for name, each in slopes.items()},
        "record_bytes_per_s": recorded_per_s,
        "missed_fraction": found.missed_fraction,
        "faults": found.faults,
        "checks": {
            f"memory of the {counted[0].processes} processes grows by at most {100 * GROWTH:g} %": slopes[
                "children"
            ].flat(seconds, GROWTH),
            f"memory of the supervisor grows by the record and at most {100 * OWN_GROWTH:g} %": rest.flat(
                seconds, OWN_GROWTH
            ),
            "number of open files stays the same": len(same["descriptors"]) == 1,
            "number of processes stays the same": len(same["processes"]) == 1,
            "no process is left afterwards": after.processes == before.processes,
            "no open file is left afterwards": after.descriptors <= before.descriptors,
            "no shared memory is left afterwards": set(after.shared) <= set(before.shared),
        },
    }


def together(seconds: float) -> dict[str, Any]:
    """Two runs of another seed each, at once, both replayed and simulated with their recorded durations."""
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / f"run{seed}.npz" for seed in (0, 1)]
        flags = [f"--{name.replace('_', '-')}={value}" for name, value in SETTINGS.items()]
        runs = [
            subprocess.Popen(
                [
                    *(sys.executable, "-m", "rtsim", "play", *flags),
                    *(f"--seconds={seconds:g}", f"--seed={seed}", f"--record={file}", "--json"),
                ],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            for seed, file in enumerate(files)
        ]
        codes = [run.wait() for run in runs]
        if any(codes):
            return {"codes": codes, "checks": {"two runs at once both end well": False}}
        schedules = [Schedule.load(file) for file in files]
    replays = [virtual.replay(schedule) for schedule in schedules]
    shares = [agreement.identity(schedule).share for schedule in schedules]
    return {
        "codes": codes,
        "identical_source": shares,
        "missed_fractions": [summary(schedule).missed_fraction for schedule in schedules],
        "checks": {
            "two runs at once both end well": True,
            "both replay step for step": all(replay.faithful for replay in replays),
        },
    }


def section(data: dict[str, Any] | None) -> str:
    """The section of README.md that belongs to some results."""
    if data is None:
        return scripts.UNMEASURED
    soaked = data["soak"]
    children, own = soaked["slopes"]["children"], soaked["slopes"]["own"]
    checks = {**soaked["checks"], **data["together"]["checks"]}
    shares = " and ".join(f"{100 * share:.2f} %" for share in data["together"].get("identical_source", []))
    return "\n".join(
        [
            scripts.machine_line(data["machine"]),
            "",
            f"{soaked['minutes']:g} minutes of play, 24 timed workers and a learner, {len(soaked['samples'])} samples. "
            f"Resident memory of the run's processes: {children['mean'] / 1e6:.1f} MB, growing by {_rate(children)}; "
            f"of the supervisor: {own['mean'] / 1e6:.1f} MB, growing by {_rate(own)}, of which the record takes "
            f"{soaked['record_bytes_per_s'] * 60 / 1e3:.0f} kB a minute. {100 * soaked['missed_fraction']:.3f} % of "
            f"the deadlines were missed by more than 1 ms; {soaked['faults']} processes were lost.",
            "",
            f"Two runs at once, which share the cores, had the simulator's sources on {shares} of their steps.",
            "",
            scripts.markdown(
                ["what must hold", ""], [[k, "**holds**" if v else "**fails**"] for k, v in checks.items()]
            ),
        ]
    )


def _rate(found: dict[str, Any]) -> str:
    half = (found["ci99"][1] - found["ci99"][0]) / 2
    return f"{found['per_s'] * 60 / 1e3:.1f} ± {half * 60 / 1e3:.1f} kB a minute"


def main() -> int:
    parser = scripts.measuring("soak.py", __doc__, "half a minute")
    parser.add_argument("--minutes", type=float, default=30.0, metavar="M", help="how long to play")
    arguments = scripts.parsed(parser, FOLDER)
    if not 0 < arguments.minutes <= 1440:
        raise InvalidValue(f"--minutes {arguments.minutes:g} must lie in 0..1440 (a day), above 0")
    soaked = soak(0.5, 1.0) if arguments.quick else soak(arguments.minutes, EVERY)
    print("soaked; two runs at once", file=sys.stderr, flush=True)
    data = {
        "schema": SCHEMA,
        "machine": scripts.machine(),
        "soak": soaked,
        "together": together(3.0 if arguments.quick else 20.0),
    }
    scripts.write_results(arguments.out / "results" / "soak.json", data)
    scripts.write_section(arguments.out / "README.md", SECTION, section(scripts.rounded(data)))
    checks = {**data["soak"]["checks"], **data["together"]["checks"]}
    return 0 if all(checks.values()) else 1


if __name__ == "__main__":
    raise SystemExit(scripts.guarded("soak.py", main))
