"""The ledger of claims: runs the scripts of ``theory/``, one or all of them, prints, compares and records.

Not a command of ``rtsim``: the scripts are not installed. ``python theory/ledger.py`` and each script call this.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NoReturn

from rtsim import __version__
from rtsim.cli.scripts import Parser, markdown, marks, write_section
from rtsim.errors import FileProblem, RtsimError, UnknownName, read_text, write_atomically
from rtsim.experiments.claims import Claim, examine, names
from rtsim.experiments.executors import cores, leave_with_parent

SCHEMA = "rtsim.ledger/1"
BEGIN, END = marks("ledger")


def show(claim: Callable[[bool], Claim], argv: Sequence[str] | None = None) -> NoReturn:
    """What a script of ``theory/`` does when run alone: examine its claim and print it.

    Exits with 0, or with 1 if the claim is undecided, or 2 for a bad flag.
    """
    parser = Parser(description="Examine one claim.", allow_abbrev=False)
    parser.add_argument("--full", action="store_true", help="sizes for publication")
    arguments = parser.parse_args(argv)
    found = claim(arguments.full)
    print(found.text())
    raise SystemExit(1 if found.verdict.kind == "undecided" else 0)


def main(folder: Path, argv: Sequence[str] | None = None, *, order: Sequence[str] = ()) -> int:
    """Examine all claims of a folder, compare with what is recorded there, and record.

    Verdicts are compared by kind and text; numbers are not. If one differs nothing is written, unless ``--record``
    accepts it. Small runs leave the numbers of a recorded full run alone.

    Parameters
    ----------
    folder : Path
    argv : sequence of str, optional
    order : sequence of str
        In which claims are told; those not named come last, by name.

    Returns
    -------
    int
        0; 1 if a verdict differs from the recorded one or is undecided; 2 for bad input; 130 if interrupted.
    """
    parser = Parser(prog="ledger.py", description="Do the papers' claims hold?", allow_abbrev=False)
    parser.add_argument("--full", action="store_true", help="sizes for publication instead of small ones")
    parser.add_argument("--record", action="store_true", help="accept verdicts that differ from the recorded ones")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="these claims only; nothing is written")
    parser.add_argument("--against", type=Path, metavar="FILE", help="recorded verdicts (default: ledger.json)")
    parser.add_argument("--processes", type=int, metavar="N", help="how many at a time (default: one per core)")
    arguments = parser.parse_args(argv)
    if arguments.only and arguments.record:
        parser.error("--record takes all claims; it does not go with --only")
    if arguments.processes is not None and not 1 <= arguments.processes <= 1024:
        parser.error(f"--processes {arguments.processes} must lie in 1..1024")
    try:
        place = {name: at for at, name in enumerate(order)}
        chosen = arguments.only or sorted(names(folder), key=lambda name: (place.get(name, len(place)), name))
        recorded = read(arguments.against or folder / "ledger.json", must=arguments.against is not None)
        found = []
        for each in examine_all(folder, chosen, arguments.full, arguments.processes):
            print(f"{each.name}: {each.verdict}", flush=True)
            found.append(each)
        changes = differences(found, recorded, complete=not arguments.only)
        undecided = [each.name for each in found if each.verdict.kind == "undecided"]
        for change in changes:
            print(f"ledger.py: {change}{'' if arguments.record else ' (--record accepts it)'}", file=sys.stderr)
        if undecided:
            print(f"ledger.py: undecided, nothing is recorded: {', '.join(undecided)}", file=sys.stderr)
        elif not arguments.only and (arguments.record or not changes):
            _record(folder, found, recorded, arguments.full, arguments.record)
    except RtsimError as error:
        print("ledger.py: " + " ".join(str(error).split()), file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("ledger.py: interrupted, nothing is recorded", file=sys.stderr)
        return 130
    return 1 if undecided or (changes and not arguments.record) else 0


def examine_all(folder: Path, chosen: Sequence[str], full: bool, processes: int | None = None) -> Iterator[Claim]:
    """Claims by name, in the order given, each examined in a process of its own pool.

    Raises
    ------
    UnknownName
        Before anything runs.
    """
    known = names(folder)
    for name in chosen:
        if name not in known:
            raise UnknownName("claim", name, known)
    # Threads of the linear algebra would only fight with the processes.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    workers = min(processes or cores(), len(chosen))
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=leave_with_parent) as pool:
        waiting = [pool.submit(examine, folder, name, full) for name in chosen]
        for future in waiting:
            yield future.result()


def read(path: Path, must: bool = True) -> dict[str, Any]:
    """A recorded ledger, or an empty one if there is none and none is asked for.

    Raises
    ------
    FileProblem
        If the file cannot be read or is not a ledger.
    """
    if not must and not path.exists():
        return {"claims": {}}
    try:
        data = json.loads(read_text(path, "ledger", 10**8))
        faulty = data["schema"] != SCHEMA or not all(
            isinstance(each["verdict"]["kind"], str) and isinstance(each["verdict"]["text"], str)
            for each in data["claims"].values()
        )
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError) as error:
        raise FileProblem(f"{path} is not a ledger: {error}") from error
    if faulty:
        raise FileProblem(f"{path} is not a ledger of schema {SCHEMA}")
    return dict(data)


def differences(found: Sequence[Claim], recorded: dict[str, Any], complete: bool = True) -> list[str]:
    """One line for each verdict that is not the recorded one.

    Parameters
    ----------
    complete : bool
        Whether ``found`` should be all claims there are, so that a recorded one that is missing is a difference.
    """
    before = recorded["claims"]
    lines = []
    for each in found:
        now = {"kind": each.verdict.kind, "text": each.verdict.text}
        if each.name not in before:
            lines.append(f"{each.name} is not recorded; it says {each.verdict}")
        elif before[each.name]["verdict"] != now:
            was = before[each.name]["verdict"]
            lines.append(
                f"{each.name} differs: recorded {was['kind']!r} {was['text']!r}, found {now['kind']!r} {now['text']!r}"
            )
    if complete:
        gone = sorted(set(before) - {each.name for each in found})
        lines += [f"{name} is recorded, but its file is gone" for name in gone]
    return lines


def table(found: Sequence[Claim]) -> str:
    """The verdicts as a Markdown table."""
    rows = [(f"[{each.title}]({each.name}.py)", each.source, f"**{each.verdict.kind}**{_rest(each)}") for each in found]
    return markdown(("claim", "source", "verdict"), rows)


def _rest(claim: Claim) -> str:
    verdict = claim.verdict
    if not verdict.text:
        return ""
    return f" {verdict.text}" if verdict.kind == "holds if" else f": {verdict.text}"


def _record(folder: Path, found: Sequence[Claim], recorded: dict[str, Any], full: bool, force: bool) -> None:
    if recorded.get("size") == "full" and not full and not force:
        print("all verdicts as recorded; the recorded numbers are those of a full run and stay", file=sys.stderr)
        return
    data = {
        "schema": SCHEMA,
        "rtsim": __version__,
        "size": "full" if full else "small",
        "claims": {each.name: each.to_json() for each in found},
    }
    write_atomically(folder / "ledger.json", (json.dumps(data, indent=1, ensure_ascii=False) + "\n").encode())
    write_section(folder / "README.md", "ledger", table(found))
    print(f"recorded in {folder.name}/ledger.json and {folder.name}/README.md", file=sys.stderr)
