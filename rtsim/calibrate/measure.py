"""Run a calibration plan: one measurement after the other, into a profile."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any

from rtsim.calibrate.company import company
from rtsim.calibrate.machine import Watch, memory_available, memory_needed
from rtsim.calibrate.plan import CalibrationPlan
from rtsim.calibrate.sampling import Limits, sample
from rtsim.errors import MissingExtra
from rtsim.networks.sizes import parameter_count, size_label
from rtsim.timing.profiles import ModelTimes, Profile, Samples


@dataclass(frozen=True)
class Progress:
    """How far a calibration is, for a progress bar.

    Attributes
    ----------
    model : str
        Key of the model, e.g. ``"resnet15-k29"``.
    operation : str
        ``"inference"`` or e.g. ``"learning batch 16"``.
    index, total : int, 0 <= index < total
        This measurement among all of the plan.
    stage : str
        ``"build"``, ``"compile"``, ``"warm-up"``, ``"measure"``, ``"done"`` or ``"skipped"``.
    samples : int, >= 0
        Runs so far in this stage.
    elapsed_s : float, seconds, >= 0
        Since this measurement's warm-up began.
    relative_precision : float or None
        95 % half-width of the mean over the mean; None below two samples.
    """

    model: str
    operation: str
    index: int
    total: int
    stage: str
    samples: int = 0
    elapsed_s: float = 0.0
    relative_precision: float | None = None


@dataclass(frozen=True)
class Measurement:
    """One finished measurement: samples, or the reason why there are none.

    Attributes
    ----------
    k : float
        Filter multiplier of the model.
    batch : int or None
        Batch size of the learning step; None for inference.
    samples : Samples or None
        None if it was skipped.
    skipped : str
        Why; empty if it was not.
    """

    k: float
    batch: int | None
    samples: Samples | None
    skipped: str = ""

    @property
    def operation(self) -> str:
        """``"inference"`` or e.g. ``"learning batch 16"``."""
        return _operation(self.batch)


class CalibrationInterrupted(KeyboardInterrupt):
    """Ctrl-C during a calibration; ``profile`` holds the measurements finished before it."""

    def __init__(self, profile: Profile) -> None:
        super().__init__("calibration interrupted")
        self.profile = profile


def calibrate(plan: CalibrationPlan, *, on_progress: Callable[[Progress], None] | None = None) -> Profile:
    """Measure everything that the plan names.

    Parameters
    ----------
    plan : CalibrationPlan
        What to measure, and how precisely.
    on_progress : callable, optional
        Called between runs, at most about ten times a second.

    Returns
    -------
    Profile
        With raw samples, warm-up runs and the machine. What did not fit in memory is missing
        from it and named in the model's settings, under ``"skipped"``.

    Raises
    ------
    CalibrationInterrupted
        On Ctrl-C, carrying the profile of what was finished.
    InvalidValue
        If the device or a compiler is absent.
    MissingExtra
        If torch or psutil is not installed.

    Examples
    --------
    >>> plan = CalibrationPlan(k=(0.0625,), batch=(), precision_goal=0.5, min_samples=5)
    >>> profile = calibrate(plan)
    >>> times = profile.find("55k")
    >>> times.parameters, len(times.inference.samples_ns) >= 5
    (54178, True)
    """
    watch = Watch()
    models: dict[str, ModelTimes] = {}

    def profile(description: str) -> Profile:
        return Profile(plan.name, description, watch.machine(plan), dict(models), created=watch.created)

    try:
        for item in measurements(plan, on_progress=on_progress):
            key = plan.key(item.k)
            models[key] = _with(models.get(key) or _empty(plan, item.k), item)
    except KeyboardInterrupt as stop:
        raise CalibrationInterrupted(profile(plan.describe() + " Interrupted before the end.")) from stop
    return profile(plan.describe())


def measurements(
    plan: CalibrationPlan, *, on_progress: Callable[[Progress], None] | None = None
) -> Iterator[Measurement]:
    """Measure one after the other: per model inference, then learning at each batch size.

    What does not fit in memory is skipped, with the reason, rather than started and killed.
    """
    operations = _operations()
    operations.check_available(plan)
    index = 0
    for k in plan.k:
        for batch in (None, *plan.batch):
            report = _reporter(plan, k, batch, index, on_progress)
            needed, available = memory_needed(plan, k, batch), memory_available(plan.device)
            if needed > available:
                reason = f"needs about {needed / 1e9:.3g} GB of memory, {available / 1e9:.3g} GB are free"
                report("skipped", 0, 0.0, None)
                yield Measurement(k, batch, None, reason)
            else:
                yield Measurement(k, batch, _measure(operations, plan, k, batch, report))
            index += 1


def _measure(
    operations: ModuleType,
    plan: CalibrationPlan,
    k: float,
    batch: int | None,
    report: Callable[[str, int, float, float | None], None],
) -> Samples:
    """One measurement, with the plan's threads; builds the network and lets go of it after."""
    with operations.intra_op_threads(plan.threads), operations.released(plan):
        report("build", 0, 0.0, None)
        run = operations.inference(plan, k) if batch is None else operations.learning(plan, k, batch)
        note = ""
        if plan.compiled:
            report("compile", 0, 0.0, None)
            note = f"; compiled in {operations.first_run(run):.1f} s, not counted"
        limits = Limits(plan.precision_goal, plan.time_limit_s, plan.min_samples, plan.max_samples)
        with company(plan, k, batch, run):
            samples = sample(operations.timer(run, plan.device), limits, report=report)
        del run
    return replace(samples, note=samples.note + note)


def _reporter(
    plan: CalibrationPlan, k: float, batch: int | None, index: int, on_progress: Callable[[Progress], None] | None
) -> Callable[[str, int, float, float | None], None]:
    def report(stage: str, count: int, elapsed_s: float, precision: float | None) -> None:
        if on_progress is not None:
            on_progress(Progress(plan.key(k), _operation(batch), index, plan.total, stage, count, elapsed_s, precision))

    return report


def _operations() -> Any:
    try:
        from rtsim.calibrate import operations
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise MissingExtra("calibration", "torch", "live") from error
    return operations


def _operation(batch: int | None) -> str:
    return "inference" if batch is None else f"learning batch {batch}"


def _empty(plan: CalibrationPlan, k: float) -> ModelTimes:
    count = parameter_count(k, plan.depth, plan.actions)
    return ModelTimes(size_label(count), count, plan.settings(k))


def _with(model: ModelTimes, item: Measurement) -> ModelTimes:
    """The model with one more measurement in it."""
    if item.samples is None:
        skipped = {**model.settings.get("skipped", {}), item.operation: item.skipped}
        return replace(model, settings={**model.settings, "skipped": skipped})
    if item.batch is None:
        return replace(model, inference=item.samples)
    return replace(model, learning={**model.learning, item.batch: item.samples})
