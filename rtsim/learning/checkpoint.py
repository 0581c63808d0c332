"""Checkpoints: everything that a training needs to go on exactly, except the frames, which lie in their own file.

A checkpoint replaces the one before only when it is whole. The memory's file is not copied: the
checkpoint says how far it was written, and what was written later is written again.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rtsim.errors import FileProblem, InvalidValue, RtsimError
from rtsim.learning.agents import make
from rtsim.learning.learner import Learner
from rtsim.learning.settings import Settings
from rtsim.networks.architecture import Architecture
from rtsim.networks.files import read, write

FORMAT = "rtsim.checkpoint/1"


def memory_file(path: str | Path) -> Path:
    """Where the replay memory of a checkpoint lies: beside it.

    >>> memory_file("runs/boxing.pt").name
    'boxing.pt.replay'
    """
    return Path(f"{path}.replay")


def save(path: str | Path, learner: Learner, progress: dict[str, Any]) -> Path:
    """Write a checkpoint; the file also serves as weights (``rtsim play --agent greedy:FILE``).

    Parameters
    ----------
    path : str or Path
    learner : Learner
        Its memory must lie in ``memory_file(path)``.
    progress : dict
        Of the training: numbers, texts, lists and tensors.

    Raises
    ------
    FileProblem
        If it cannot be written; the checkpoint before it stays.
    InvalidValue
        If the memory lies elsewhere.
    """
    if learner.memory.path is None or learner.memory.path.resolve() != memory_file(path).resolve():
        raise InvalidValue(f"a training with checkpoints needs its replay memory in {str(memory_file(path))!r}")
    learner.memory.flush()
    data = {
        "format": FORMAT,
        "architecture": learner.architecture.to_json(),
        "settings": learner.settings.to_json(),
        "seed": learner.seed,
        "dtype": learner.memory.dtype.str,
        "spare": learner.memory.spare,
        **learner.state(),
        "memory": learner.memory.state(),
        "progress": progress,
    }
    write(path, data, "checkpoint")
    learner.memory.mark()
    return Path(path)


def load(path: str | Path, device: str = "cpu") -> tuple[Learner, dict[str, Any]]:
    """A learner as it was, and the progress that was saved with it.

    Raises
    ------
    FileProblem
        If the checkpoint, or its replay memory, is missing, damaged, or something else.
    """
    data = read(path, "checkpoint")
    what = f"checkpoint {str(path)!r}"
    if data.get("format") != FORMAT:
        raise FileProblem(f"{what} is something else ({str(data.get('format', 'no format'))[:40]}); {FORMAT} is needed")
    try:
        architecture = Architecture.from_json(data["architecture"])
        memory = data["memory"]
        learner = make(
            Settings.from_json(data["settings"]),
            architecture.observation,
            data["dtype"],
            architecture.actions,
            seed=data["seed"],
            device=device,
            memory_file=memory_file(path),
            spare=data["spare"],
            memory_token=memory["token"],
        )
        if learner.architecture != architecture or learner.memory.kind != memory["kind"]:
            raise FileProblem(f"{what} contradicts itself: its settings make another network or memory")
        learner.restore(data)
        learner.memory.restore(memory)
        progress: dict[str, Any] = data["progress"]
    except FileProblem:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, RuntimeError) as error:
        detail = str(error) if isinstance(error, RtsimError) else f"{type(error).__name__} {error}"
        raise FileProblem(f"{what} is damaged or of another version: {detail[:200]}") from error
    return learner, progress
