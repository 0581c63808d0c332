"""What the scripts of ``theory/`` and ``validation/`` share: flags, exit codes, and sections of a page that they write.

The scripts are not installed and import only rtsim, so what they have in common lies here.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

from rtsim.cli.render import note
from rtsim.errors import FileProblem, RtsimError, read_text, write_atomically

#: What a section says before its script has been run.
UNMEASURED = "Not measured yet."


class Parser(argparse.ArgumentParser):
    """One line for a bad flag, exit code 2."""

    def error(self, message: str) -> NoReturn:
        print(f"{self.prog}: {message}; --help lists the flags", file=sys.stderr)
        raise SystemExit(2)


def measuring(name: str, described: str | None, quick: str) -> Parser:
    """The flags that all scripts have which measure: ``--quick``, and ``--out`` for a folder with a README.md."""
    parser = Parser(prog=name, description=(described or "").split("\n")[0], allow_abbrev=False)
    parser.add_argument("--quick", action="store_true", help=f"{quick}; written to --out alone")
    parser.add_argument("--out", type=Path, metavar="DIR", help="a folder with a README.md (default: the script's)")
    return parser


def parsed(parser: Parser, folder: Path) -> argparse.Namespace:
    """The arguments, ``out`` being a folder; a quick run must not replace what was measured at full length."""
    arguments = parser.parse_args()
    if arguments.quick and arguments.out is None:
        parser.error("--quick needs --out, so that it does not replace what was measured at full length")
    arguments.out = arguments.out or folder
    return arguments


def guarded(name: str, main: Callable[[], int]) -> int:
    """Exit code of a script: its own; 2 with one line for an error of rtsim; 130 for Ctrl-C."""
    try:
        return main()
    except RtsimError as error:
        note(f"{name}: " + " ".join(str(error).split()))
        return 2
    except KeyboardInterrupt:
        note(f"{name}: interrupted")
        return 130


def marks(name: str) -> tuple[str, str]:
    """The lines around a section.

    >>> marks("ledger")
    ('<!-- ledger: begin -->', '<!-- ledger: end -->')
    """
    return f"<!-- {name}: begin -->", f"<!-- {name}: end -->"


def section(page: Path, name: str) -> str:
    """What stands between the two marks of a section.

    Raises
    ------
    FileProblem
        If the page does not have both, once.
    """
    begin, end = marks(name)
    text = read_text(page, "page", 10**7)
    if text.count(begin) != 1 or text.count(end) != 1:
        raise FileProblem(f"{page} must hold the lines {begin} and {end} once each, with the section between them")
    return text.split(begin)[1].split(end)[0].strip("\n")


def write_section(page: Path, name: str, text: str) -> None:
    """Put a text between the marks of a section; the rest of the page stays as it is.

    Raises
    ------
    FileProblem
    """
    section(page, name)
    begin, end = marks(name)
    before = read_text(page, "page", 10**7)
    after = re.sub(
        re.escape(begin) + ".*" + re.escape(end), lambda _: f"{begin}\n{text}\n{end}", before, flags=re.DOTALL
    )
    write_atomically(page, after.encode())


def machine() -> dict[str, Any]:
    """Where and with what results were made: JSON values."""
    from importlib.metadata import PackageNotFoundError, version

    from rtsim.machine import about
    from rtsim.version import __version__

    packages = {}
    for name in ("numpy", "torch", "ale-py", "stable-retro"):
        with suppress(PackageNotFoundError):
            packages[name] = version(name)
    date = datetime.now(UTC).isoformat(timespec="minutes")
    return {**about(), "rtsim": __version__, "packages": packages, "date": date}


def machine_line(found: dict[str, Any]) -> str:
    """What :func:`machine` found, as one line of a page."""
    packages = ", ".join(f"{name} {number}" for name, number in found["packages"].items())
    cores = f"{found['usable_cores'] or found['logical_cores']} cores"
    words = (found["cpu"], cores, found["os"], f"Python {found['python']}", packages, f"rtsim {found['rtsim']}")
    return f"Measured on {found['date'][:10]}: {', '.join(filter(None, words))}."


def measured(data: dict[str, Any] | None, key: str) -> list[dict[str, Any]]:
    """The results under a key of a file, each with the machine of its own measurement, else with that of the file.

    >>> measured({"machine": {"cpu": "a"}, "cases": [{"n": 1}, {"n": 2, "machine": {"cpu": "b"}}]}, "cases")
    [{'n': 1, 'machine': {'cpu': 'a'}}, {'n': 2, 'machine': {'cpu': 'b'}}]
    """
    found = data or {key: []}
    return [{**each, "machine": each.get("machine", found.get("machine"))} for each in found[key]]


def machine_lines(found: Sequence[dict[str, Any]]) -> str:
    """:func:`machine_line` of results that each have a machine; what they share is said once."""
    return "\n\n".join(dict.fromkeys(machine_line(each["machine"]) for each in found))


def markdown(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown.

    >>> print(markdown(["a", "b"], [["1", "x|y"]]))
    | a | b |
    |---|---|
    | 1 | x\\|y |
    """
    lines = [columns, *rows]
    cells = ["| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines]
    return "\n".join([cells[0], "|" + "---|" * len(columns), *cells[1:]])


def read_results(path: Path, schema: str) -> dict[str, Any] | None:
    """Results that a script has recorded, or None if it has not yet.

    Raises
    ------
    FileProblem
        If the file is of another kind.
    """
    if not path.exists():
        return None
    try:
        data = json.loads(read_text(path, "results", 10**8))
    except json.JSONDecodeError as error:
        raise FileProblem(f"{path} is not JSON: {error}") from error
    if not isinstance(data, dict) or data.get("schema") != schema:
        raise FileProblem(f"{path} does not hold results of schema {schema}")
    return data


def write_results(path: Path, data: dict[str, Any]) -> None:
    """Record results as JSON, with floats of six digits."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, (json.dumps(rounded(data), indent=1, ensure_ascii=False) + "\n").encode())


def rounded(value: Any) -> Any:
    """JSON values with floats of six significant digits: what is measured has no more.

    >>> rounded({"a": [1 / 3, 2]})
    {'a': [0.333333, 2]}
    """
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, dict):
        return {key: rounded(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(each) for each in value]
    return value
