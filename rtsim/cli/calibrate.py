"""``rtsim calibrate``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rtsim.cli import render
from rtsim.cli.arguments import Calibrate
from rtsim.cli.settings import check_writable
from rtsim.errors import InvalidValue, MissingExtra, UnknownName

if TYPE_CHECKING:
    from rtsim.calibrate import CalibrationPlan, Progress
    from rtsim.calibrate.live import LiveCalibration
    from rtsim.timing import Profile

LIVE = ("auto", "no", "only")


def run(arguments: Calibrate) -> int:
    """Measure, save the profile, say how to use it. Interrupted, it keeps what is finished."""
    if not arguments.out.endswith(".json"):
        raise InvalidValue(f"--out {arguments.out!r} must end in .json, so that profile:FILE#MODEL finds it")
    check_writable(arguments.out)
    plan, live = _plans(arguments)
    before = _to_append_to(arguments, networks=plan is not None) if arguments.append else None
    try:
        profile, code = _measured(arguments, plan, live)
    except KeyboardInterrupt:
        render.note(f"rtsim: interrupted; no run of the live loop is kept, {_untouched(arguments)}")
        return 130
    if profile.live is None and not any(model.inference or model.learning for model in profile.models.values()):
        for key, model in profile.models.items():
            render.note(f"rtsim: {key} skipped: {model.settings.get('skipped')}")
        if not code:
            raise InvalidValue("nothing was measured, so no profile is written; give smaller --k")
        render.note(f"rtsim: interrupted; nothing is finished, {_untouched(arguments)}")
        return code
    if code:
        render.note("rtsim: interrupted; what was finished is kept")
    if before is not None:
        profile = _merged(before, profile)
    elif code and Path(arguments.out).exists():
        # Half a measurement must not take the place of a whole one.
        arguments.out = str(Path(arguments.out).with_suffix(".partial.json"))
    profile.save(arguments.out)
    _tell(arguments, profile)
    return code


def _untouched(arguments: Calibrate) -> str:
    return f"{arguments.out} is as before" if Path(arguments.out).exists() else "no file was written"


def _plans(arguments: Calibrate) -> tuple[CalibrationPlan | None, LiveCalibration | None]:
    """What to measure: of networks, and of the live loop. All of it is checked before anything is measured."""
    from rtsim.calibrate import CalibrationPlan
    from rtsim.timing import units

    if arguments.live not in LIVE:
        raise UnknownName("--live", arguments.live, LIVE)
    if arguments.live == "no" and arguments.game:
        raise InvalidValue(f"--game {' '.join(arguments.game)} is for the live loop, but --live is no; leave one out")
    plan = CalibrationPlan(
        k=arguments.k,
        depth=arguments.depth,
        threads=arguments.threads,
        precision=arguments.precision,  # type: ignore[arg-type]  # the plan checks it
        channels_last=arguments.channels_last,
        compiled=arguments.compiled,
        device=arguments.device,  # type: ignore[arg-type]
        processes=arguments.processes,
        streams=arguments.streams,
        batch=arguments.batch,
        precision_goal=arguments.precision_goal,
        time_limit_s=units.duration(arguments.time_limit, "--time-limit"),
        name=arguments.name,
    )
    live = None if arguments.live == "no" else _live_plan(arguments)
    return (None if arguments.live == "only" else plan), live


def _live_plan(arguments: Calibrate) -> LiveCalibration | None:
    """The runs to make; None if the emulators are missing and nobody asked for them."""
    import os

    from rtsim.calibrate.live import LiveCalibration
    from rtsim.timing import units

    asked = arguments.live == "only" or bool(arguments.game or arguments.live_network)
    seconds = units.duration(arguments.live_time, "--live-time")
    live = LiveCalibration(arguments.game or ("blocks",), arguments.live_workers, seconds, arguments.live_network)
    try:
        if os.name != "posix":
            raise InvalidValue("live runs need a POSIX system such as Linux or macOS")
        live.check()
    except (MissingExtra, InvalidValue) as error:
        if asked:
            raise
        render.note(f"rtsim: the live loop is not measured: {error}")
        return None
    return live


def _measured(arguments: Calibrate, plan: CalibrationPlan | None, live: LiveCalibration | None) -> tuple[Profile, int]:
    """The profile, and the exit code: 130 if it was interrupted."""
    from dataclasses import replace

    from rtsim.calibrate import CalibrationInterrupted

    alone = None if live is None else _measure_live(arguments.name, live)
    times = None if alone is None else alone.live
    if plan is None:
        assert alone is not None
        return alone, 0
    try:
        return replace(_with_progress(plan), live=times), 0
    except CalibrationInterrupted as stop:
        return replace(stop.profile, live=times), 130


def _measure_live(name: str, live: LiveCalibration) -> Profile:
    from rtsim.calibrate.live import live_profile, signs_of_load

    # By time rather than counted: a run is long, and there are few.
    with render.progress(counted=False) as update:
        profile = live_profile(name, live, on_progress=update)
    assert profile.live is not None
    signs = signs_of_load(profile.live)
    if signs:
        render.note(
            f"rtsim: the machine was busy ({'; '.join(signs)}); measure again when it is not: --live only --append"
        )
    return profile


def _tell(arguments: Calibrate, profile: Profile) -> None:
    law = f"profile:./{arguments.out}" if "/" not in arguments.out else f"profile:{arguments.out}"
    if arguments.json:
        render.dump({"schema": "rtsim.calibrate/1", "out": arguments.out, "profile": render.without_samples(profile)})
        return
    rows = []
    for key, model in profile.models.items():
        entries = {"inference": model.inference, **{f"learning @batch{b}": e for b, e in model.learning.items()}}
        for what, entry in entries.items():
            rows.append([key, what, f"{model.parameters:,}", *render.samples_cells(entry)])
        for what, why in model.settings.get("skipped", {}).items():
            render.note(f"rtsim: {key} {what} skipped: {why}")
    title = f"{profile.name}, written to {arguments.out}"
    if rows:
        render.table(title, ["model", "what", "parameters", *render.SAMPLES_COLUMNS], rows, left=2)
    times = render.live_rows(profile)
    if times:
        title = "The live loop" if rows else title
        render.table(title, ["time", "what", *render.SAMPLES_COLUMNS], times, left=2)
    flags = [f'--inference-time "{law}#{key}"' for key in list(profile.models)[:1]]
    flags += [f'--dispatch-time "{law}#live.dispatch"'] if times else []
    render.line(f"next: rtsim compare {' '.join(flags)}")
    if profile.live is not None and "overshoot" in profile.live.times:
        render.line(
            f'or, to foretell rtsim play with timed inference: --dispatch-time "{law}#live.overshoot", for there '
            "an inference is held back from its start, dispatch and all"
        )


def _to_append_to(arguments: Calibrate, networks: bool) -> Profile | None:
    """The profile at --out, if there is one, checked before hours of measuring rather than after.

    Raises
    ------
    InvalidValue
        If processor or torch differ: their times must not stand in one profile.
    """
    from rtsim.calibrate import identity
    from rtsim.timing import Profile

    path = Path(arguments.out)
    if not path.exists():
        return None
    before = Profile.load(path.absolute())
    for what, here in identity(networks and bool(before.models)).items():
        if before.machine.get(what) != here:
            raise InvalidValue(
                f"--append: {what} of {arguments.out!r} is {before.machine.get(what)!r}, here it is {here!r}; "
                "write another profile"
            )
    return before


def _merged(before: Profile, measured: Profile) -> Profile:
    """Both sets of models, what was measured last winning."""
    from dataclasses import replace

    models = dict(before.models)
    for key, model in measured.models.items():
        old = models.get(key)
        if old is not None:
            model = replace(
                model, inference=model.inference or old.inference, learning={**old.learning, **model.learning}
            )
        models[key] = model
    described = before.description
    if measured.description not in described:
        described = f"{described} {measured.description}"
    return replace(
        before,
        models=models,
        description=described,
        machine={**measured.machine, **before.machine},
        live=measured.live or before.live,
    )


def _with_progress(plan: CalibrationPlan) -> Profile:
    from rtsim.calibrate import calibrate as measure
    from rtsim.timing import units

    with render.progress() as update:

        def tell(progress: Progress) -> None:
            state = f"{progress.stage}, {progress.samples} samples in {units.show(progress.elapsed_s)}"
            if progress.relative_precision is not None:
                state += f", mean to {100 * progress.relative_precision:.2g} %"
            update(f"{progress.model} {progress.operation}: {state}", progress.index, progress.total)

        return measure(plan, on_progress=tell)
