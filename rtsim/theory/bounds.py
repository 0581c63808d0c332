"""The first paper's regret bounds as functions, and what they are exactly where that is known.

Regret is in units of reward. Bounds that the papers give up to a constant are returned with the constant 1; the
docstring says which are attained.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

from rtsim.errors import InvalidValue
from rtsim.theory.inaction import capacity_limit, ceil_ratio
from rtsim.theory.inputs import count, not_negative, positive, probability

Delays = int | Sequence[float] | NDArray[np.float64]


def learning_regret(time: float, interaction_time: float, actions: int = 1, chunk: int = 1) -> float:
    """Equation 2: the learning regret's lower bound grows like √(τ/τ̄_I).

    Riemer et al. 2025, Theorem 1, Eq. 2, after Jaksch et al. 2010, Theorem 5, whose Ω(√(D·S·A·T)) also grows with the
    number of actions. The constant is 1, for rewards in 0..1. It is about the worst MDP for each time: on any single
    one a good learner's regret ends up growing like ln τ (``theory/equation_2.py``).

    A policy that chooses k actions at once chooses among |A|^k, so that the bound grows by √(|A|^k) (ibid., App. B.5,
    whose formula prints √τ |A|/τ̄_I; its next words, and Jaksch et al., have |A| under the root and the time in
    actions), if a chunk is learned as one of |A|^k unrelated actions; a learner that credits each action with
    its own step has |A| of them to learn, whatever k is (``theory/b5_chunking_learning.py``).

    Parameters
    ----------
    time, interaction_time : float
        τ and mean time between the agent's actions, seconds.
    actions : int
        |A|; 1 leaves it out, as Equation 2 does.
    chunk : int
        k.

    >>> learning_regret(400.0, 0.04), learning_regret(400.0, 0.04, actions=4, chunk=2)
    (100.0, 400.0)
    """
    not_negative(time=time)
    positive(interaction_time=interaction_time)
    actions, chunk = count(actions, "actions"), count(chunk, "chunk")
    try:
        found = math.sqrt(time / interaction_time) * math.pow(actions, chunk / 2)
    except OverflowError:
        found = math.inf
    if found == math.inf:
        raise InvalidValue(f"learning regret of {actions}^{chunk} actions at once is beyond all doubles; use fewer")
    return found


def inaction_regret(time: float, interaction_time: float, step: float, largest_reward: float = 1.0) -> float:
    """Equation 3: τ/τ̄_I · (τ̄_I − τ̄_M)/τ̄_M steps without an action, each said to cost at most the largest reward.

    Riemer et al. 2025, Theorem 1, Eq. 3. Attained, with equality in expectation, by :func:`rtsim.mdps.inaction`. As
    an upper bound it counts only what is not earned on the default steps themselves, not what they spoil for later:
    see :func:`pit_inaction_regret`.

    Parameters
    ----------
    time, interaction_time, step : float
        τ, mean time between the agent's actions, mean step time, seconds.
    largest_reward : float
        r_max, the largest reward of a step where the smallest is 0; else their difference, as regret does not change
        with what every step pays alike.

    >>> inaction_regret(10.0, 0.2, 0.1)
    50.0
    """
    not_negative(time=time, largest_reward=largest_reward)
    positive(interaction_time=interaction_time, step=step)
    return largest_reward * time / interaction_time * max(interaction_time - step, 0.0) / step


def pit_inaction_regret(depth: int, inaction: float) -> float:
    """Regret per step on :func:`rtsim.mdps.pit` if each step is a default step with probability q: 1 − (1 − q)^depth.

    About depth·q for small q, where Equation 3's upper bound (Riemer et al. 2025) is q times the largest reward, 1.
    Nothing is left to learn, there is no delay, and the world is deterministic, so no other term of Theorem 1 can pay
    the difference. What does bound the cost of a default step is the largest gap, one reward plus the span of the
    bias (ours).

    Parameters
    ----------
    depth : int
    inaction : float
        q.

    >>> round(pit_inaction_regret(50, 0.01), 3)
    0.395
    """
    probability(inaction=inaction)
    return 1.0 - (1.0 - inaction) ** count(depth, "depth")


def sequential_inaction_rate(inference: float, step: float, largest_reward: float = 1.0) -> float:
    """Remark 1: with sequential interaction the inaction regret per second is (τ̄_θ − τ̄_M)/(τ̄_M τ̄_θ), for ever.

    Riemer et al. 2025, Remark 1 and App. B.3.

    Parameters
    ----------
    inference, step : float
        Mean inference time and mean step time, seconds.
    largest_reward : float

    >>> sequential_inaction_rate(0.2, 0.1)
    5.0
    """
    not_negative(inference=inference)
    return inaction_regret(1.0, max(inference, step), step, largest_reward)


def delay_regret_per_action(p_minimax: float, delay: Delays) -> float:
    """E[1 − p_minimax^k] for actions k steps late: Equation 4 per action of the agent.

    Riemer et al. 2025, Theorem 1, Eq. 4. A worst case, not a bound for every environment. The printed example does
    not attain it (:func:`cycle_delay_regret`), :func:`jump_delay_regret` does as n → ∞.

    Parameters
    ----------
    p_minimax : float
        From :func:`rtsim.theory.p_minimax`; with its labels, the tighter version of App. B.2.
    delay : int or sequence of float
        k in steps, or the probabilities of 0, 1, 2, … steps.

    >>> delay_regret_per_action(0.9, 2), delay_regret_per_action(0.5, [0.0, 0.5, 0.5])
    (0.18999999999999995, 0.625)
    """
    probability(p_minimax=p_minimax)
    if np.ndim(delay) == 0:
        return 1.0 - float(p_minimax) ** count(cast(int, delay), "delay", 0)
    from rtsim.mdps import checks

    weights = checks.distributions(checks.table(delay, "delay", (None,)), "delay", "delay")
    return float(weights @ (1.0 - p_minimax ** np.arange(len(weights))))


def delay_regret(time: float, interaction_time: float, p_minimax: float, delay: Delays) -> float:
    """Equation 4: τ/τ̄_I · E[1 − p_minimax^⌈τ_θ/τ_M⌉] (Riemer et al. 2025, Theorem 1).

    Parameters
    ----------
    time, interaction_time : float
        τ and mean time between the agent's actions, seconds.
    p_minimax : float
    delay : int or sequence of float
        As for :func:`delay_regret_per_action`.

    >>> delay_regret(10.0, 0.1, 0.9, 1)
    9.999999999999998
    """
    not_negative(time=time)
    positive(interaction_time=interaction_time)
    return time / interaction_time * delay_regret_per_action(p_minimax, delay)


def cycle_delay_regret(n: int, p: float, delay: int) -> float:
    """Least delay regret per step on the printed worst case: 1 − max over j of P(Binomial(k, 1 − p) ≡ j mod n).

    On :func:`rtsim.mdps.delay` the best delayed policy guesses how far the state has moved on in k steps (ours). For
    k < n this is 1 − max_j C(k, j)(1 − p)^j p^(k−j), below the 1 − p^k of Riemer et al. 2025, App. B.2, when (k +
    1)(1 − p) > 1.

    Parameters
    ----------
    n : int
        States.
    p : float
        Probability of staying.
    delay : int
        k, steps.

    >>> round(cycle_delay_regret(10, 0.6, 2), 12), 1 - 0.6**2
    (0.52, 0.64)
    """
    from scipy.stats import binom

    n, delay = count(n, "n"), count(delay, "delay", 0, 10**6)
    probability(p=p)
    moved = np.bincount(np.arange(delay + 1) % n, binom.pmf(np.arange(delay + 1), delay, 1 - p), minlength=n)
    return float(1.0 - moved.max())


def jump_delay_regret(n: int, p: float, delay: int) -> float:
    """Least delay regret per step on the corrected worst case: 1 − P(same state k steps later), if that is likeliest.

    On :func:`rtsim.mdps.jump`, P(same after k) = 1/n + (1 − 1/n) λ^k with λ = p − (1 − p)/(n − 1), and every other
    state has an equal share of the rest (ours). It tends to the 1 − p^k of Riemer et al. 2025, Eq. 4, as n → ∞.

    Parameters
    ----------
    n : int
        States.
    p : float
        Probability of staying.
    delay : int
        k, steps.

    >>> round(jump_delay_regret(10, 0.9, 2), 6), round(jump_delay_regret(10**6, 0.9, 2), 6)
    (0.188889, 0.19)
    """
    n, delay = count(n, "n", 2), count(delay, "delay", 0)
    probability(p=p)
    same = 1 / n + (1 - 1 / n) * (p - (1 - p) / (n - 1)) ** delay
    return 1.0 - max(same, (1 - same) / (n - 1))


def forward_delay_gain(delay: int) -> float:
    """Gain that a deterministic memoryless policy can be sure of on a cycle of k + 1 states with a goal: 1/(k + 1).

    Against an optimal gain of 1 on :func:`rtsim.mdps.forward`, a deterministic environment, for which Riemer et al.
    2025 (footnote 5, App. B.6) put the delay regret at 0 (ours; checked against all policies up to k = 4). Stochastic
    memoryless policies reach 1 here: see :func:`alternate_delay_gain` for where they do not either.

    >>> forward_delay_gain(3)
    0.25
    """
    return 1.0 / (count(delay, "delay", 0) + 1)


def alternate_delay_gain(delay: int, deterministic: bool = False) -> float:
    """Most that a memoryless delayed policy gains on :func:`rtsim.mdps.alternate`: 1/2 for k >= 1, against 1.

    The state is the last action, so a policy of the k steps old state makes each action from the one k + 1 before: k
    + 1 interleaved chains, which begin alike, with the default's action. A policy that repeats keeps them alike for
    ever and gains 0. One that always changes lets them change one after the other, 1/(k + 1). Any other makes each
    chain forget its beginning, so that neighbours are independent draws of one distribution μ and differ with
    probability 2 μ (1 − μ) <= 1/2 (ours). So the delay regret is linear in a deterministic environment, against
    footnote 5 and App. B.6 of Riemer et al. 2025; a policy that knows its pending actions has none.

    Parameters
    ----------
    delay : int
        k, steps.
    deterministic : bool
        Among deterministic policies only: 1/(k + 1).

    >>> alternate_delay_gain(3), alternate_delay_gain(3, deterministic=True), alternate_delay_gain(0)
    (0.5, 0.25, 1.0)
    """
    delay = count(delay, "delay", 0)
    return 1.0 / (delay + 1) if deterministic or delay == 0 else 0.5


def interaction_time_max_time(maximum: float, workers: int, step: float, rounded: bool = False) -> float:
    """Mean interaction time of Algorithm 1 with equal offsets: max(τ_M, τ_θ^max/N), seconds.

    Riemer et al. 2025, App. B.4, "Interaction Time of Algorithm 1"; the appendix's last paragraph and Section 3.2 print
    min for max. With ``rounded`` the length of a
    single interval as App. B.4 gives it, ⌈τ_θ^max/(N τ_M)⌉ τ_M: an upper bound, since intervals of the two
    neighbouring whole numbers of steps alternate.

    Parameters
    ----------
    maximum, step : float
        Longest inference and step time, seconds.
    workers : int
        N.
    rounded : bool

    >>> interaction_time_max_time(0.25, 10, 0.01), interaction_time_max_time(0.25, 10, 0.01, rounded=True)
    (0.025, 0.03)
    """
    not_negative(maximum=maximum)
    positive(step=step)
    share = maximum / count(workers, "workers")
    return ceil_ratio(share, step) * step if rounded else max(step, share)


def interaction_time_exp_time(mean: float, workers: int, step: float) -> float:
    """Mean interaction time of Algorithm 2 with equal offsets: max(τ_M, τ̄_θ/N), seconds.

    Riemer et al. 2025, App. B.4, "Interaction Time of Algorithm 2" (its last paragraph and Section 3.2 print min for
    max). The offsets do not stay equal: see
    :func:`rtsim.theory.unsynchronised_inaction` for what it tends to.

    >>> interaction_time_exp_time(0.2, 40, 0.01)
    0.01
    """
    not_negative(mean=mean)
    return interaction_time_max_time(mean, workers, step)


def chunking_inaction(inference: float, step: float, chunk: int, growth: float = 0.0) -> float:
    """Inaction fraction of one worker that makes k actions at a time: max(0, 1 − k τ_M/τ(k)).

    Riemer et al. 2025, App. B.5, with τ(k) = τ_θ (1 + growth·(k − 1)), a form of the time's growth with k that is
    ours: none is left once τ(k)/k <= τ_M, which no k reaches if each further action takes longer than a step,
    growth·τ_θ > τ_M. For constant times; of variable ones the mean gives the least inaction there can be, and the
    maximum, which the paper has, what leaves none.

    Parameters
    ----------
    inference, step : float
        Time of an inference of one action, and step time, seconds.
    chunk : int
        k.
    growth : float
        Time added per further action, as a share of ``inference``.

    >>> chunking_inaction(0.2, 0.01, 10), chunking_inaction(0.2, 0.01, 20)
    (0.5, 0.0)
    """
    not_negative(inference=inference, growth=growth)
    chunk = count(chunk, "chunk")
    return capacity_limit(chunk, step, inference * (1.0 + growth * (chunk - 1)))


def required_chunk(inference: float, step: float, growth: float = 0.0) -> int | None:
    """The fewest actions per inference that leave no inaction to a single worker, or None if no number does.

    Riemer et al. 2025, App. B.5, as in :func:`chunking_inaction`.

    >>> required_chunk(0.2, 0.01), required_chunk(0.2, 0.01, growth=0.04), required_chunk(0.2, 0.01, growth=0.05)
    (20, 96, None)
    """
    not_negative(inference=inference, growth=growth)
    positive(step=step)
    if inference <= step:
        return 1
    each = step - growth * inference
    if each <= 1e-12 * step:
        return None
    return ceil_ratio(inference * (1.0 - growth), each)


@dataclass(frozen=True)
class RealtimeRegret:
    """The three terms of Theorem 1's worst case, in units of reward, and their sum."""

    learn: float
    inaction: float
    delay: float

    @property
    def total(self) -> float:
        return self.learn + self.inaction + self.delay


