"""What every learner does, cut where a Schedule cuts: sample, gradient, apply, act.

Nothing here asks what time it is. A Schedule says from which parameter version a gradient or an
action is computed, and in which order gradients land; a :class:`Parameters` is a value that nobody
changes, so whoever holds an old version goes on using it while others land updates. So one learner
serves a training without delay, ordered delayed updates, lock-free ones and one large parallel batch.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from rtsim.errors import FileProblem, InvalidValue, NoConvergence
from rtsim.learning.draws import ACTION, NOISE_ACTING, NOISE_LEARNING, SAMPLE, generator
from rtsim.learning.memory import Batch, Memory, Recent
from rtsim.learning.prioritised import Prioritised
from rtsim.learning.reservoir import Reservoir
from rtsim.learning.settings import Settings
from rtsim.networks.architecture import Architecture
from rtsim.networks.pooling import quicken_pooling

Weights = dict[str, Tensor]


@dataclass(frozen=True)
class Parameters:
    """One version of the weights; never changed after it was made.

    Attributes
    ----------
    version : int
        Updates that have landed.
    weights, target : dict of str to Tensor
        Of the network, and of the target network as it was at this version.
    """

    version: int
    weights: Weights
    target: Weights


@dataclass(frozen=True)
class Gradient:
    """A gradient that may land whenever its time has come.

    Attributes
    ----------
    version : int
        Of the parameters that it was computed on.
    values : dict of str to Tensor
        Of the mean loss, not clipped yet.
    loss : float
    rows, losses : int64 and float32, shape (n,)
        Which transitions it was computed from, and what each of them would have as a new priority.
    """

    version: int
    values: Weights
    loss: float
    rows: NDArray[np.int64]
    losses: NDArray[np.float32]


def merged(gradients: Sequence[Gradient]) -> Gradient:
    """One gradient of the batches of several learners together: what parallel learning applies.

    The mean of the gradients of equally large batches is the gradient of the one large batch.

    Raises
    ------
    InvalidValue
        If there is none.
    """
    if not gradients:
        raise InvalidValue("no gradients to merge; give one per learner")
    names = gradients[0].values
    return Gradient(
        min(g.version for g in gradients),
        {name: torch.stack([g.values[name] for g in gradients]).mean(dim=0) for name in names},
        sum(g.loss for g in gradients) / len(gradients),
        np.concatenate([g.rows for g in gradients]),
        np.concatenate([g.losses for g in gradients]),
    )


class Learner(ABC):
    """A learner of action values.

    Parameters
    ----------
    settings : Settings
    observation : tuple of int
        Shape of an observation.
    dtype : numpy dtype
        Of an observation.
    actions : int
    seed : int, >= 0
        Of the weights, the actions, the batches and the noise.
    device : str
        Where the network computes; the replay memory stays in main memory.
    memory_file : str or Path, optional
        Where the replay memory lies; by default in RAM, and then there are no checkpoints.
    spare : int
        Places of the memory written at most between two checkpoints.
    memory_token : str
        Of a memory file that exists; see :func:`rtsim.learning.checkpoint.load`.

    Notes
    -----
    On one machine, with one version of torch and one number of threads, the same seed gives the
    same numbers bit for bit on the CPU.
    """

    def __init__(
        self,
        settings: Settings,
        observation: tuple[int, ...],
        dtype: Any,
        actions: int,
        seed: int = 0,
        device: str = "cpu",
        memory_file: str | Path | None = None,
        spare: int = 0,
        memory_token: str = "",
    ) -> None:
        self.settings, self.seed, self.actions = settings, seed, actions
        self.device = torch.device(device)
        self.architecture = Architecture(settings.network, actions, tuple(observation), **self._head())
        self.network = self.architecture.build(seed).to(self.device).train()
        if self.device.type == "cpu":
            quicken_pooling(self.network)
        self._live: Weights = {name: p.detach().clone() for name, p in self.network.named_parameters()}
        self._target: Weights = {name: w.clone() for name, w in self._live.items()}
        self._bound: Weights | None = None
        self._slots = _unbound(self.network)
        self.optimiser = _optimiser(list(self._live.values()), settings)
        self.version = 0
        self.samples = 0
        self.decisions = 0
        self._parameters: Parameters | None = None
        self.memory = self._memory(dtype, memory_file, spare, memory_token)

    def _head(self) -> dict[str, Any]:
        """What distinguishes the network's head from a plain one."""
        return {}

    def _memory(self, dtype: Any, path: str | Path | None, spare: int, token: str) -> Memory:
        s = self.settings
        common = (s.capacity, self.architecture.observation, dtype, path, spare, token)
        if s.algorithm == "rainbow":
            return Prioritised(*common, alpha=s.alpha)
        if s.memory == "reservoir":
            return Reservoir(*common, seed=self.seed)
        return Recent(*common)

    @property
    def parameters(self) -> Parameters:
        """The present version, to be kept as long as anyone needs it."""
        if self._parameters is None:
            weights = {name: w.clone() for name, w in self._live.items()}
            self._parameters = Parameters(self.version, weights, self._target)
        return self._parameters

    def act(
        self,
        observation: NDArray[Any],
        parameters: Parameters | None = None,
        decision: int | None = None,
        explore: bool | None = None,
    ) -> int:
        """An action for one observation.

        Parameters
        ----------
        observation : array of the environment's shape and dtype
        parameters : Parameters, optional
            The version that this inference uses; by default the present one.
        decision : int, optional
            Which decision of the training it is: the random numbers and ε depend on it. By default the next one.
        explore : bool, optional
            Whether the action is random, where a Schedule has drawn that; by default with probability ε.

        Returns
        -------
        int, 0 <= action < actions
        """
        if decision is None:
            decision = self.decisions
            self.decisions += 1
        chance = generator(self.seed, ACTION, decision)
        if explore is None:
            explore = chance.random() < self.settings.exploration(decision)
        if explore:
            return int(chance.integers(self.actions))
        if self.architecture.noisy:
            self.network.set_noise(generator(self.seed, NOISE_ACTING, decision))
        return self.best(observation, parameters)

    @torch.no_grad()
    def best(self, observation: NDArray[Any], parameters: Parameters | None = None) -> int:
        """The action of highest value, under the noise drawn last."""
        values = self._forward((parameters or self.parameters).weights, observation[None])
        return int(values.argmax(dim=1).item())

    def sample(self, data_step: int | None = None) -> Batch:
        """A batch of the transitions that existed when ``data_step`` of them had been appended; by default all.

        Raises
        ------
        InvalidValue
            If there were none.
        """
        index = self.samples
        if isinstance(self.memory, Prioritised):
            self.memory.beta = self.settings.beta_at(self.memory.appended)
        s = self.settings
        batch = self.memory.sample(
            s.batch, generator(self.seed, SAMPLE, index), s.discount, limit=data_step, steps=s.steps
        )
        if batch.actions.min() < 0 or batch.actions.max() >= self.actions:
            raise FileProblem(f"the replay memory {str(self.memory.path)!r} is damaged: it holds actions that are none")
        self.samples += 1
        return replace(batch, index=index)

    def gradient(self, parameters: Parameters, batch: Batch) -> Gradient:
        """The gradient of the mean weighted loss at one version of the parameters.

        Raises
        ------
        NoConvergence
            If the loss is not finite.
        """
        weights = {name: w.detach().requires_grad_() for name, w in parameters.weights.items()}
        with _kernels(for_many=not self.architecture.narrow):
            losses, priorities = self._losses(weights, parameters.target, batch)
            loss = (losses * self._tensor(batch.weights)).mean()
            value = float(loss.detach())
            if not math.isfinite(value):
                raise self._diverged("loss", value)
            found = torch.autograd.grad(loss, list(weights.values()))
        return Gradient(
            parameters.version,
            dict(zip(weights, found, strict=True)),
            value,
            batch.rows,
            priorities.detach().cpu().numpy(),
        )

    @abstractmethod
    def _losses(self, weights: Weights, target: Weights, batch: Batch) -> tuple[Tensor, Tensor]:
        """Losses and new priorities, float, shape (n,) each."""

    def apply(self, gradient: Gradient) -> int:
        """Land a gradient on the present parameters, whichever it was computed on; the new version.

        Raises
        ------
        NoConvergence
            If it is not finite. The parameters stay as they were.
        """
        for name, weight in self._live.items():
            weight.grad = gradient.values[name].clone()
        norm = float(torch.nn.utils.clip_grad_norm_(self._live.values(), self.settings.gradient_norm))
        if not math.isfinite(norm):
            raise self._diverged("gradient", norm)
        self.optimiser.step()
        self.version += 1
        self._parameters = None
        if self.version % self.settings.target_every == 0:
            self._target = {name: w.detach().clone() for name, w in self._live.items()}
        if isinstance(self.memory, Prioritised):
            self.memory.prioritise(gradient.rows, gradient.losses)
        return self.version

    def _diverged(self, what: str, value: float) -> NoConvergence:
        return NoConvergence(
            f"{what} {value} at update {self.version + 1}: learning diverged; the last checkpoint is as it was. "
            f"Give a learning rate below {self.settings.learning_rate:g}, or check the rewards"
        )

    def _tensor(self, array: NDArray[Any]) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(array)).to(self.device)

    def _forward(self, weights: Weights, observations: NDArray[Any], logits: bool = False) -> Tensor:
        """The network's output with some version of its weights."""
        if weights is not self._bound:
            for name, (module, attribute) in self._slots.items():
                module.__dict__[attribute] = weights[name]
            self._bound = weights
        result: Tensor = self.network(self._tensor(observations), logits)
        return result

    def _new_noise(self, batch: Batch, which: int) -> None:
        if self.architecture.noisy:
            self.network.set_noise(generator(self.seed, NOISE_LEARNING, 2 * batch.index + which))

    def adopt(self, parameters: Parameters, moments: tuple[Weights, Weights]) -> None:
        """Go on from parameters that lie elsewhere, and in place: :meth:`apply` changes them there.

        Parameters
        ----------
        parameters : Parameters
            Its weights are those that change; its target is replaced by another, never changed.
        moments : two dicts of str to Tensor
            Adam's running means of the gradient and of its square, which change with the weights.
        """
        for name, live in self._live.items():
            live.data = parameters.weights[name]
            self.optimiser.state[live] = {
                "step": torch.tensor(float(parameters.version)),
                "exp_avg": moments[0][name],
                "exp_avg_sq": moments[1][name],
            }
        self._target, self.version, self._parameters = parameters.target, parameters.version, None

    @property
    def moments(self) -> tuple[Weights, Weights]:
        """Adam's running means of the gradient and of its square, as :meth:`adopt` takes them; zeros at first."""
        mean, square = (
            {name: self.optimiser.state.get(w, {}).get(kept, torch.zeros_like(w)) for name, w in self._live.items()}
            for kept in ("exp_avg", "exp_avg_sq")
        )
        return mean, square

    @property
    def target(self) -> Weights:
        """The target network's weights, to be kept as long as anyone needs them."""
        return self._target

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of each of the weights by name."""
        return {name: tuple(w.shape) for name, w in self._live.items()}

    def state(self) -> dict[str, Any]:
        """All that a checkpoint keeps of the learner, tensors and numbers; without the memory."""
        return {
            "weights": {name: w.detach().clone() for name, w in self._live.items()},
            "target": dict(self._target),
            "optimiser": self.optimiser.state_dict(),
            "counters": {"version": self.version, "samples": self.samples, "decisions": self.decisions},
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to :meth:`state`.

        Raises
        ------
        InvalidValue
            If the weights are those of another network.
        """
        for mine, other in ((self._live, state["weights"]), (self._target, state["target"])):
            if mine.keys() != other.keys() or any(mine[name].shape != other[name].shape for name in mine):
                raise InvalidValue("the weights are those of another network")
        with torch.no_grad():
            for name, weight in self._live.items():
                weight.copy_(state["weights"][name])
        self._target = {name: w.to(self.device, copy=True) for name, w in state["target"].items()}
        self.optimiser.load_state_dict(state["optimiser"])
        for name, value in state["counters"].items():
            setattr(self, name, int(value))
        self._parameters = None


