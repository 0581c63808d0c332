"""Rows of a replay memory: in RAM, or in a memory-mapped file that outlives the process."""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtsim.errors import FileProblem

#: Bytes before the first row: JSON, padded with spaces.
HEADER = 4096
FORMAT = "rtsim.replay/1"


@dataclass
class Rows:
    """Rows of named fields, and the token by which a checkpoint knows its own file again.

    Attributes
    ----------
    table : structured array, shape (count,)
    path : Path or None
        None: in RAM.
    token : str
    """

    table: NDArray[Any]
    path: Path | None
    token: str

    @classmethod
    def create(cls, dtype: np.dtype[Any], count: int, path: str | Path | None) -> Rows:
        """New rows, all zero. The file takes its full size on the disk at once, so a full disk is met now.

        Raises
        ------
        FileProblem
            If there is no room, or the file cannot be written. A file that was there before is left alone then.
        """
        token = secrets.token_hex(16)
        if path is None:
            return cls(np.zeros(count, dtype), None, token)
        size = HEADER + count * dtype.itemsize
        header = json.dumps({"format": FORMAT, "token": token, "rows": count, "fields": _described(dtype)})
        path, new = Path(path), Path(f"{path}.new")
        try:
            with open(new, "wb") as stream:
                if hasattr(os, "posix_fallocate"):
                    os.posix_fallocate(stream.fileno(), 0, size)
                else:
                    stream.truncate(size)
                stream.write(header.encode().ljust(HEADER))
            os.replace(new, path)
        except OSError as error:
            new.unlink(missing_ok=True)
            raise FileProblem(
                f"cannot write replay memory {str(path)!r}: {error.strerror} ({size / 1e6:.3g} MB are needed)"
            ) from error
        return cls._mapped(path, dtype, count, token)

    @classmethod
    def open(cls, dtype: np.dtype[Any], count: int, path: str | Path, token: str) -> Rows:
        """The rows of an existing file, as a checkpoint left them, and what was written afterwards.

        Raises
        ------
        FileProblem
            If the file is missing, cut short, or not the one of ``token``.
        """
        path = Path(path)
        what = f"replay memory {str(path)!r}"
        try:
            with open(path, "rb") as stream:
                header = json.loads(stream.read(HEADER))
            size = path.stat().st_size
        except FileNotFoundError as error:
            raise FileProblem(f"{what} of this checkpoint is missing; put it back, or begin anew") from error
        except (OSError, ValueError) as error:
            raise FileProblem(f"{what} cannot be read: {str(error)[:100]}") from error
        if not isinstance(header, dict) or header.get("format") != FORMAT:
            raise FileProblem(f"{what} is no replay memory")
        if header.get("token") != token:
            raise FileProblem(f"{what} belongs to another training than this checkpoint")
        if header.get("fields") != _described(dtype) or header.get("rows") != count:
            raise FileProblem(f"{what} has other fields than this training's; it was made with other settings")
        if size != HEADER + count * dtype.itemsize:
            raise FileProblem(f"{what} is cut short: {size} bytes of {HEADER + count * dtype.itemsize}")
        return cls._mapped(path, dtype, count, token)

    @classmethod
    def _mapped(cls, path: Path, dtype: np.dtype[Any], count: int, token: str) -> Rows:
        table: NDArray[Any] = np.memmap(path, dtype, "r+", offset=HEADER, shape=(count,))
        return cls(table, path, token)

    def flush(self) -> None:
        """Bring what was written to the disk; a killed process loses nothing even without, a power cut does."""
        if isinstance(self.table, np.memmap):
            self.table.flush()


def _described(dtype: np.dtype[Any]) -> list[list[Any]]:
    fields: Any = dtype.fields or {}
    return [[name, fields[name][0].base.str, list(fields[name][0].shape)] for name in dtype.names or ()]
