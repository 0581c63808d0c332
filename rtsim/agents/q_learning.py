"""Tabular Q-learning: optimistic, and ε-greedy."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from rtsim.agents import kernel
from rtsim.agents.lessons import Credit, Lessons, inside, one_of, reward_range
from rtsim.agents.world import Draws, Floats, Ints, Trajectory, solved
from rtsim.errors import InvalidValue
from rtsim.mdps import TabularMDP


@dataclass(frozen=True)
class QUCB:
    """Q-learning with an upper confidence bonus, for average reward.

    Optimistic Q-learning of Wei et al. 2020 (Algorithm 1), the continuing form of Jin et al. 2018 (Algorithm 1, step
    size (H + 1)/(H + n), bonus of Hoeffding type): with discount γ = 1 − 1/H, the n-th visit of (s, a) sets

        Q(s, a) ← Q(s, a) + α_n (r + γ V(s') + b_n − Q(s, a)),    b_n = bonus · span · √(H ln(2T/δ)/n)

    the value acted on is the least Q(s, a) so far, and V its maximum over actions. Rewards are scaled to 0..1.

    Equally good actions are equally likely: at first all are, and the bonuses keep them so for some visits. An update
    computes r + γ V(s') with the parameters it read when it began; the entry Q(s, a) itself is moved from what it is at
    the landing, because an entry read long ago would be subtracted several times, which diverges for step sizes near 1.

    Attributes
    ----------
    horizon : float, optional
        H >= 2. By default min{√(span·T/(S A)), (T/(S A ln(4T/δ)))^(1/3)}, at least 2 (ibid., Section 4), with T
        the number of the agent's actions in the Schedule.
    span : float, optional
        Largest difference of optimal biases, in scaled rewards, which the algorithm is supposed to know; by
        default the true one.
    bonus : float
        The constant that Jin et al. leave open. 1, by default, is Hoeffding's inequality for the weighted mean of n
        values within one span, whose squared weights sum to at most 2H/n (Jin et al. 2018, Lemma 4.1). Wei et al.
        take 4: Azuma's inequality, and values that differ by twice the span. Until n reaches about
        (bonus · span)² H ln(2T/δ), all values stay at their maximum H, and exploration is uniform; so smaller
        constants than the proof needs (0.1 or less) do better in all but very long runs.
    confidence : float
        δ, in 0 < δ < 1.
    reward_range : tuple of float, optional
        Lowest and highest reward; by default 0..1 if the agent's expected rewards lie there, else their range.
    credit : {"observation", "state"}
        What an action is credited to. ``"observation"``: the observed state it was computed from; it leads to the
        observation of the agent's next action, with all rewards until that is applied, divided by the mean
        number of steps between actions. This is what happens in the delayed semi-MDP in which the agent
        really acts (Riemer et al. 2025, Definition 1). ``"state"``: the state in which it was applied, and
        the transition of that one step, as if the delay were known. The default policy's own transitions are not
        learned from: it has actions of its own.
    every_step : bool
        Learn from each lesson as soon as the observation that completes it is there, in no time, whatever updates the
        Schedule has. On an undelayed Schedule this is the sequential loop of the textbooks.

    Examples
    --------
    >>> from rtsim import mdps
    >>> from rtsim.rollout import rollout, undelayed
    >>> found = rollout(mdps.of("forward(states=3)"), QUCB(horizon=10, bonus=0.1, every_step=True), undelayed(10_000))
    >>> float(found.rewards[-5_000:].mean()) > 0.9
    True
    """

    horizon: float | None = None
    span: float | None = None
    bonus: float = 1.0
    confidence: float = 0.05
    reward_range: tuple[float, float] | None = None
    credit: Credit = "observation"
    every_step: bool = False

    def __post_init__(self) -> None:
        if self.horizon is not None:
            inside(self.horizon, "horizon", 2, 1e12)
        if self.span is not None:
            inside(self.span, "span", 0, 1e9)
        inside(self.bonus, "bonus", 0, 1e9)
        inside(self.confidence, "confidence", 0, 1, open_low=True, open_high=True)
        one_of(self.credit, "credit", "observation", "state")

    def run(self, draws: Draws) -> Trajectory:
        """All steps of a Schedule."""
        mdp = draws.world.mdp
        lessons = Lessons.of(draws.schedule, self.credit, self.every_step)
        low, scale = reward_range(mdp, self.reward_range)
        span = float(np.ptp(solved(mdp).bias)) * scale if self.span is None else self.span
        horizon = self._horizon(mdp, max(lessons.count, 1), span)
        width = math.sqrt(horizon * math.log(2 * max(lessons.count, 1) / self.confidence))
        bonus = self.bonus * span * width
        knobs = np.array([low, scale, 1 - 1 / horizon, horizon, 0.0, bonus, 1 / lessons.interval])
        settings = np.array([int(lessons.by_observation), 1, 0], dtype=np.int64)
        return _learn(draws, lessons, np.empty(0, dtype=np.int64), settings, knobs, horizon)

    def _horizon(self, mdp: TabularMDP, steps: int, span: float) -> float:
        if self.horizon is not None:
            return float(self.horizon)
        pairs = mdp.states * mdp.actions
        of_proof = steps / (pairs * math.log(4 * steps / self.confidence))
        return max(2.0, min(math.sqrt(span * steps / pairs), math.cbrt(of_proof)))


@dataclass(frozen=True)
class EpsilonGreedyQ:
    """Discounted Q-learning that explores with probability ε.

    Watkins 1989: Q(s, a) ← Q(s, a) + α (r + γ max_b Q(s', b) − Q(s, a)). Whether an inference explores, and which
    action, is drawn once for it. Equally good actions are equally likely.

    Attributes
    ----------
    epsilon : float or tuple
        Probability to explore; or (first, last, steps): annealed linearly over so many steps of the observation, as
        in Riemer et al. 2025, Section 5.
    component : int, optional
        Explore exactly where the Schedule says that this component of a mixture law was drawn, instead of
        ``epsilon``: a random action takes no inference, and the clock knew when one was taken.
    step_size : float
        α, in 0 < α <= 1; or 0 for 1/n at the n-th visit.
    discount : float
        γ, in 0 <= γ < 1.
    initial : float
        All values at first; rewards as they are.
    stale : {"target", "change"}
        What an update reads when it begins: ``"target"`` r + γ max Q(s', ·), and the entry is moved towards it from
        where it is at the landing; ``"change"`` the entry too, so that a change computed on old parameters is
        added, as for delayed gradients (Langford et al. 2009). That diverges where several updates of one entry with
        large step sizes are under way.
    credit, every_step
        As for :class:`QUCB`.

    Examples
    --------
    >>> from rtsim import mdps
    >>> from rtsim.rollout import rollout, undelayed
    >>> found = rollout(mdps.of("forward(states=3)"), EpsilonGreedyQ(every_step=True), undelayed(10_000))
    >>> float(found.rewards[-5_000:].mean()) > 0.8
    True
    """

    epsilon: float | tuple[float, float, float] = 0.1
    component: int | None = None
    step_size: float = 0.1
    discount: float = 0.99
    initial: float = 0.0
    stale: str = "target"
    credit: Credit = "observation"
    every_step: bool = False

    def __post_init__(self) -> None:
        epsilon = self.epsilon
        if isinstance(epsilon, tuple):
            if len(epsilon) != 3:
                raise InvalidValue("epsilon must be one number, or (first, last, steps)")
            inside(epsilon[2], "steps of epsilon", 1, 1e18)
        for share in epsilon[:2] if isinstance(epsilon, tuple) else (epsilon,):
            inside(share, "epsilon", 0, 1)
        inside(self.discount, "discount", 0, 1, open_high=True)
        inside(self.step_size, "step_size", 0, 1)
        inside(self.initial, "initial", -1e300, 1e300)
        one_of(self.stale, "stale", "target", "change")
        one_of(self.credit, "credit", "observation", "state")

    def run(self, draws: Draws) -> Trajectory:
        """All steps of a Schedule."""
        lessons = Lessons.of(draws.schedule, self.credit, self.every_step)
        knobs = np.array([0.0, 1.0, self.discount, 0.0, self.step_size, 0.0, 1 / lessons.interval])
        settings = np.array([int(lessons.by_observation), 0, int(self.stale == "change")], dtype=np.int64)
        return _learn(draws, lessons, self._explored(draws), settings, knobs, self.initial)

    def _explored(self, draws: Draws) -> Ints:
        """The action to explore on each step, -1 for none."""
        steps, actions = draws.schedule.steps, draws.world.mdp.actions
        if self.component is not None:
            share = (steps["component"] == self.component).astype(np.float64)
        elif isinstance(self.epsilon, tuple):
            first, last, over = self.epsilon
            share = first + (last - first) * np.minimum(np.maximum(steps["observation"], 0) / over, 1.0)
        else:
            share = np.full(len(draws.schedule), self.epsilon)
        drawn = draws.of_inferences()
        with np.errstate(divide="ignore", invalid="ignore"):
            action = np.minimum(drawn / share * actions, actions - 1)
        return np.where(drawn < share, action, -1).astype(np.int64)


def _learn(draws: Draws, lessons: Lessons, explored: Ints, settings: Ints, knobs: Floats, initial: float) -> Trajectory:
    mdp, found = draws.world.mdp, Trajectory.begin(draws)
    pairs = mdp.states * mdp.actions
    tables = (
        np.full(pairs, initial),
        np.full(pairs, initial),
        np.full(mdp.states, initial),
        np.zeros(mdp.states, dtype=np.int64),
        np.full(mdp.states, mdp.actions, dtype=np.int64),
        np.zeros(pairs, dtype=np.int64),
    )
    before = (*draws.world.arrays, *draws.of_steps, lessons.observation, explored, draws.between_equals())
    after = (settings, knobs, *tables, *found.arrays)
    if lessons.arrays is None:
        kernel.loop("q_at_once")(*before, *after)
    else:
        found.actions[:] = -1
        scratch = np.zeros(lessons.count), np.zeros(lessons.count)
        kernel.loop("q_as_landed")(*before, *lessons.arrays, *scratch, *after)
    return found