def _optimiser(weights: list[Tensor], settings: Settings) -> torch.optim.Optimizer:
    common: dict[str, Any] = {"lr": settings.learning_rate, "eps": settings.adam_epsilon}
    if settings.optimiser == "rmsprop":
        return torch.optim.RMSprop(weights, alpha=0.95, centered=True, **common)
    # Fused: one kernel for all weights, a third of the time for small networks.
    return torch.optim.Adam(weights, fused=True, **common)


@contextmanager
def _kernels(for_many: bool) -> Iterator[None]:
    """Convolutions for many channels, or torch's plain ones."""
    onednn: Any = torch.backends.mkldnn
    before = onednn.enabled
    onednn.enabled = before and for_many
    try:
        with torch.backends.nnpack.flags(enabled=for_many):
            yield
    finally:
        onednn.enabled = before


def _unbound(network: nn.Module) -> dict[str, tuple[nn.Module, str]]:
    """Take a network's weights out, so that any version can be put in, and say where each of them belongs.

    What ``torch.func.functional_call`` does for every call, done once: for small networks half of a call's time.
    """
    slots = {}
    for prefix, module in network.named_modules():
        for attribute, _ in list(module.named_parameters(recurse=False)):
            slots[f"{prefix}.{attribute}".lstrip(".")] = (module, attribute)
            delattr(module, attribute)
    return slots