def realtime_regret(
    time: float,
    interaction_time: float,
    step: float,
    p_minimax: float,
    delay: Delays,
    actions: int = 1,
    largest_reward: float = 1.0,
) -> RealtimeRegret:
    """Equation 1: the sum of Equations 2, 3 and 4 (Riemer et al. 2025, Theorem 1), with all constants 1.

    Per second it tends to the inaction and delay terms: sublinear only if the agent acts on every step and the delay
    term vanishes, as App. B.6 has it for p_minimax = 1. (For policies that know their pending actions; memoryless
    ones can have linear delay regret even then, :func:`alternate_delay_gain`.)

    Parameters
    ----------
    time, interaction_time, step : float
        Seconds.
    p_minimax : float
    delay : int or sequence of float
    actions : int
    largest_reward : float
        As for :func:`inaction_regret`; all three terms grow with it.

    >>> realtime_regret(100.0, 0.1, 0.1, 1.0, 5)
    RealtimeRegret(learn=31.622776601683793, inaction=0.0, delay=0.0)
    """
    return RealtimeRegret(
        largest_reward * learning_regret(time, interaction_time, actions),
        inaction_regret(time, interaction_time, step, largest_reward),
        largest_reward * delay_regret(time, interaction_time, p_minimax, delay),
    )
