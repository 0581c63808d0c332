"""MDPs as files: JSON for people, ``.npz`` for large ones; never code. :mod:`rtsim.mdps` describes the format."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from rtsim.errors import FileProblem, InvalidValue, check_file, read_text, write_atomically
from rtsim.mdps import checks
from rtsim.mdps.tabular import TABLES, TabularMDP

FORMAT, VERSION = "rtsim-mdp", 1
REQUIRED = ("format", "version", "states", "actions", "p", "r")
OWN_DEFAULT = ("default_actions", "p_default", "r_default", "default_policy")
OPTIONAL = ("default", *OWN_DEFAULT, "start", "reward", "name")
MAX_JSON = 200_000_000


def save(mdp: TabularMDP, path: str | Path) -> Path:
    """Write ``mdp`` to a ``.json`` or ``.npz`` file."""
    if str(path).endswith(".json"):
        return write_atomically(path, to_json(mdp).encode())
    if str(path).endswith(".npz"):
        stream = io.BytesIO()
        header = json.dumps({"format": FORMAT, "version": VERSION, "reward": mdp.reward, "name": mdp.name})
        arrays: dict[str, Any] = {what: getattr(mdp, what) for what in TABLES}
        np.savez_compressed(stream, header=np.frombuffer(header.encode(), dtype=np.uint8), **arrays)
        return write_atomically(path, stream.getvalue())
    raise InvalidValue(f"MDP file {str(path)!r} must end in .json or .npz")


def load(path: str | Path) -> TabularMDP:
    """Read a ``.json`` or ``.npz`` file; every fault is one line that begins with the file's name."""
    name = str(path)
    if name.endswith(".json"):
        read = _read_json
    elif name.endswith(".npz"):
        read = _read_npz
    else:
        raise InvalidValue(f"MDP file {name!r} must end in .json or .npz")
    try:
        return read(path)
    except InvalidValue as error:
        raise InvalidValue(f"MDP file {name!r}: {error}") from error


def to_json(mdp: TabularMDP) -> str:
    """The text of its JSON file: one row of each table per line, exact to the last bit."""
    head = {
        "format": FORMAT,
        "version": VERSION,
        "name": mdp.name,
        "states": mdp.states,
        "actions": mdp.actions,
        "default_actions": mdp.default_actions,
        "reward": mdp.reward,
    }
    lines = [f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in head.items()]
    lines.append(f'  "start": {json.dumps(mdp.start.tolist())}')
    for what in ("r", "r_default", "default_policy"):
        lines.append(f'  "{what}": {_rows(getattr(mdp, what).tolist())}')
    for what in ("p", "p_default"):
        values = getattr(mdp, what)
        places = np.argwhere(values)
        if 4 * len(places) < values.size:
            rows = [[*map(int, place), float(values[tuple(place)])] for place in places]
            lines.append(f'  "{what}": {{"sparse": {_rows(rows)}}}')
        else:
            lines.append(f'  "{what}": {_rows(values.tolist())}')
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _rows(rows: list[Any]) -> str:
    return "[\n    " + ",\n    ".join(json.dumps(row) for row in rows) + "\n  ]"


def _read_json(path: str | Path) -> TabularMDP:
    text = read_text(path, "MDP file", MAX_JSON)
    try:
        data = json.loads(text, parse_constant=_no_constant, object_pairs_hook=_no_twins)
    except InvalidValue:
        raise
    except (json.JSONDecodeError, RecursionError) as error:
        raise FileProblem(f"MDP file {str(path)!r} is not JSON: {error}") from error
    except ValueError as error:  # Python reads no whole numbers of thousands of digits
        raise FileProblem(f"MDP file {str(path)!r} holds a number of too many digits") from error
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise FileProblem(f'{str(path)!r} is not an MDP file: it lacks "format": "{FORMAT}"')
    _version(data.get("version"))
    for key in data:
        if key not in REQUIRED + OPTIONAL:
            raise InvalidValue(f"key {key[:60]!r} unknown; choose from {', '.join(REQUIRED + OPTIONAL)}")
    for key in REQUIRED:
        if key not in data:
            raise InvalidValue(f"key {key!r} is missing")
    states, actions = _size(data, "states"), _size(data, "actions")
    p = _probabilities(data["p"], "p", states, actions)
    own = [key for key in OWN_DEFAULT if key in data]
    default: Any = data.get("default", "stay")
    if own:
        if "default" in data or len(own) < len(OWN_DEFAULT):
            raise InvalidValue(f"give either default, or all of {', '.join(OWN_DEFAULT)}")
        extra = _size(data, "default_actions")
        default = (
            _probabilities(data["p_default"], "p_default", states, extra),
            data["r_default"],
            checks.table(data["default_policy"], "default_policy", (states, extra)),
        )
    elif isinstance(default, bool) or not isinstance(default, str | int):
        raise InvalidValue("default must be 'stay', 'random' or an action")
    start = data.get("start", 0)
    if not isinstance(start, int | list):
        raise InvalidValue("start must be a state or a list of probabilities")
    return TabularMDP.of(
        p, data["r"], default=default, start=start, reward=data.get("reward", "expected"), name=data.get("name", "")
    )


