"""Settings from TOML, and from arguments to scenarios."""

from __future__ import annotations

import dataclasses
import math
import os
import re
import typing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rtsim.cli import render
from rtsim.cli.arguments import COMMANDS, Plan, ScenarioArguments, Sweep
from rtsim.errors import FileProblem, InvalidValue, RtsimError, UnknownName, read_text

if TYPE_CHECKING:
    from rtsim.scenario import Scenario


def from_config(words: list[str]) -> Any:
    """Defaults of the command in ``words`` read from its ``--config`` file, or None without one.

    Raises
    ------
    FileProblem, UnknownName, InvalidValue
        If the file cannot be read, is not TOML, or has a key or value the command has not.
    """
    path = _config_path(words)
    if path is None or not words or words[0] not in COMMANDS:
        return None
    import tomllib

    kind = COMMANDS[words[0]]
    types = typing.get_type_hints(kind)
    try:
        data = tomllib.loads(_config_text(path, studies="grid" in types))
    except (ValueError, RecursionError) as error:  # ValueError: also whole numbers of thousands of digits
        raise FileProblem(f"config {path!r} is not TOML: {error}") from error
    grids = data.pop("grid", None) if "grid" in types else None
    values = _values(path, data, types)
    if grids is not None:
        if not isinstance(grids, list) or not all(isinstance(grid, dict) for grid in grids):
            raise InvalidValue(f"grid in {path!r} must be tables, each beginning with [[grid]]")
        values["grid"] = tuple(_values(path, grid, {name: types[name] for name in AXES}) for grid in grids)
    return kind(**values)


#: Settings of a sweep that a [[grid]] may have.
AXES = tuple(
    field.name
    for field in dataclasses.fields(Sweep)
    if field.name not in ("run", "resume", "processes", "executor", "address", "json", "config", "grid", "said")
)


def note_said(arguments: Any, words: list[str]) -> Any:
    """A sweep's arguments with the names of the axes given as flags, be it at their defaults."""
    if not isinstance(arguments, Sweep):
        return arguments
    given = {word.split("=")[0].removeprefix("--").replace("-", "_") for word in words if word.startswith("--")}
    return dataclasses.replace(arguments, said=tuple(sorted(given & set(AXES))))


def _values(path: str, data: dict[str, Any], types: dict[str, Any]) -> dict[str, Any]:
    """TOML keys and values as fields and their types."""
    known = set(types) - {"config", "grid", "said"}
    values: dict[str, Any] = {}
    for key, value in data.items():
        name = key.replace("-", "_")
        if name not in known:
            raise UnknownName(f"setting in {path!r}", key, known)
        if name in values:
            raise InvalidValue(f"setting {key} in {path!r} is given twice, with - and with _; give it once")
        values[name] = _fit(path, key, value, types[name])
    return values


def _config_text(path: str, studies: bool) -> str:
    """The text of a config file, or of a study that comes with rtsim."""
    if studies and not os.path.isfile(path):
        from importlib import resources

        study = resources.files("rtsim.experiments") / "studies" / f"{path}.toml"
        if path.isidentifier() and study.is_file():
            return study.read_text(encoding="utf-8")
    return read_text(path, "config", 10**6)


def _config_path(words: list[str]) -> str | None:
    for index, word in enumerate(words):
        if word == "--config" and index + 1 < len(words):
            return words[index + 1]
        if word.startswith("--config="):
            return word.removeprefix("--config=")
    return None


def _fit(path: str, key: str, value: Any, wanted: Any) -> Any:
    """A TOML value as the field's type: numbers may stand for text, one value for a list."""
    if typing.get_origin(wanted) is tuple:
        inner = typing.get_args(wanted)[0]
        items = value if isinstance(value, list) else [value]
        return tuple(_fit(path, key, item, inner) for item in items)
    allowed = typing.get_args(wanted) or (wanted,)
    if str in allowed and isinstance(value, str | int | float) and not isinstance(value, bool):
        return value if isinstance(value, str) else repr(value)
    if float in allowed and isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300:
        return float(value)
    if isinstance(value, bool) is (bool in allowed) and isinstance(value, allowed):
        return value
    names = " or ".join(t.__name__ for t in allowed if t is not type(None))
    shown = repr(value) if len(repr(value)) <= 60 else repr(value)[:57] + "..."
    raise InvalidValue(f"setting {key} = {shown} in {path!r} must be {names}")


def needs_unit(name: str, text: str) -> None:
    """Refuse ``--inference-time 84``: seconds were hardly meant."""
    from rtsim.timing import units

    units.check_unit(f"--{name.replace('_', '-')}", text)


