"""How many learners a plan needs."""

from __future__ import annotations

from dataclasses import dataclass

from rtsim import theory
from rtsim.scenario import Scenario


@dataclass(frozen=True)
class Learning:
    """How many learners it takes to learn from every transition.

    Attributes
    ----------
    required_learners : int
        ⌈τ̄_L/(B τ_M)⌉ (Riemer et al. 2025, Question 4).
    learners : int
        As many as the budget has of them.
    transitions_per_step : float
        Transitions learned from per environment step with these, at most 1.
    updates_per_s : float or None
        None if updates take no time.
    """

    required_learners: int
    learners: int
    transitions_per_step: float
    updates_per_s: float | None
    source: str = "closed form"

    @classmethod
    def of(cls, base: Scenario, budget: int | None) -> Learning | None:
        """Learners for these times, at most ``budget`` of them; None if no learning time is given.

        >>> Learning.of(Scenario("max_time", "84ms", learning_time="0.5s", step_time=0.02, batch=16), 1)
        Learning(required_learners=2, learners=1, transitions_per_step=0.64, updates_per_s=2.0, source='closed form')
        """
        if base.learning_time is None:
            return None
        needed = theory.required_learners(base.learning_time.mean, base.batch, base.step_mean)
        given = min(needed, budget or needed)
        if base.learning_time.mean == 0:
            return cls(needed, given, 1.0, None)
        per_second = given / base.learning_time.mean
        return cls(needed, given, min(per_second * base.batch * base.step_mean, 1.0), per_second)
