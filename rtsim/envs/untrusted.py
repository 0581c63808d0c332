"""Integration files are data from elsewhere: what is checked before stable-retro sees them.

Its scenarios may name Lua scripts, which it would run. So the JSON is searched as stable-retro will understand it,
after parsing, when a ROM is imported and again before every load: folders can be placed by hand.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from typing import Any

from rtsim.errors import FileProblem

#: Levels of JSON; the deepest integration that stable-retro brings has six.
DEEPEST = 32
_TYPE = re.compile(r"[<>=|]{1,2}[a-z][1-9]")


def integration_json(name: str, text: bytes) -> dict[str, Any]:
    r"""The object in an integration file.

    Raises
    ------
    FileProblem
        If it is no JSON object, is nested too deep, says something twice (readers differ in which one counts), holds
        a number that is none, or names a script.

    >>> integration_json("scenario.json", b'{"reward": {"\\u0073cript": "lua:f"}}')
    Traceback (most recent call last):
        ...
    rtsim.errors.FileProblem: scenario.json asks for a script; rtsim runs no code that comes with a ROM
    """

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            raise FileProblem(f"{name} gives the same key twice")
        return found

    def finite(number: str) -> float:
        if not math.isfinite(value := float(number)):
            raise FileProblem(f"{name} holds {number[:20]}, which is no number")
        return value

    try:
        content = json.loads(text.decode("utf-8"), object_pairs_hook=once, parse_constant=finite, parse_float=finite)
    except (ValueError, RecursionError):
        raise FileProblem(f"{name} is not JSON") from None
    if not isinstance(content, dict):
        raise FileProblem(f"{name} must be a JSON object")
    for value in _inside(name, content):
        is_key, word = value
        if word in ("script", "scripts") if is_key else word.lstrip().startswith("lua:"):
            raise FileProblem(f"{name} asks for a script; rtsim runs no code that comes with a ROM")
    return content


def _inside(name: str, value: object, depth: int = 1) -> Iterator[tuple[bool, str]]:
    """All keys (True, key) and texts (False, text) of a JSON value, in small letters."""
    if depth > DEEPEST:
        raise FileProblem(f"{name} is nested more than {DEEPEST} levels deep")
    if isinstance(value, str):
        yield False, value.lower()
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield True, key.strip().lower()
            yield from _inside(name, inner, depth + 1)
    elif isinstance(value, list):
        for inner in value:
            yield from _inside(name, inner, depth + 1)


def check_integration(data: dict[str, Any], scenario: dict[str, Any], name: str = "scenario.json") -> None:
    """Variables have an address and a type, and rewards and ends are of such variables.

    Raises
    ------
    FileProblem
    """
    variables = data.get("info", {})
    if not isinstance(variables, dict):
        raise FileProblem("info of data.json must be an object of variables")
    for variable, about in variables.items():
        address, kind = (about.get("address"), about.get("type")) if isinstance(about, dict) else (None, None)
        if type(address) is not int or not 0 <= address < 2**32 or not isinstance(kind, str) or not _TYPE.match(kind):
            raise FileProblem(
                f"variable {variable[:60]!r} of data.json needs an address, a whole number below 2^32, and a type, "
                "e.g. '|u1'"
            )
    for what in ("reward", "done"):
        _check_conditions(scenario.get(what, {}), what, variables, name)
    for what in ("rewards", "actions", "crop"):
        if not isinstance(scenario.get(what, []), list):
            raise FileProblem(f"{what} of {name} must be a list")
    for part in scenario.get("rewards", []):
        _check_conditions(part, "rewards", variables, name)


def _check_conditions(part: object, what: str, variables: dict[str, Any], name: str) -> None:
    conditions = part.get("variables", {}) if isinstance(part, dict) else None
    if not isinstance(part, dict) or not isinstance(conditions, dict):
        raise FileProblem(f"{what} of {name} must be an object, its variables too")
    for variable, condition in conditions.items():
        if variable not in variables:
            raise FileProblem(f"{what} of {name} uses variable {variable[:60]!r}, which data.json does not have")
        if not isinstance(condition, dict):
            raise FileProblem(f"{what} of {name} must say of variable {variable[:60]!r} what about it, in an object")
    nodes = part.get("nodes", {})
    for node in nodes.values() if isinstance(nodes, dict) else ():
        _check_conditions(node, what, variables, name)


def check_name(name: str, what: str) -> str:
    """``name`` if it is that of a file in the folder; FileProblem if it leads elsewhere.

    >>> check_name("Level1", "state")
    'Level1'
    """
    if not name or name.startswith(".") or re.search(r"[/\\\x00-\x1f]", name):
        raise FileProblem(f"{what} {name[:60]!r} must be the name of a file in the integration folder, without a path")
    return name
