"""Settings from TOML, and from arguments to scenarios."""

from __future__ import annotations

import contextlib
import dataclasses
import typing
from pathlib import Path
from typing import Any

from rtsim.cli import render
from rtsim.cli.arguments import COMMANDS, ScenarioArguments
from rtsim.errors import FileProblem, InvalidValue, UnknownName


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

    try:
        data = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise FileProblem(f"cannot read config {path!r}: {error.strerror or error}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise FileProblem(f"config {path!r} is not TOML: {error}") from error
    kind = COMMANDS[words[0]]
    types = typing.get_type_hints(kind)
    fields = {field.name for field in dataclasses.fields(kind)} - {"config"}
    values: dict[str, Any] = {}
    for key, value in data.items():
        name = key.replace("-", "_")
        if name not in fields:
            raise UnknownName(f"setting in {path!r}", key, fields)
        values[name] = _fit(path, key, value, types[name])
    return kind(**values)


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
    if float in allowed and isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, bool) is (bool in allowed) and isinstance(value, allowed):
        return value
    names = " or ".join(t.__name__ for t in allowed if t is not type(None))
    raise InvalidValue(f"setting {key} = {value!r} in {path!r} must be {names}")


def scenario_of(arguments: ScenarioArguments, rule: Any, workers: int) -> Any:
    """The Scenario these arguments describe."""
    from rtsim.scenario import GAME_BOY, Scenario

    if arguments.fps and arguments.step_time:
        raise InvalidValue(f"--fps {arguments.fps} and --step-time {arguments.step_time} exclude each other; give one")
    for flag, text in (("--inference-time", arguments.inference_time), ("--learning-time", arguments.learning_time)):
        with contextlib.suppress(ValueError):
            if float(text) >= 1:
                render.note(f"rtsim: {flag} {text} is {text} seconds; for milliseconds write {text}ms")
    step_time = arguments.step_time or GAME_BOY
    if arguments.fps:
        step_time = arguments.fps if arguments.fps.endswith(("fps", "Hz", "hz")) else f"{arguments.fps}fps"
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


def check_writable(*paths: str, pictures: tuple[str, ...] = ()) -> None:
    """Complain about an output that cannot be written before hours of work, not after.

    A picture is written with its data beside it, as .csv; no two outputs may share a file.
    """
    import os

    if any(pictures):
        from rtsim.pictures import checked_suffix

        for path in filter(None, pictures):
            checked_suffix(path)
    wanted = [Path(path) for path in (*paths, *pictures) if path]
    wanted += [Path(path).with_suffix(".csv") for path in pictures if path]
    for target in wanted:
        if wanted.count(target) > 1:
            raise InvalidValue(f"two outputs would be written to {str(target)!r}; give them different names")
    for path in filter(None, (*paths, *pictures)):
        folder = Path(path).parent
        if not folder.is_dir():
            raise FileProblem(f"cannot write {path!r}: folder {str(folder)!r} does not exist")
        if Path(path).is_dir() or not os.access(folder, os.W_OK):
            raise FileProblem(f"cannot write {path!r}: it is a folder or its folder is not writable")