def _no_constant(text: str) -> Any:
    raise InvalidValue(f"{text} is not a number; every entry must be finite")


def _no_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise InvalidValue(f"key {key[:60]!r} is given twice")
        found[key] = value
    return found


def _version(version: object) -> None:
    if version != VERSION or isinstance(version, bool):
        raise InvalidValue(f"version {str(version)[:20]} is not known to this rtsim, which reads version {VERSION}")


def _size(data: dict[str, Any], key: str) -> int:
    value = data[key]
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise InvalidValue(f"{key} {str(value)[:40]!r} must be a whole number >= 1")
    return value


def _probabilities(value: Any, name: str, states: int, actions: int) -> Any:
    shape = (states, actions, states)
    checks.size(name, shape)
    if not isinstance(value, dict):
        return checks.table(value, name, shape)
    if set(value) != {"sparse"} or not isinstance(value["sparse"], list):
        raise InvalidValue(
            f'{name} must be nested lists, or {{"sparse": [[state, action, next state, probability], ...]}}'
        )
    found = np.zeros(shape)
    seen = set()
    for number, entry in enumerate(value["sparse"]):
        if not (
            isinstance(entry, list)
            and len(entry) == 4
            and all(
                isinstance(i, int) and not isinstance(i, bool) and 0 <= i < n
                for i, n in zip(entry, shape, strict=False)
            )
            and isinstance(entry[3], int | float)
            and not isinstance(entry[3], bool)
        ):
            raise InvalidValue(
                f"entry {number} of {name} is {json.dumps(entry)[:60]}; it must be [state, action, next state, "
                f"probability] within {shape}"
            )
        place = tuple(entry[:3])
        if place in seen:
            raise InvalidValue(f"{name}[{', '.join(map(str, place))}] is given twice")
        seen.add(place)
        try:
            found[place] = entry[3]
        except OverflowError as error:
            raise InvalidValue(f"entry {number} of {name} is too large a number") from error
    return found


def _read_npz(path: str | Path) -> TabularMDP:
    name = str(path)
    check_file(path, "MDP file")
    try:
        with zipfile.ZipFile(path) as archive:
            foreign = sorted(set(archive.namelist()) ^ {f"{what}.npy" for what in ("header", *TABLES)})
            if foreign:
                raise FileProblem(f"{name!r} is not an MDP file: it differs in {foreign[0][:60]!r}")
            if sum(entry.file_size for entry in archive.infolist()) > 24 * checks.MAX_ENTRIES:
                raise FileProblem(f"MDP file {name!r} is larger than any MDP rtsim takes")
        with np.load(path, allow_pickle=False) as arrays:
            header = json.loads(arrays["header"].tobytes().decode())
            tables: dict[str, Any] = {what: arrays[what] for what in TABLES}
    except FileProblem:
        raise
    except Exception as error:  # zipfile, zlib, numpy and json share no base
        raise FileProblem(f"cannot read MDP file {name!r}: truncated or of another kind") from error
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise FileProblem(f'{name!r} is not an MDP file: it lacks "format": "{FORMAT}"')
    _version(header.get("version"))
    return TabularMDP(**tables, reward=header.get("reward", "expected"), name=header.get("name", ""))
