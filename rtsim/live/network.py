"""Real inference: a forward pass of one of the papers' networks per action. Imports torch."""

from __future__ import annotations

import re

import numpy as np
import torch
from numpy.typing import NDArray

from rtsim.errors import FileProblem, InvalidValue
from rtsim.live.plan import SIDE
from rtsim.networks.resnet import ResNet

MODEL = re.compile(r"resnet(15|30)-k([0-9.]+)")


def check_model(name: str) -> tuple[int, float]:
    """Depth and k of a model such as ``resnet15-k7``.

    >>> check_model("resnet30-k0.5")
    (30, 0.5)
    """
    match = MODEL.fullmatch(name)
    if match is None:
        raise InvalidValue(f"network {name!r} must be a model such as resnet15-k7; see rtsim profiles NAME")
    return int(match[1]), float(match[2])


class NetworkAgent:
    """The best action of a network, by one forward pass on one thread.

    Parameters
    ----------
    model : str
        E.g. ``resnet15-k7``.
    actions : int
    seed : int
        Of the random weights, if there is no file.
    file : str
        Weights saved by ``torch.save(network.state_dict())``; read without running anything in it.

    Raises
    ------
    InvalidValue, FileProblem
    """

    def __init__(self, model: str, actions: int, seed: int, file: str = "") -> None:
        depth, k = check_model(model)
        torch.set_num_threads(1)
        torch.manual_seed(seed)
        self._network = ResNet(k, depth, actions)
        if file:
            self._load(file)
        self._network.eval()

    def _load(self, file: str) -> None:
        try:
            weights = torch.load(file, map_location="cpu", weights_only=True)
            self._network.load_state_dict(weights)
        except FileNotFoundError as error:
            raise FileProblem(f"cannot read weights {file!r}: no such file") from error
        except Exception as error:  # torch raises of all kinds for files that are not its own
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise FileProblem(f"weights {file!r} do not fit the network: {reason[:200]}") from error

    @torch.inference_mode()
    def choose(
        self,
        frame: NDArray[np.uint8],
        console: object,
        worker: int,
        inference: int,
        component: int,
        chunk: int,
    ) -> tuple[int, ...]:
        """The action of highest value; a chunk repeats it."""
        image = torch.from_numpy(frame.copy()).reshape(1, 1, SIDE, SIDE).to(torch.float32).div_(255)
        action = int(self._network(image).argmax(dim=1).item())
        return (action,) * chunk
