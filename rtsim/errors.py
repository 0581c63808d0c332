"""Every error rtsim raises on purpose, and the one place that writes files.

Each class subclasses :class:`RtsimError` and the builtin a caller would expect, so both
``except RtsimError`` and ``except ValueError`` work. The command line turns any of them
into one line on stderr and exit code 2.
"""

from __future__ import annotations

import difflib
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path


class RtsimError(Exception):
    """Base of all errors that rtsim raises on purpose."""


class InvalidValue(RtsimError, ValueError):
    """A value, its unit, the rule it breaks and the remedy."""


class UnknownName(RtsimError, ValueError):
    """A name that is not in a registry; the message lists the valid ones."""

    def __init__(self, kind: str, name: str, choices: Iterable[str]) -> None:
        known = sorted(choices)
        near = difflib.get_close_matches(name, known, n=1)
        hint = f" (did you mean {near[0]!r}?)" if near else ""
        super().__init__(f"{kind} {name!r} unknown{hint}; choose from {', '.join(known)}")


class FileProblem(RtsimError, OSError):
    """A file that cannot be read, is truncated, or is of another kind."""


class MissingExtra(RtsimError, ImportError):
    """A feature whose optional dependency is not installed."""

    def __init__(self, feature: str, package: str, extra: str) -> None:
        super().__init__(f"{feature} needs {package}; pip install 'rtsim[{extra}]'")


class RuleFault(RtsimError, RuntimeError):
    """A scheduler rule that broke its contract, e.g. asked for a start in the past."""


def write_atomically(path: str | Path, data: bytes) -> Path:
    """Write ``data`` to ``path`` so that readers see the old file or the new one, never half.

    Raises
    ------
    FileProblem
        If the directory does not exist or cannot be written.
    """
    target = Path(path)
    try:
        handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    except OSError as error:
        raise FileProblem(f"cannot write {str(target)!r}: {error.strerror or error}") from error
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
        # mkstemp makes files private; give the permissions a plain open() would have given.
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(temporary, 0o666 & ~umask)
        os.replace(temporary, target)
    except BaseException as error:
        Path(temporary).unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise FileProblem(f"cannot write {str(target)!r}: {error.strerror or error}") from error
        raise
    return target
