"""The learners: DQN, and Rainbow."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from rtsim.learning.learner import Learner, Weights
from rtsim.learning.memory import Batch
from rtsim.learning.settings import Settings

#: Added to a loss to make a priority, so that no transition is lost for ever (Schaul et al. 2016, Sec. 3.3).
LEAST_PRIORITY = 1e-6


class DQN(Learner):
    """Deep Q-network (Mnih et al. 2015): smooth L1 of r + γ max_a Q'(s', a) − Q(s, a), Q' the target network."""

    def _losses(self, weights: Weights, target: Weights, batch: Batch) -> tuple[Tensor, Tensor]:
        with torch.no_grad():
            best = self._forward(target, batch.following).amax(dim=1)
            goal = self._tensor(batch.rewards) + self._tensor(batch.discounts) * best
        values = self._forward(weights, batch.observations)
        value = values.gather(1, self._tensor(batch.actions)[:, None]).squeeze(1)
        losses = functional.smooth_l1_loss(value, goal, reduction="none")
        return losses, (value - goal).abs() + LEAST_PRIORITY


class Rainbow(Learner):
    """Rainbow (Hessel et al. 2018): double, duelling, n-step, prioritised, noisy and distributional.

    The loss is the Kullback-Leibler divergence from the projected distribution of n-step returns, which
    is the priority, too (ibid., Sec. "The Integrated Agent").
    """

    def _head(self) -> dict[str, Any]:
        s = self.settings
        return {"duelling": True, "noisy": True, "atoms": s.atoms, "low": float(s.low), "high": float(s.high)}

    def _losses(self, weights: Weights, target: Weights, batch: Batch) -> tuple[Tensor, Tensor]:
        returns = self.network.returns
        rows = torch.arange(len(batch), device=self.device)
        with torch.no_grad():
            self._new_noise(batch, 1)
            following = self._forward(target, batch.following, logits=True).softmax(dim=2)
            self._new_noise(batch, 0)
            best = self._forward(weights, batch.following).argmax(dim=1)
            goal = project(following[rows, best], self._tensor(batch.rewards), self._tensor(batch.discounts), returns)
        logits = self._forward(weights, batch.observations, logits=True)
        chosen = logits[rows, self._tensor(batch.actions)].log_softmax(dim=1)
        losses = (torch.xlogy(goal, goal) - goal * chosen).sum(dim=1)
        return losses, losses.clamp(min=0) + LEAST_PRIORITY


def project(probabilities: Tensor, rewards: Tensor, discounts: Tensor, returns: Tensor) -> Tensor:
    """The distribution of r + γz, moved to the nearest of the returns that there are.

    Source: Bellemare et al. 2017, Eq. 7: what falls between two returns is shared between them, nearer is more.

    Parameters
    ----------
    probabilities : float, shape (n, atoms)
        Of z.
    rewards, discounts : float, shape (n,)
    returns : float, shape (atoms,), equally spaced and rising

    Returns
    -------
    float, shape (n, atoms)

    >>> p = torch.tensor([[0.0, 1.0, 0.0]])
    >>> project(p, torch.tensor([0.25]), torch.tensor([1.0]), torch.tensor([0.0, 1.0, 2.0])).tolist()
    [[0.0, 0.75, 0.25]]
    """
    moved = (rewards[:, None] + discounts[:, None] * returns).clamp(float(returns[0]), float(returns[-1]))
    step = (returns[-1] - returns[0]) / (len(returns) - 1)
    shares = (1 - (moved[:, :, None] - returns).abs() / step).clamp(min=0)
    return (probabilities[:, :, None] * shares).sum(dim=1)


AGENTS: dict[str, type[Learner]] = {"dqn": DQN, "rainbow": Rainbow}


def make(settings: Settings, *args: Any, **kwargs: Any) -> Learner:
    """The learner that the settings name; further arguments as for :class:`~rtsim.learning.learner.Learner`.

    >>> learner = make(Settings(network="mlp(8)", capacity=10), (4,), "float32", actions=2)
    >>> type(learner).__name__, learner.parameters.version
    ('DQN', 0)
    """
    return AGENTS[settings.algorithm](settings, *args, **kwargs)
