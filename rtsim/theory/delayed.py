"""The gain of a policy whose actions come late, exactly.

A memoryless policy chooses from one observation, k steps old when its action is applied. Its gain is that of
a chain whose state is the state of the world and the actions chosen but not yet applied; only what can be reached
is built. Steps on which the default policy acts are composed into blocks first, so that each block applies one action.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from rtsim.errors import InvalidValue
from rtsim.mdps import TabularMDP
from rtsim.theory import chains
from rtsim.theory.chains import Floats
from rtsim.timing.units import whole

#: Most states of an augmented chain.
MAX_STATES = 1_000_000
#: Longest delay, steps.
MAX_DELAY = 1_000_000

Delay = int | Sequence[float] | Floats


@dataclass(frozen=True)
class Blocks:
    """An MDP seen once per agent action: one observation, one action applied, default steps between.

    ``p`` (S, A + 1, S) and ``r`` (S, A + 1) are those of a whole block, by the action applied in it; index A stands
    for none, as before the first action. ``weights`` (J + 1,) are the probabilities that the action applied is that
    of the observation 0..J blocks ago. ``entry`` (S, S) leads from the first state to the first observation.
    """

    p: Floats
    r: Floats
    weights: Floats
    entry: Floats
    every: int

    @property
    def actions(self) -> int:
        return int(self.p.shape[1]) - 1

    @property
    def depth(self) -> int:
        """J."""
        return len(self.weights) - 1

    @property
    def free(self) -> bool:
        """Whether no action changes where the state goes."""
        agent = self.p[:, : self.actions]
        return bool((agent == agent[:, :1]).all())


def fits(states: int, actions: int, depth: int, limit: int) -> bool:
    """Whether S·A^j is at most ``limit``, however large j: two actions to the 64th are more than any limit here.

    >>> fits(5, 4, 3, 320), fits(5, 4, 10**6, 320), fits(5, 1, 10**6, 320)
    (True, False, True)
    """
    return bool(states * actions ** min(depth, 64) <= limit)


def blocks(mdp: TabularMDP, delay: Delay, every: int = 1, inaction: float = 0.0) -> Blocks:
    """Compose the steps between two of the agent's actions.

    With m = ``every`` the agent acts on steps m, 2m, …, from the observation k steps before. A block begins at an
    observation; its action is applied c = k mod m steps later, and was chosen ⌊k/m⌋ blocks ago. On the other m − 1
    steps the default policy acts, and with probability ``inaction`` on the agent's step too.
    """
    if isinstance(every, bool) or not isinstance(every, int | np.integer) or not 1 <= every <= 10**6:
        raise InvalidValue(f"every {every} must be a whole number of steps >= 1")
    if not 0 <= inaction <= 1:
        raise InvalidValue(f"inaction {inaction:g} must be a probability in 0..1")
    steps, weights = _delay(delay)
    if steps is None and every > 1:
        raise InvalidValue("a random delay needs every=1; with fewer actions give one delay in steps")
    before = (steps or 0) % every
    if steps is not None:
        weights = np.append(np.zeros(steps // every), 1.0)
    away, paid = mdp.chain_under_default
    p = (1 - inaction) * mdp.p + inaction * away[:, None, :]
    r = (1 - inaction) * mdp.r + inaction * paid[:, None]
    p = np.concatenate([p, away[:, None, :]], axis=1)
    r = np.concatenate([r, paid[:, None]], axis=1)
    if behind := every - 1 - before:
        power, total = _powers(away, paid, behind)
        r, p = r + p @ total, p @ power
    if before:
        power, total = _powers(away, paid, before)
        r, p = total[:, None] + power @ r, np.tensordot(power, p, 1)
    entry, _ = _powers(away, paid, -(steps or 0) % every)
    return Blocks(p, r, np.asarray(weights), entry, int(every))


def delayed_gain(
    mdp: TabularMDP,
    policy: ArrayLike,
    delay: Delay = 0,
    *,
    every: int = 1,
    inaction: float = 0.0,
    start: int | str | None = None,
) -> float:
    """Average reward per environment step of a memoryless policy whose actions come late.

    Exact, from the chain of Definition 1 in Riemer et al. 2025 with the actions under way in its state. Before the
    first action comes, the default policy acts.

    Parameters
    ----------
    mdp : TabularMDP
    policy : array_like, int, shape (S,), or float, shape (S, A)
        The action in each observed state, or probabilities; a stochastic action is drawn once per observation.
    delay : int or sequence of float
        Age of the observation, steps; 0 is the pausing MDP. A sequence gives the probabilities of 0, 1, 2, … steps:
        each step applies the action computed from an observation of random age, independent from step
        to step (no order is kept: a later step may use an earlier observation).
    every : int
        The agent acts on every m-th step, the default policy on all others; ``delay=k, every=k`` is
        sequential interaction with inferences of k steps.
    inaction : float
        Probability, independent from step to step, that the default policy acts on an agent's step.
    start : int, "worst" or None
        First state; None for the MDP's own distribution. It matters where the delayed chain has several
        recurrent classes, as deterministic ones do.

    Raises
    ------
    InvalidValue
        If an argument is out of range, or more than 1,000,000 augmented states can be reached.

    Examples
    --------
    The first paper's cycle, with actions 2 steps late: the old state is the best guess only if p² is
    more than 2p(1 − p).

    >>> from rtsim import mdps
    >>> cycle = mdps.of("delay(n=10, p=0.6)")
    >>> same, next_one = np.arange(10), (np.arange(10) + 1) % 10
    >>> round(delayed_gain(cycle, same, 2), 12), round(delayed_gain(cycle, next_one, 2), 12)
    (0.36, 0.48)
    """
    chances = _policy(mdp, policy)
    gains, _ = gains_by_start(blocks(mdp, delay, every, inaction), chances)
    return float(start_weights(mdp, start)(gains))


def gains_by_start(world: Blocks, chances: Floats) -> tuple[Floats, int]:
    """Gain per environment step from each first state, shape (S,), and of how many states the chain was."""
    if world.free:
        # The state goes its own way: after the first actions are there, frequencies times expected rewards.
        chain = sparse.csr_array(world.p[:, 0])
        gains = chains.long_run_rewards(chain, (chances * late_rewards(world)).sum(axis=1))
        warm = np.linalg.matrix_power(world.p[:, -1], world.depth)
        return np.asarray(world.entry @ (warm @ gains)) / world.every, len(warm)
    chain, rewards, first = _augmented(world, chances)
    gains = chains.long_run_rewards(chain, rewards)[first]
    return np.asarray(world.entry @ gains) / world.every, len(rewards)


def chain_states(world: Blocks, policy: NDArray[np.int64]) -> int:
    """How many states the delayed chain of a deterministic policy has."""
    return int(_augmented(world, np.eye(world.actions)[policy])[0].shape[0])


def late_rewards(world: Blocks) -> Floats:
    """Expected reward of a block by the state in which its action was chosen, where none moves the state; (S, A)."""
    found = np.zeros((len(world.p), world.actions))
    ahead = world.r[:, : world.actions]
    for weight in world.weights:
        found += weight * ahead
        ahead = world.p[:, 0] @ ahead
    return found


def start_weights(mdp: TabularMDP, start: int | str | None) -> Any:
    """The function that makes one number of the gains by first state."""
    if start is None:
        return lambda gains: mdp.start @ gains
    if isinstance(start, str) and start == "worst":
        return np.min
    if isinstance(start, int | np.integer) and not isinstance(start, bool) and 0 <= start < mdp.states:
        return lambda gains: gains[start]
    raise InvalidValue(f"start {str(start)[:40]!r} must be a state in 0..{mdp.states - 1}, 'worst' or None")


def _augmented(world: Blocks, chances: Floats) -> tuple[sparse.csr_array, Floats, NDArray[np.int64]]:
    """The chain over (state, last J actions chosen), its rewards, and where each first state stands in it.

    A code is s + S·(a₁ + a₂ B + …), a₁ chosen last, B = A + 1 with A for none.
    """
    size, base, depth = len(world.p), world.actions + 1, world.depth
    if not fits(size, base, depth, 2**62):
        raise InvalidValue(
            f"{world.actions} actions, {depth} of them under way, are too many to tell apart; shorten the delay"
        )
    moves = sparse.csr_array(world.p.reshape(-1, size))
    kept = base**depth
    none = sum(world.actions * base**j for j in range(depth))
    frontier = np.arange(size) + size * none
    known = frontier
    rows, columns, data, rewards = [], [], [], []
    while len(frontier):
        state, history = frontier % size, frontier // size
        found = []
        for a in range(world.actions):
            chosen = np.flatnonzero(chances[state, a] > 0)
            after = (history[chosen] * base + a) % kept
            for age in np.flatnonzero(world.weights):
                applied = np.full(len(chosen), a) if age == 0 else history[chosen] // base ** (age - 1) % base
                weight = chances[state[chosen], a] * world.weights[age]
                entries = moves[state[chosen] * base + applied].tocoo()
                target = entries.col + size * after[entries.row]
                rows.append(frontier[chosen][entries.row])
                columns.append(target)
                data.append(entries.data * weight[entries.row])
                rewards.append((frontier[chosen], weight * world.r[state[chosen], applied]))
                found.append(target)
        frontier = np.setdiff1d(np.concatenate(found), known)
        known = np.union1d(known, frontier)
        if len(known) > MAX_STATES:
            raise InvalidValue(
                f"the delayed chain has more than {MAX_STATES} states (S = {size}, {world.actions} actions, "
                f"{depth} under way); shorten the delay"
            )
    at = [np.searchsorted(known, np.concatenate(codes)) for codes in (rows, columns)]
    chain = sparse.coo_array((np.concatenate(data), tuple(at)), shape=(len(known),) * 2).tocsr()
    codes, values = (np.concatenate(parts) for parts in zip(*rewards, strict=True))
    earned = np.bincount(np.searchsorted(known, codes), values, minlength=len(known)).astype(np.float64)
    return chain, earned, np.searchsorted(known, np.arange(size) + size * none).astype(np.int64)


def _delay(delay: Delay) -> tuple[int | None, Floats]:
    """A fixed delay in steps, or None and the probabilities of 0, 1, … steps."""
    if isinstance(delay, int | np.integer) and not isinstance(delay, bool):
        return whole(delay, "delay", 0, MAX_DELAY), np.ones(1)
    from rtsim.mdps import checks

    weights = checks.distributions(checks.table(delay, "delay", (None,)), "delay", "delay")
    return None, weights[: int(np.flatnonzero(weights)[-1]) + 1]


def _powers(p: Floats, r: Floats, steps: int) -> tuple[Floats, Floats]:
    """p^steps and the reward expected over that many steps."""
    power, total = np.eye(len(p)), np.zeros(len(p))
    for _ in range(steps):
        total = r + p @ total
        power = power @ p
    return power, total


def _policy(mdp: TabularMDP, policy: ArrayLike) -> Floats:
    from rtsim.mdps import checks

    found = np.asarray(policy)
    if found.ndim == 1 and found.dtype.kind in "iu":
        if found.shape != (mdp.states,) or ((found < 0) | (found >= mdp.actions)).any():
            raise InvalidValue(f"policy must give one action in 0..{mdp.actions - 1} for each of {mdp.states} states")
        return np.asarray(np.eye(mdp.actions)[found])
    chances = checks.table(policy, "policy", (mdp.states, mdp.actions))
    return checks.distributions(chances, "policy", "row {} of policy")
