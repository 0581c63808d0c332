"""What is under way in a training under a Schedule, and how a checkpoint keeps it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from rtsim.clocks.running import Started
from rtsim.learning.learner import Gradient, Parameters
from rtsim.learning.memory import tensor


@dataclass
class Choice:
    """An action that is chosen when it begins to act: those that are lost need not be computed.

    Attributes
    ----------
    started : Started
        The inference.
    observation : array
        What it read.
    version : int
        Updates landed at its start.
    parameters : Parameters or None
        Of that version; None while they have not landed, or if the action is known.
    action : int or None
    """

    started: Started
    observation: NDArray[Any]
    version: int
    parameters: Parameters | None
    action: int | None = None

    @property
    def settled(self) -> bool:
        """Whether the action can be told."""
        return self.action is not None or self.parameters is not None


@dataclass
class Update:
    """An update under way: the version it began from, and its gradient; None where there was nothing to learn from."""

    version: int
    gradient: Gradient | None


def pack_choices(choices: dict[int, Choice], like: NDArray[Any]) -> dict[str, Any]:
    """Tensors, from choices whose actions are known; ``like`` is an observation."""
    found = list(choices.values())
    observations = np.stack([c.observation for c in found]) if found else np.zeros((0, *np.shape(like)))
    return {
        "started": torch.tensor([c.started for c in found], dtype=torch.int64).reshape(-1, len(Started._fields)),
        "observations": tensor(observations),
        "versions": torch.tensor([c.version for c in found], dtype=torch.int64),
        "actions": torch.tensor([c.action for c in found], dtype=torch.int64),
    }


def unpack_choices(packed: dict[str, Any], like: NDArray[Any]) -> dict[int, Choice]:
    """The choices of :func:`pack_choices`."""
    events = [Started(*values) for values in packed["started"].tolist()]
    seen = packed["observations"].numpy().astype(np.asarray(like).dtype)
    known = zip(events, seen, packed["versions"].tolist(), packed["actions"].tolist(), strict=True)
    return {started.decision: Choice(started, o, version, None, action) for started, o, version, action in known}


def pack_updates(updates: dict[int, Update]) -> list[dict[str, Any]]:
    """Numbers and tensors, by learner."""
    return [
        {"learner": k, "version": u.version, "gradient": None if u.gradient is None else _packed(u.gradient)}
        for k, u in updates.items()
    ]


def _packed(gradient: Gradient) -> dict[str, Any]:
    return {
        "version": gradient.version,
        "values": dict(gradient.values),
        "loss": gradient.loss,
        "rows": tensor(gradient.rows),
        "losses": tensor(gradient.losses),
    }


def unpack_updates(packed: list[dict[str, Any]], device: torch.device) -> dict[int, Update]:
    """The updates of :func:`pack_updates`."""
    return {each["learner"]: Update(each["version"], _gradient(each["gradient"], device)) for each in packed}


def _gradient(packed: dict[str, Any] | None, device: torch.device) -> Gradient | None:
    if packed is None:
        return None
    values = {name: value.to(device) for name, value in packed["values"].items()}
    return Gradient(packed["version"], values, packed["loss"], packed["rows"].numpy(), packed["losses"].numpy())
