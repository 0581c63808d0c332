"""``rtsim calibrate``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rtsim.cli import render
from rtsim.cli.arguments import Calibrate
from rtsim.cli.settings import check_writable

if TYPE_CHECKING:
    from rtsim.calibrate import CalibrationPlan, Progress
    from rtsim.timing import Profile


def run(arguments: Calibrate) -> int:
    """Measure, save the profile, say how to use it. Interrupted, it keeps what is finished."""
    from rtsim.calibrate import CalibrationInterrupted, CalibrationPlan
    from rtsim.errors import InvalidValue
    from rtsim.timing import units

    if not arguments.out.endswith(".json"):
        raise InvalidValue(f"--out {arguments.out!r} must end in .json, so that profile:FILE#MODEL finds it")
    check_writable(arguments.out)
    plan = CalibrationPlan(
        k=arguments.k,
        depth=arguments.depth,
        threads=arguments.threads,
        precision=arguments.precision,  # type: ignore[arg-type]  # the plan checks it
        channels_last=arguments.channels_last,
        compiled=arguments.compiled,
        device=arguments.device,  # type: ignore[arg-type]
        batch=arguments.batch,
        precision_goal=arguments.precision_goal,
        time_limit_s=units.duration(arguments.time_limit, "--time-limit"),
        name=arguments.name,
    )
    before = _to_append_to(arguments) if arguments.append else None
    code = 0
    try:
        profile = _with_progress(plan)
    except CalibrationInterrupted as stop:
        profile, code = stop.profile, 130
        render.note("rtsim: interrupted; what was finished is kept")
    if not any(model.inference or model.learning for model in profile.models.values()):
        for key, model in profile.models.items():
            render.note(f"rtsim: {key} skipped: {model.settings.get('skipped')}")
        if not code:
            raise InvalidValue("nothing was measured, so no profile is written; give smaller --k")
        return code
    if before is not None:
        profile = _merged(before, profile)
    elif code and Path(arguments.out).exists():
        # Half a measurement must not take the place of a whole one.
        arguments.out = str(Path(arguments.out).with_suffix(".partial.json"))
    profile.save(arguments.out)
    law = f"profile:./{arguments.out}" if "/" not in arguments.out else f"profile:{arguments.out}"
    if arguments.json:
        render.dump({"schema": "rtsim.calibrate/1", "out": arguments.out, "profile": render.without_samples(profile)})
        return code
    rows = []
    for key, model in profile.models.items():
        entries = {"inference": model.inference, **{f"learning @batch{b}": e for b, e in model.learning.items()}}
        for what, entry in entries.items():
            rows.append([key, what, f"{model.parameters:,}", *render.samples_cells(entry)])
        for what, why in model.settings.get("skipped", {}).items():
            render.note(f"rtsim: {key} {what} skipped: {why}")
    columns = ["model", "what", "parameters", *render.SAMPLES_COLUMNS]
    render.table(f"{profile.name}, written to {arguments.out}", columns, rows, left=2)
    first = next(iter(profile.models))
    render.line(f'next: rtsim compare --inference-time "{law}#{first}"')
    return code


def _to_append_to(arguments: Calibrate) -> Profile | None:
    """The profile at --out, if there is one, checked before hours of measuring rather than after.

    Raises
    ------
    InvalidValue
        If processor or torch differ: their times must not stand in one profile.
    """
    from rtsim.calibrate import identity
    from rtsim.errors import InvalidValue
    from rtsim.timing import Profile

    path = Path(arguments.out)
    if not path.exists():
        return None
    before = Profile.load(path.absolute())
    for what, here in identity().items():
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
    return replace(before, models=models, description=described)


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
