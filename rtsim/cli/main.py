"""The command line: reads arguments, calls the rooms below, prints. Nothing below prints.

Exit codes: 0 fine, 1 a check failed, 2 usage or bad input, 130 interrupted.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import re
import signal
import sys
from collections.abc import Sequence
from typing import Annotated, Any, Union

from rtsim.cli.arguments import COMMANDS
from rtsim.errors import RtsimError


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code.

    Parameters
    ----------
    argv : sequence of str, optional
        Without the program's name; ``sys.argv[1:]`` if not given.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    _prepare_streams()
    if argv is None:
        # What a batch system sends when time is up: keep what is finished, as for Ctrl-C.
        signal.signal(signal.SIGTERM, _interrupt)
        if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:
            signal.signal(signal.SIGHUP, _interrupt)  # the terminal was closed
    try:
        if words == ["--version"]:
            from rtsim import __version__

            print(__version__)
            return 0
        arguments = parse(words)
        name = next(name for name, kind in COMMANDS.items() if type(arguments) is kind)
        command = importlib.import_module(f"rtsim.cli.{name.replace('-', '_')}")
        code: int = command.run(arguments)
        sys.stdout.flush()
        return code
    except RtsimError as error:
        print("rtsim: " + " ".join(str(error).split()), file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("rtsim: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        from rtsim.cli import render

        render.silence()  # the reader (head, less) has gone
        return 0
    except OSError as error:
        with contextlib.suppress(OSError):
            print(f"rtsim: {error.strerror or error}", file=sys.stderr)
        return 2
    except MemoryError:
        print("rtsim: out of memory; give fewer --steps or --seeds, or a smaller MDP", file=sys.stderr)
        return 2


def _prepare_streams() -> None:
    """Closed streams become silent ones, and what an old terminal cannot show becomes a question mark."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 - for the life of the process
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def _interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt


def parse(words: list[str]) -> Any:
    """The argument dataclass of one command line.

    Raises
    ------
    UsageProblem
        With tyro's complaint as one line.
    """
    import tyro

    from rtsim.cli.settings import from_config, note_said

    defaults = from_config(words)
    options: list[Any] = []
    for name, kind in COMMANDS.items():
        default = defaults if type(defaults) is kind else kind()
        description = " ".join((kind.__doc__ or "").split())
        options.append(Annotated[kind, tyro.conf.subcommand(name, default=default, description=description)])
    kinds: Any = Union[tuple(options)]  # noqa: UP007 - made at run time
    complaint = io.StringIO()
    try:
        with contextlib.redirect_stderr(complaint):
            arguments: Any = tyro.cli(
                kinds,
                prog="rtsim",
                args=words,
                description="A discrete-event simulator for realtime regret analysis. "
                "Start with: rtsim compare --alg max_time exp_time",
            )
            return note_said(arguments, words)
    except SystemExit as stop:
        if stop.code in (0, None):
            raise
        raise UsageProblem(_second_value(words, complaint.getvalue()) or _one_line(complaint.getvalue())) from None


class UsageProblem(RtsimError, ValueError):
    """A command line that cannot be understood."""


def _second_value(words: list[str], complaint: str) -> str | None:
    """What to say where a flag that takes one value got two: tyro calls the second an unknown option."""
    found = re.search(r"Unrecognized options: ([^-\s│]\S*)", complaint)
    if found is None or found[1] not in words:
        return None
    before = words[: words.index(found[1])]
    flag = next((word for word in reversed(before) if word.startswith("--")), None)
    if flag is None or before[-1] == flag:
        return None
    several = "; rtsim sweep takes several" if flag in ("--agent", "--mdp", "--inference-time") else ""
    return f"{words[0]} takes one {flag}, and got {before[-1]!r} and {found[1]!r}{several}"


def _one_line(box: str) -> str:
    """The first sentence of tyro's box, with its suggestion if it has one."""
    lines = [re.sub(r"^[│╭╰ ]+|[│╮╯ ]+$", "", line) for line in box.splitlines()]
    body = [line for line in lines[1:] if line]
    message: list[str] = []
    for line in body:
        if set(line) <= {"─"}:
            break
        message.append(line)
    text = " ".join(message).rstrip(".") or "arguments not understood"
    with contextlib.suppress(ValueError, IndexError):
        hint = body[body.index("Perhaps you meant:") + 1]
        text += f"; perhaps you meant {hint.split()[0]}"
    return f"{text}; see rtsim --help"
