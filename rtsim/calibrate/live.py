"""Measure what the live loop costs, from short real runs of it.

The runs are made under three rules that start inferences in the three ways there are; by
default with timed workers, which sleep nearly all the time and go before others where that is
permitted. Workers that really infer, on cores that are busy, are taken up later: give a
``network`` for their times. What is measured, and how a simulation uses it:

``dispatch``
    From an inference's logical start to its process taking it up. With real inference it
    lengthens the inference, so it is what ``--dispatch-time`` wants. ``dispatch.step``,
    ``dispatch.timer`` and ``dispatch.continued`` are its kinds: the environment woke the worker at a
    publication; its own timer did, at a time that the rule had named; it went on at
    once after its last inference, whose hand-over is then part of it. ``dispatch`` has all of them.
``copy``
    From the shared memory to an array of the process's own, which the network takes.
``hand_over``
    From the end of an inference to its action lying ready; the rule's answer is part of it.
``overshoot``
    With timed workers: what an inference lasts beyond the duration drawn for it: waking up, and waiting
    for the rule's lock. ``--dispatch-time`` of a simulation of *timed* inference: dispatch is no
    part of that, because such an inference is held back from its logical start.
``runtime``
    What the runtime itself costs the environment process per step: publication, mailbox, record.
``emulator.GAME``
    One step of the emulator, a reset included where an episode ended.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtsim.calibrate.copying import copy_times
from rtsim.calibrate.machine import Watch, memory_available, memory_needed
from rtsim.calibrate.plan import CalibrationPlan
from rtsim.clocks.draws import DrawnDurations
from rtsim.envs import make
from rtsim.errors import InvalidValue, MissingExtra
from rtsim.live import LivePlan, Status, play
from rtsim.live.summary import summary
from rtsim.scenario import Scenario
from rtsim.schedule import Schedule
from rtsim.timing import units
from rtsim.timing.profiles import LiveTimes, Profile, Samples

#: What starts an inference: a publication, a timer, the end of the inference before it.
KINDS = ("step", "timer", "continued")
#: For each kind a rule under which it is the common one.
RULES = ("time_triggered(deadline=p99)", "max_time", "unstaggered")
#: Between one and four frames of a Game Boy, so that starts fall anywhere between two steps.
INFERENCE_TIME = "uniform(20ms, 60ms)"
#: The first of these are slower, for everything is done for the first time: at most a fifth of a run, ns.
SETTLING_NS = 500_000_000
MAX_SECONDS, MAX_WORKERS = 3600.0, 1000
MODEL = re.compile(r"resnet(15|30)-k([0-9]+(?:\.[0-9]+)?)")
#: A busy machine: a time this many times its median, and long enough to matter, ns, ...
OUTLIER, OUTLIER_NS = 100.0, 1_000_000
#: ... or this share of all cores at work, while timed workers sleep.
BUSY = 0.5
Column = NDArray[np.int64]


@dataclass(frozen=True)
class LiveCalibration:
    """How the live loop is to be measured, checked when it is made.

    Attributes
    ----------
    games : tuple of str, distinct
        What :func:`rtsim.envs.make` reads.
    workers : int, 1 to 1000
        Inference workers; timed ones share up to eight processes.
    seconds : float, seconds, >= 0.5
        Length of a run; there are three of each game.
    network : str
        E.g. ``"resnet15-k1"``: every inference is a forward pass of it; empty: they are timed.
    seed : int

    Raises
    ------
    InvalidValue

    >>> LiveCalibration(("blocks", "atari:Boxing")).total
    7
    """

    games: tuple[str, ...] = ("blocks",)
    workers: int = 4
    seconds: float = 5.0
    network: str = ""
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.games:
            raise InvalidValue("game () must name at least one game; give e.g. blocks")
        names = [short(game) for game in self.games]
        for name in names:
            if names.count(name) > 1:
                raise InvalidValue(f"game {name!r} is given twice; its emulator is measured once")
        if isinstance(self.workers, bool) or not isinstance(self.workers, int) or not 1 <= self.workers <= MAX_WORKERS:
            raise InvalidValue(f"workers {self.workers!r} must be a whole number in 1..{MAX_WORKERS}; give e.g. 4")
        if not 0.5 <= self.seconds <= MAX_SECONDS:
            raise InvalidValue(f"a live run of {self.seconds!r} s must last between 0.5 s and an hour; give e.g. 5s")

        if self.network:
            self._networks()

    def _networks(self) -> CalibrationPlan:
        """The network and how many there are, as the other calibration says it."""
        match = MODEL.fullmatch(self.network)
        if match is None:
            raise InvalidValue(f"network {self.network!r} must be one of the papers', e.g. resnet15-k1")
        return CalibrationPlan(k=(float(match[2]),), depth=int(match[1]), processes=self.workers)

    @property
    def total(self) -> int:
        """Number of measurements: three runs of each game, and the copies."""
        return len(RULES) * len(self.games) + 1

    def check(self) -> None:
        """Start every game once, before anything is measured.

        Raises
        ------
        UnknownName, InvalidValue, MissingExtra, FileProblem
        """
        if self.network:
            if find_spec("torch") is None:
                raise MissingExtra("a forward pass", "torch", "live")
            networks = self._networks()
            needed, available = memory_needed(networks, networks.k[0]), memory_available("cpu")
            if needed > available:
                raise InvalidValue(
                    f"{self.workers} workers with {self.network} need about {needed / 1e9:.3g} GB of memory, "
                    f"{available / 1e9:.3g} GB are free; give fewer workers or a smaller network"
                )
        for game in self.games:
            make(game).close()

    def settings(self) -> dict[str, Any]:
        """What the profile records of it, JSON values."""
        return {
            "games": list(self.games),
            "workers": self.workers,
            "seconds": self.seconds,
            "rules": list(RULES),
            "inference": f"real {self.network}" if self.network else f"timed {INFERENCE_TIME}",
            "seed": self.seed,
        }

    def plans(self) -> Iterator[LivePlan]:
        """The runs to make."""
        for game in self.games:
            with make(game) as emulator:
                fps = emulator.fps
            for rule in RULES:
                scenario = Scenario(
                    rule,
                    INFERENCE_TIME,
                    workers=self.workers,
                    step_time=f"{fps!r}fps",
                    steps=max(round(self.seconds * fps), 2),
                    seed=self.seed,
                )
                kind: Any = "real" if self.network else "timed"
                yield LivePlan(scenario, game, inference=kind, network=self.network)


def short(game: str) -> str:
    """A game's text without its options, which a law's text could not hold.

    >>> short("blocks(level=3)")
    'blocks'
    """
    return game.partition("(")[0].strip()


def live_profile(
    name: str,
    plan: LiveCalibration,
    *,
    on_progress: Callable[[str, float, int], None] = lambda what, done, total: None,
) -> Profile:
    """A profile of what the live loop costs and nothing else; see :func:`measure_live`."""
    watch = Watch()
    times = measure_live(plan, on_progress=on_progress)
    described = "What the live loop costs, measured by rtsim calibrate."
    return Profile(name, described, watch.machine(), {}, created=watch.created, live=times)


def measure_live(
    plan: LiveCalibration, *, on_progress: Callable[[str, float, int], None] = lambda what, done, total: None
) -> LiveTimes:
    """Make the runs of a plan, and take from them what the loop costs.

    Parameters
    ----------
    plan : LiveCalibration
    on_progress : callable, optional
        Gets what is being measured, how many measurements are done, the one under way by its share, and their number.
        About five times a second.

    Returns
    -------
    LiveTimes
        Its settings tell besides what the system granted the environment (``"realtime_class"``,
        ``"own_core"``), how many runs the machine disturbed, and ``"busy_fraction"``, the largest share of the
        machine's cores that was at work during a run (None if the system does not tell).

    Raises
    ------
    UnknownName, InvalidValue, MissingExtra, FileProblem, LiveFault
    RunInterrupted
        On Ctrl-C; there is nothing to keep then.
    """
    found: dict[str, list[Column]] = {}
    disturbed, granted, busy = 0, {}, None
    for index, run in enumerate(plan.plans()):
        what = f"live {run.game}, {run.scenario.rule}"
        on_progress(what, index, plan.total)

        def tell(status: Status, what: str = what, index: int = index) -> None:
            on_progress(what, index + min(max(status.step / status.steps, 0.0), 1.0), plan.total)

        schedule = play(run, on_status=tell)
        share = schedule.header["live"]["machine"].get("busy_fraction")
        busy = share if busy is None or share is None else max(busy, share)
        disturbed += summary(schedule).disturbed
        granted = {name: schedule.header["live"][name] for name in ("realtime_class", "own_core")}
        for name, values in costs(schedule, run).items():
            found.setdefault(name, []).append(values)
    on_progress("live copy", plan.total - 1, plan.total)
    found["copy"] = [copy_times(run)]
    times = {name: np.concatenate(parts) for name, parts in found.items()}
    times = {"dispatch": np.concatenate([times[f"dispatch.{kind}"] for kind in KINDS]), **times}
    measured = {name: Samples(tuple(values.tolist())) for name, values in times.items() if len(values)}
    return LiveTimes({**plan.settings(), **granted, "disturbed": disturbed, "busy_fraction": busy}, measured)


def signs_of_load(times: LiveTimes) -> list[str]:
    """What says that the machine had other work while the live loop was measured, in words; empty if nothing does.

    >>> signs_of_load(LiveTimes({"disturbed": 0}, {"copy": Samples((20_000, 20_000, 5_000_000))}))
    ['the longest live.copy, 5 ms, is 250 times the median']
    """
    runs, found = len(RULES) * len(times.settings.get("games", ())), []
    if times.settings.get("disturbed"):
        found.append(f"it stole time or missed deadlines in {times.settings['disturbed']} of {runs} live runs")
    busy = times.settings.get("busy_fraction") or 0.0
    if busy > BUSY and str(times.settings.get("inference", "")).startswith("timed"):
        found.append(f"{100 * busy:.0f} % of its cores were at work")
    # The kinds of dispatch are within dispatch, and an emulator's reset takes long on any machine.
    for name, entry in times.times.items():
        median, longest = float(np.median(entry.samples_ns)), max(entry.samples_ns)
        if not name.startswith(("dispatch.", "emulator.")) and longest > max(OUTLIER * median, OUTLIER_NS):
            often = f"{longest / median:.0f} times the median" if median else "beyond a median of 0"
            found.append(f"the longest live.{name}, {units.show(longest / 1e9)}, is {often}")
    return found


def costs(schedule: Schedule, plan: LivePlan) -> dict[str, Column]:
    """What one recorded run says, by name, int64 ns; its beginning is left out.

    Parameters
    ----------
    schedule : Schedule
        As :func:`rtsim.live.play` made it.
    plan : LivePlan
        Its plan: of a rule without layers or learning. There is no overshoot of real inference.
    """
    spans, live, starts = schedule.spans, schedule.live, schedule.steps["time_ns"]
    assert spans is not None
    assert live is not None
    settled = min(SETTLING_NS, int(starts[-1]) // 5)
    own = spans["start_ns"] >= settled
    waited, kinds = (spans["began_ns"] - spans["start_ns"])[own], start_kinds(schedule)[own]
    late = starts >= settled
    return {
        **{f"dispatch.{kind}": waited[kinds == number] for number, kind in enumerate(KINDS)},
        "hand_over": (spans["posted_ns"] - spans["end_ns"])[own],
        **({"overshoot": _overshoot(schedule, plan)[own]} if plan.inference == "timed" else {}),
        "runtime": live["runtime_ns"][late],
        f"emulator.{short(plan.game)}": live["emulator_ns"][late],
    }


def start_kinds(schedule: Schedule) -> Column:
    """What started each inference of a recorded run, as an index into :data:`KINDS`, shape (I,).

    One that begins when its worker's last one ended was continued; one that begins with a
    step was started by its publication; the rule had named the time of the others.
    """
    assert schedule.spans is not None
    spans = schedule.spans
    kinds = np.where(np.isin(spans["start_ns"], schedule.steps["time_ns"]), KINDS.index("step"), KINDS.index("timer"))
    for worker in np.unique(spans["worker"]).tolist():
        rows = np.flatnonzero(spans["worker"] == worker)
        rows = rows[np.argsort(spans["inference"][rows])]
        continued = spans["start_ns"][rows[1:]] == spans["end_ns"][rows[:-1]]
        kinds[rows[1:][continued]] = KINDS.index("continued")
    return kinds.astype(np.int64)


def _overshoot(schedule: Schedule, plan: LivePlan) -> Column:
    """What each inference lasted beyond the duration drawn for it, ns, shape (I,).

    Not below zero: when the environment is late for a step, logical time stands still just
    before it, and an inference due meanwhile ends at that time.
    """
    assert schedule.spans is not None
    spans, draws = schedule.spans, DrawnDurations(plan.scenario)
    drawn = np.zeros(len(spans["start_ns"]), np.int64)
    for worker in np.unique(spans["worker"]).tolist():
        rows = np.flatnonzero(spans["worker"] == worker)
        durations = draws.inference(worker)
        each = np.array([durations.draw(0)[0] for _ in range(int(spans["inference"][rows].max()) + 1)])
        drawn[rows] = each[spans["inference"][rows]]
    beyond: Column = np.maximum(spans["end_ns"] - spans["start_ns"] - drawn, 0)
    return beyond
