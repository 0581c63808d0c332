"""Files of weights: tensors and JSON, read without running anything in them."""

from __future__ import annotations

import errno
import os
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from rtsim.errors import TEMPORARY, FileProblem, InvalidValue, check_file
from rtsim.networks.architecture import Architecture

FORMAT = "rtsim.weights/1"


def save_weights(path: str | Path, architecture: Architecture, weights: dict[str, Tensor]) -> Path:
    """Write weights together with what is needed to build their network again.

    Raises
    ------
    FileProblem
        If the file cannot be written; one that was there before is left as it was.
    """
    return write(path, {"format": FORMAT, "architecture": architecture.to_json(), "weights": weights}, "weights")


def load_weights(path: str | Path) -> tuple[Architecture | None, dict[str, Tensor]]:
    """Weights, and their architecture if the file says it (a plain ``state_dict`` does not).

    A checkpoint of a training is such a file, too.

    Raises
    ------
    FileProblem
    """
    data = read(path, "weights")
    if "architecture" not in data:
        weights, architecture = data, None
    else:
        try:
            architecture, weights = Architecture.from_json(data["architecture"]), data["weights"]
        except (InvalidValue, KeyError, TypeError) as error:
            raise FileProblem(f"weights {str(path)!r} name no network that rtsim knows: {error}") from error
    if not isinstance(weights, dict) or not all(isinstance(w, Tensor) for w in weights.values()):
        raise FileProblem(f"weights {str(path)!r} hold something other than tensors by name")
    return architecture, weights


def read(path: str | Path, what: str) -> dict[str, Any]:
    """The dictionary in a file of torch's, on the CPU; ``what`` it is, for messages.

    Raises
    ------
    FileProblem
        If there is no such file, or it is something else, or truncated.
    """
    try:
        if os.path.exists(path):
            check_file(path, what)  # a pipe would be waited for, a device read for ever
        data = torch.load(path, map_location="cpu", weights_only=True)
        if zipfile.is_zipfile(path):  # torch does not look at the check sums of its tensors
            with zipfile.ZipFile(path) as parts:
                if parts.testzip() is not None:
                    raise zipfile.BadZipFile
    except FileProblem:
        raise
    except FileNotFoundError as error:
        raise FileProblem(f"cannot read {what} {str(path)!r}: no such file") from error
    except Exception as error:  # torch raises of all kinds for files that are not its own, and speaks to programmers
        own = error.strerror if isinstance(error, PermissionError) else None
        reason = own or "it is damaged, not written by torch.save, or holds more than tensors and plain values"
        raise FileProblem(f"cannot read {what} {str(path)!r}: {reason}") from error
    if not isinstance(data, dict):
        raise FileProblem(f"{what} {str(path)!r} hold {type(data).__name__}, not tensors by name")
    return data


def write(path: str | Path, data: dict[str, Any], what: str) -> Path:
    """Write with ``torch.save`` so that readers see the old file or the new one, never half; on the disk, too.

    Raises
    ------
    FileProblem
    """
    temporary: Path | None = None
    try:
        target = Path(os.path.realpath(path))
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=TEMPORARY)
        temporary = Path(name)
        with os.fdopen(handle, "wb") as stream:
            torch.save(data, stream)
            stream.flush()
            os.fsync(stream.fileno())
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        os.replace(temporary, target)
    except BaseException as error:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
        # torch's writer turns what the stream raises into a RuntimeError of its own.
        if isinstance(error, OSError | RuntimeError):
            raise FileProblem(f"cannot write {what} {str(path)!r}: {_reason(error)}") from error
        raise
    return Path(path)


def _reason(error: BaseException) -> str:
    found: BaseException | None = error
    while found is not None:
        if isinstance(found, OSError) and found.errno:
            return found.strerror or errno.errorcode.get(found.errno, str(found.errno))
        found = found.__cause__ or found.__context__
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]
