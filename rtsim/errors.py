"""Every error rtsim raises on purpose, and the one place that writes files.

Each class subclasses :class:`RtsimError` and the builtin a caller would expect, so both
``except RtsimError`` and ``except ValueError`` work. The command line turns any of them
into one line on stderr and exit code 2.
"""

from __future__ import annotations

import difflib
import errno
import os
import stat
import tempfile
from collections.abc import Iterable
from pathlib import Path

#: How the names of files begin that are being written; one is left behind if the process is killed meanwhile.
TEMPORARY = ".rtsim-"
#: More valid names than this are not listed where one is near to what was given.
MANY = 50


class RtsimError(Exception):
    """Base of all errors that rtsim raises on purpose."""


class RtsimWarning(UserWarning):
    """What is allowed, but hardly what was meant."""


class InvalidValue(RtsimError, ValueError):
    """A value, its unit, the rule it breaks and the remedy."""


class UnknownName(RtsimError, ValueError):
    """A name that is not in a registry; the message lists the valid ones, or suggests one of very many.

    Parameters
    ----------
    kind, name : str
        What it should have been, and what it was.
    choices : iterable of str
        The valid ones.
    of : str
        Whose: ``"game 'blocks'"``.

    >>> print(UnknownName("option", "lvl", ["level", "sticky"], of="game 'blocks'"))
    option 'lvl' of game 'blocks' unknown (did you mean 'level'?); choose from level, sticky
    """

    def __init__(self, kind: str, name: str, choices: Iterable[str], *, of: str = "") -> None:
        known = sorted(choices)
        shown = name if len(name) <= 80 else name[:77] + "..."
        near = difflib.get_close_matches(shown, known, n=1)
        what = f"{kind} {shown!r}" + (f" of {of}" if of else "")
        if near and len(known) > MANY:
            super().__init__(f"{what} unknown; did you mean {near[0]!r}, one of {len(known)}?")
            return
        hint = f" (did you mean {near[0]!r}?)" if near else ""
        listed = ", ".join(known[:50]) + (f" and {len(known) - 50} more" if len(known) > 50 else "")
        super().__init__(f"{what} unknown{hint}; choose from {listed}")


class FileProblem(RtsimError, OSError):
    """A file that cannot be read, is truncated, or is of another kind."""


class MissingExtra(RtsimError, ImportError):
    """A feature whose optional dependency is not installed."""

    def __init__(self, feature: str, package: str, extra: str) -> None:
        super().__init__(f"{feature} needs {package}; pip install 'rtsim[{extra}]'")


class RuleFault(RtsimError, RuntimeError):
    """A scheduler rule that broke its contract, e.g. asked for a start in the past."""


class NoConvergence(RtsimError, ArithmeticError):
    """A numerical method that did not reach the accuracy asked for; the message says how far it came."""


def check_file(path: str | Path, what: str) -> int:
    """The size of a regular file, bytes.

    Raises
    ------
    FileProblem
        If it is missing, or a folder, a device or a pipe.
    """
    try:
        status = os.stat(path)
    except (OSError, ValueError) as error:  # ValueError: a NUL byte in the path
        reason = getattr(error, "strerror", None) or error
        raise FileProblem(f"cannot read {what} {_shown(path)}: {reason}") from error
    if not stat.S_ISREG(status.st_mode):
        kind = "a directory" if stat.S_ISDIR(status.st_mode) else "no regular file"
        raise FileProblem(f"cannot read {what} {_shown(path)}: it is {kind}")
    return status.st_size


def read_text(path: str | Path, what: str, limit: int) -> str:
    """The text of a regular UTF-8 file of at most ``limit`` bytes.

    Raises
    ------
    FileProblem
        For anything else: a missing file, a folder, a device, a pipe, a binary file.
    """
    name = _shown(path)
    try:
        if check_file(path, what) > limit:
            raise FileProblem(f"{what} {name} is larger than {limit} bytes; is it a {what}?")
        return Path(path).read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise FileProblem(f"{what} {name} is not UTF-8 text") from error
    except FileProblem:
        raise
    except (OSError, ValueError) as error:  # ValueError: a NUL byte in the path
        reason = getattr(error, "strerror", None) or error
        raise FileProblem(f"cannot read {what} {name}: {reason}") from error


def _shown(path: str | Path) -> str:
    text = repr(str(path).encode("utf-8", "replace").decode())
    return text if len(text) <= 200 else text[:197] + "..."


def write_atomically(path: str | Path, data: bytes) -> Path:
    """Write ``data`` to ``path`` so that readers see the old file or the new one, never half.

    A link is followed; a device or a pipe is written to as it is.

    Raises
    ------
    FileProblem
        If the folder does not exist or cannot be written.
    """
    temporary = None
    try:
        target = Path(os.path.realpath(path))
        if target.exists() and not target.is_file():
            with open(target, "wb") as stream:
                stream.write(data)
            return Path(path)
        handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=TEMPORARY)
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
        # mkstemp makes files private; give the permissions a plain open() would have given.
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(temporary, 0o666 & ~umask)
        os.replace(temporary, target)
    except BaseException as error:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)
        if isinstance(error, OSError | ValueError):
            reason = getattr(error, "strerror", None) or error
            raise FileProblem(f"cannot write {_shown(path)}: {reason}") from error
        raise
    return Path(path)


class Reservation:
    """Room on the disk for a file that is written at the end of long work: a full disk is met at the beginning.

    For a device or a pipe nothing is reserved; it is written to as it is.

    Parameters
    ----------
    path : str or Path
    size : int
        Bytes, at least as many as will be written.

    Raises
    ------
    FileProblem
        If there is no room, or the folder does not exist.
    """

    def __init__(self, path: str | Path, size: int) -> None:
        self._path, self._handle, self._temporary = path, -1, ""
        try:
            target = Path(os.path.realpath(path))
            if target.is_symlink():
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
            if os.path.exists(path) and not os.path.isfile(path):
                return
            self._handle, self._temporary = tempfile.mkstemp(dir=target.parent, prefix=TEMPORARY)
        except OSError as error:
            raise FileProblem(f"cannot write {_shown(path)}: {error.strerror}") from error
        try:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(self._handle, 0, size)
        except OSError as error:
            self.close()
            raise FileProblem(
                f"cannot write {_shown(path)}: {error.strerror} (up to {size / 1e6:.3g} MB are needed)"
            ) from error

    def fill(self, data: bytes) -> Path:
        """Write the file; it appears whole."""
        if self._handle < 0:
            return write_atomically(self._path, data)
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(self._handle, view) :]
            os.ftruncate(self._handle, len(data))
            umask = os.umask(0)
            os.umask(umask)
            os.chmod(self._temporary, 0o666 & ~umask)
            os.replace(self._temporary, os.path.realpath(self._path))
        except OSError as error:
            raise FileProblem(f"cannot write {_shown(self._path)}: {error.strerror}") from error
        finally:
            self.close()
        return Path(self._path)

    def close(self) -> None:
        """Give the room back if it was not used; calling it again is fine."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1
            Path(self._temporary).unlink(missing_ok=True)