def numbers(flag: str, words: tuple[str, ...]) -> tuple[int, ...]:
    """Whole numbers from words such as ``4`` and ``1-8``; () for ``auto`` alone.

    Raises
    ------
    InvalidValue
    """
    if words == ("auto",):
        return ()
    found: list[int] = []
    for word in (part for text in words for part in text.split(",") if part):
        span = re.fullmatch(r"([0-9]{1,6})-([0-9]{1,6})", word)
        if span and 1 <= int(span[1]) <= int(span[2]) <= 100_000:
            found.extend(range(int(span[1]), int(span[2]) + 1))
            continue
        if not re.fullmatch(r"[0-9]{1,6}", word) or not 1 <= int(word) <= 100_000:
            raise InvalidValue(
                f"--{flag} {word} must be a whole number in 1..100000, a range such as 1-8, or auto alone"
            )
        found.append(int(word))
    if not found:
        raise InvalidValue(f"--{flag} is empty; give numbers such as --{flag} 1 2 4, or auto")
    return tuple(found)


def step_time_of(fps: str) -> str:
    """The step time of a frame rate given as ``60``, ``60fps`` or ``60Hz``."""
    number = fps.strip().removesuffix("fps").removesuffix("Hz").removesuffix("hz")
    try:
        rate = float(number)
    except ValueError:
        rate = math.nan
    if not 0 < rate < math.inf:
        raise InvalidValue(f"--fps {fps} must be a number of steps per second, e.g. 59.7275")
    return f"{number}fps"


def scenario_of(arguments: ScenarioArguments, rule: Any, workers: int) -> Any:
    """The Scenario these arguments describe."""
    from rtsim.scenario import GAME_BOY, Scenario

    if arguments.fps and arguments.step_time:
        raise InvalidValue(f"--fps {arguments.fps} and --step-time {arguments.step_time} exclude each other; give one")
    for flag in ("inference_time", "learning_time", "dispatch_time", "step_time"):
        needs_unit(flag, getattr(arguments, flag))
    if not arguments.learning_time and (arguments.learners > 1 or arguments.learner_rule != "auto"):
        render.note("rtsim: nobody learns without --learning-time; --learners and --learner-rule are not used")
    step_time = arguments.step_time or GAME_BOY
    if arguments.fps:
        step_time = step_time_of(arguments.fps)
    return Scenario(
        rule=rule,
        inference_time=arguments.inference_time,
        workers=workers,
        step_time=step_time,
        steps=arguments.steps,
        seed=arguments.seed,
        mailbox=arguments.mailbox,
        dispatch_time=arguments.dispatch_time or None,
        learning_time=arguments.learning_time or None,
        learner_rule=arguments.learner_rule,
        learners=arguments.learners,
        learning_starts=arguments.learning_starts,
        batch=arguments.batch,
    )


def check_writable(*paths: str, pictures: tuple[str, ...] = (), inputs: tuple[str, ...] = ()) -> None:
    """Complain about an output that cannot be written before hours of work, not after.

    A picture is written with its data beside it, as .csv; no output may be written to the same
    file as another, or as an input.
    """
    if any(pictures):
        from rtsim.pictures import checked_suffix

        for path in filter(None, pictures):
            checked_suffix(path)
    wanted = [path for path in (*paths, *pictures) if path]
    wanted += [str(Path(path).with_suffix(".csv")) for path in pictures if path]
    try:
        real = [os.path.realpath(path) for path in wanted]
        read = {os.path.realpath(path): path for path in inputs if path}
        for path, target in zip(wanted, real, strict=True):
            if target in read:
                raise FileProblem(f"cannot write {path!r}: it is read as {read[target]!r}; choose another name")
            if real.count(target) > 1:
                raise InvalidValue(
                    f"two outputs would be written to {path!r} (a picture's data goes to a .csv beside it); "
                    "give them different names"
                )
            folder = Path(target).parent
            if not folder.is_dir():
                raise FileProblem(f"cannot write {path!r}: folder {str(folder)!r} does not exist")
            if Path(target).is_dir() or not os.access(target if os.path.exists(target) else folder, os.W_OK):
                raise FileProblem(f"cannot write {path!r}: it is a folder or may not be written")
    except RtsimError:
        raise
    except (OSError, ValueError) as error:
        raise FileProblem(f"cannot write one of {', '.join(map(repr, wanted))[:200]}: {error}") from error


def files_read(arguments: ScenarioArguments | Plan) -> tuple[str, ...]:
    """The files these arguments name as inputs."""
    laws = (arguments.inference_time, arguments.learning_time, arguments.dispatch_time)
    profiles = [re.findall(r"profile:([^#]+)#", law) for law in laws]
    mdp = getattr(arguments, "mdp", "")
    return (
        arguments.config,
        mdp if mdp.endswith((".json", ".npz")) else "",
        *(name for found in profiles for name in found if name.endswith(".json")),
    )


def deadline_text(scenario: Scenario) -> str:
    """The deadline in force of a rule that has one, in steps; else nothing.

    >>> from rtsim.scenario import Scenario
    >>> deadline_text(Scenario("time_triggered(deadline=50ms)", "40ms", step_time="60fps"))
    'deadline 3 steps'
    """
    setting = scenario.setting()
    for name, option in scenario.rule.rule.options.items():
        value = scenario.rule.options[name]
        if option.kind == "deadline" and value is not None:
            count = setting.steps(value, name)
            return f"{name} {count} step{'s' * (count != 1)}"
    return ""
