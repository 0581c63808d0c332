"""What an environment charges: for steps left to the default policy, and for actions that come late.

Regret per step is told in these two parts, given the share q of steps left to the default policy and the distribution
of delays on the others. An environment is known by its stochasticity alone (a worst case), by a measured delay curve,
or as a tabular MDP (:mod:`rtsim.planning.tabular`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from rtsim.delay_curve import DelayCurve
from rtsim.errors import InvalidValue
from rtsim.theory.inputs import not_negative, probability

Floats = NDArray[np.float64]


class Parts(NamedTuple):
    """Regret per environment step, in units of reward: on steps of the default policy, and on those of the agent."""

    inaction: float
    delay: float

    @property
    def total(self) -> float:
        """Both together."""
        return self.inaction + self.delay


class Environment(Protocol):
    """What :func:`rtsim.planning.plan` asks of an environment."""

    @property
    def name(self) -> str:
        """What it is, in a few words."""
        ...

    @property
    def source(self) -> str:
        """``"closed form"`` or ``"numerical"``: how :meth:`parts` comes about."""
        ...

    def parts(self, inaction: float, delays: Floats) -> Parts:
        """Regret per step at this inaction fraction, with ``delays`` the probabilities of 0, 1, 2, … steps."""
        ...

    def least(self, shares: Floats) -> Parts:
        """What no rule can beat if at most ``shares`` of all steps can use actions 0, 1, … steps late or later."""
        ...

    @property
    def default_cost(self) -> float:
        """Cost per step of never acting."""
        ...


def added_up(shares: Floats, charged: Floats, default_cost: float) -> Parts:
    """:meth:`Environment.least` where costs add up step by step.

    Every action is charged the least that its delay or a longer one costs, ``charged`` for 0, 1, … steps; where that is
    more than a default step costs, none is used.

    >>> added_up(np.array([0.0, 0.5]), np.array([0.0, 0.1]), 1.0)
    Parts(inaction=0.5, delay=0.05)
    """
    late = np.minimum(np.minimum.accumulate(charged[::-1])[::-1], default_cost)
    return Parts((1.0 - float(shares.sum())) * default_cost, float(shares @ late))


class StepByStep(ABC):
    """An environment whose costs add up: every default step, and every action by its delay, costs the same wherever."""

    @property
    @abstractmethod
    def default_cost(self) -> float:
        """Reward lost on a default step."""

    @abstractmethod
    def charged(self, longest: int) -> Floats:
        """Cost per step of an action 0, 1, …, ``longest`` steps late; float64, shape (longest + 1,)."""

    def parts(self, inaction: float, delays: Floats) -> Parts:
        """Regret per step; see :class:`Environment`."""
        late = float(delays @ self.charged(len(delays) - 1))
        return Parts(inaction * self.default_cost, (1.0 - inaction) * late)

    def least(self, shares: Floats) -> Parts:
        """What no rule can beat; see :class:`Environment`."""
        return added_up(shares, self.charged(len(shares) - 1), self.default_cost)


@dataclass(frozen=True)
class WorstCase(StepByStep):
    """The worst environment of a given stochasticity: q · c + (1 − q) · E[1 − p_minimax^k] per step.

    Equations 3 and 4 of Riemer et al. 2025, Theorem 1, per environment step, for rewards in 0..1: every default step
    costs c = 1, an action k steps late 1 − p_minimax^k. No environment of this p_minimax charges more for delay to a
    policy that knows its pending actions, but many charge less.

    Attributes
    ----------
    p_minimax : float
        E.g. of :func:`rtsim.theory.p_minimax`; with its labels, the tighter version of App. B.2.
    cost : float
        c, reward lost on a default step.

    >>> world = WorstCase(0.9)
    >>> tuple(round(x, 3) for x in world.parts(0.5, np.array([0.0, 0.0, 1.0])))
    (0.5, 0.095)
    """

    p_minimax: float
    cost: float = 1.0

    def __post_init__(self) -> None:
        probability(p_minimax=self.p_minimax)
        not_negative(default_cost=self.cost)

    @property
    def name(self) -> str:
        return f"worst case of p_minimax {self.p_minimax:g}"

    source = "closed form"

    @property
    def default_cost(self) -> float:
        return self.cost

    def charged(self, longest: int) -> Floats:
        return np.asarray(1.0 - self.p_minimax ** np.arange(longest + 1, dtype=np.float64))


@dataclass(frozen=True)
class Measured(StepByStep):
    """An environment known by its delay curve: q · c + (1 − q) · E[reward lost at delay k] per step.

    Rewards are taken to be lost step by step: what a default step or a late action spoils for later steps is in the
    curve as far as all of its steps are alike, and not otherwise.

    Attributes
    ----------
    curve : DelayCurve
    cost : float or None
        c, reward lost on a default step; by default the undelayed reward less the default policy's, as the curve
        has them.

    Raises
    ------
    InvalidValue
        If neither says what a default step costs.

    >>> from rtsim.delay_curve import Point
    >>> curve = DelayCurve((Point(0, 1.0), Point(4, 0.6)), env="demo", default_reward=0.2)
    >>> tuple(round(x, 3) for x in Measured(curve).parts(0.5, np.array([0.0, 0.0, 1.0])))
    (0.4, 0.1)
    """

    curve: DelayCurve
    cost: float | None = None

    def __post_init__(self) -> None:
        if self.cost is not None:
            not_negative(default_cost=self.cost)
        elif self.curve.default_reward is None:
            raise InvalidValue(
                "the delay curve does not say what the default policy earns, so no cost of inaction is known; "
                "give --default-cost, the reward lost on a step left to the default policy"
            )
        if self.curve.constant and self.default_cost == 0:
            raise InvalidValue(
                f"{self.name} is flat, {self.curve.points[0].reward_per_step:g} per step at every delay and under the "
                "default policy: it tells no rule from another; measure a reward that late actions cost"
            )

    @property
    def name(self) -> str:
        return f"delay curve of {self.curve.env or 'an environment'}"

    source = "numerical"

    @property
    def default_cost(self) -> float:
        if self.cost is not None:
            return self.cost
        assert self.curve.default_reward is not None
        return self.curve.points[0].reward_per_step - self.curve.default_reward

    def charged(self, longest: int) -> Floats:
        return self.curve.lost(np.arange(longest + 1))

    def weights(self, inaction: float, delays: Floats) -> Floats:
        """How much of each point's reward, and of the default policy's, is earned; float64, shape (points + 2,).

        The last is by how much a smooth curve would give another reward than straight lines; its width is 1.
        """
        used = 1.0 - inaction
        found = np.array([*used * self.curve.weights(delays), inaction, used * self.curve.bend(delays)])
        if self.cost is not None:  # the default policy is then known to earn so much less than the first point
            found[0], found[-2] = found[0] + inaction, 0.0
        return found

    def uncertainty(self, weights: Floats, than: Floats | None = None) -> float | None:
        """Half width of the 95 % interval of the regret per step that the curve's own intervals leave.

        Points are independent measurements: intervals add in squares, each as often as its point is used, and so does
        what a smooth curve through the points would say otherwise than straight lines.

        Parameters
        ----------
        weights : float64, shape (points + 2,)
            Of :meth:`weights`.
        than : float64, shape (points + 2,), optional
            Of what the regret is compared with: then the interval is that of the difference. By default no delay.

        Returns
        -------
        float or None
            None without intervals.

        >>> from rtsim.delay_curve import Point
        >>> world = Measured(DelayCurve((Point(0, 1.0, 0.0), Point(4, 0.6, 0.1)), default_reward=0.2))
        >>> late, later = world.weights(0.0, np.eye(5)[2]), world.weights(0.0, np.eye(5)[4])
        >>> [round(world.uncertainty(later, than), 3) for than in (None, late, later)]
        [0.1, 0.05, 0.0]
        """
        if (widths := self.curve.widths) is None:
            return None
        widths = np.append(widths, 1.0)
        undelayed = np.eye(len(widths))[0]
        return float(np.linalg.norm((weights - (undelayed if than is None else than)) * widths))
