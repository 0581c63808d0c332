"""What a figure's table says: does sequential interaction fall to the references, and does staggering stay above them?

And does delay cost more where the world is less predictable, as Riemer et al. 2025 say of sticky actions and of Boxing?
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from rtsim.intervals import Estimate, mean_ci95
from rtsim.studies.design import REFERENCES, Figure
from rtsim.studies.tables import Row

#: The methods that trends are told of.
SEQUENTIAL, STAGGERED = "sequential", "max_time"
#: Of which it is told what they lose to delay: offsets that vary by a step, and a delay that does not.
METHODS_KEPT = ("max_time", "time_triggered")
#: Environments that are harder to predict than others of their kind.
LESS_PREDICTABLE: Mapping[str, str] = {
    "mdp:jump(n=10, p=0.99)": "mdp:delay(n=10, p=0)",
    "minatar:space_invaders(sticky=0.25)": "minatar:space_invaders(sticky=0)",
    "atari:Boxing": "atari:Krull",
}


@dataclass(frozen=True)
class Trend:
    """One environment of a figure.

    Attributes
    ----------
    panel : str
    depth : int
    budget_steps : int
    seeds : tuple of int
    reference : float
        The better one of noop and random, mean over the seeds.
    no_delay : float or None
    delays : tuple of int
    sequential, staggered : tuple of float
        Means over the seeds, by delay.
    ahead : tuple of Estimate
        Staggered less sequential, paired by seed, with its 95 % interval, by delay.
    above_reference : tuple of (Estimate, Estimate)
        At the longest delay, paired by seed: sequential less the reference, and staggered less the reference.
    kept : dict of str to (tuple of tuple of float)
        By method: its score above the reference, as a share of that of an agent that is never late, by delay and seed.
        Empty where such an agent is not better than the reference beyond its interval.
    silent : tuple of int
        Delays at which no action of staggered interaction ever acted: episodes end before the first one comes.
    """

    panel: str
    depth: int
    budget_steps: int
    seeds: tuple[int, ...]
    reference: float
    no_delay: float | None
    delays: tuple[int, ...]
    sequential: tuple[float, ...]
    staggered: tuple[float, ...]
    ahead: tuple[Estimate, ...]
    above_reference: tuple[Estimate, Estimate]
    kept: Mapping[str, tuple[tuple[float, ...], ...]] = field(default_factory=dict)
    silent: tuple[int, ...] = ()

    @property
    def falls(self) -> bool | None:
        """Whether sequential interaction, at the longest delay, is no better than the references; None: open."""
        above = _above(self.above_reference[0])
        return None if above is None else not above

    @property
    def stays(self) -> bool | None:
        """Whether staggered interaction, at the longest delay, is better than the references; None: open."""
        return _above(self.above_reference[1])

    @property
    def wins(self) -> tuple[int, ...]:
        """Delays at which staggered interaction is better than sequential, beyond the interval."""
        return tuple(d for d, e in zip(self.delays, self.ahead, strict=True) if _above(e))


def _above(found: Estimate) -> bool | None:
    """Whether a difference is above 0; None where its interval has values of both signs, or there is none."""
    if found.ci95 is None or found.ci95[0] <= 0 < found.ci95[1]:
        return None
    return found.ci95[0] > 0


def trends(figure: Figure, rows: Sequence[Row]) -> list[Trend]:
    """The trends of a table: by environment and depth, of the largest budget and the seeds that have all methods.

    Scores are those of the figure: per episode or step, or where it shows progress, the reward at the end.
    """
    found = []
    for panel in dict.fromkeys(row.panel for row in rows):
        here = [row for row in rows if row.panel == panel]
        budget = max(row.budget_steps for row in here)
        last: dict[Key, Result] = {}
        for row in sorted((row for row in here if row.budget_steps == budget), key=lambda row: row.step):
            value = row.score if figure.over == "size" else row.reward
            if value is not None:
                last[row.method, row.depth, row.delay_steps, row.seed] = value, row.default_steps < row.step
        for depth in dict.fromkeys(row.depth for row in here):
            trend = _trend(panel, depth, budget, last)
            if trend is not None:
                found.append(trend)
    return found


#: Method, depth, delay and seed of a cell; its score, and whether an action ever acted.
Key = tuple[str, int, int, int]
Result = tuple[float, bool]


def _trend(panel: str, depth: int, budget: int, last: dict[Key, Result]) -> Trend | None:
    def by_seed(method: str, delay: int, depth: int = depth) -> dict[int, float]:
        return {s: value for (m, k, d, s), (value, _) in last.items() if (m, k, d) == (method, depth, delay)}

    delays = sorted({d for m, k, d, _ in last if m == SEQUENTIAL and k == depth})
    pairs = {d: (by_seed(SEQUENTIAL, d), by_seed(STAGGERED, d)) for d in delays}
    pairs = {d: (a, b) for d, (a, b) in pairs.items() if a.keys() & b.keys()}
    references = [by_seed(name, 0, 15) for name in REFERENCES]
    if not pairs or not all(references):
        return None
    best = max(references, key=lambda one: sum(one.values()) / len(one))
    seeds = tuple(sorted(set(best).intersection(*(set(a) & set(b) for a, b in pairs.values()))))
    if not seeds:
        return None
    undelayed = by_seed("no delay", 0, 15)

    def mean(one: dict[int, float]) -> float:
        return sum(one[s] for s in seeds) / len(seeds)

    def less(one: dict[int, float], other: dict[int, float]) -> Estimate:
        return mean_ci95([one[s] - other[s] for s in seeds])

    sequential, staggered = pairs[max(pairs)]
    kept = {}
    if undelayed.keys() >= set(seeds) and _above(less(undelayed, best)):
        for method in METHODS_KEPT:
            late = {delay: by_seed(method, delay) for delay in pairs}
            if all(one.keys() >= set(seeds) for one in late.values()):
                kept[method] = tuple(
                    tuple((one[s] - best[s]) / (undelayed[s] - best[s]) for s in seeds) for one in late.values()
                )
    return Trend(
        panel,
        depth,
        budget,
        seeds,
        mean(best),
        mean(undelayed) if undelayed.keys() >= set(seeds) else None,
        tuple(pairs),
        tuple(mean(a) for a, _ in pairs.values()),
        tuple(mean(b) for _, b in pairs.values()),
        tuple(less(b, a) for a, b in pairs.values()),
        (less(sequential, best), less(staggered, best)),
        kept,
        tuple(d for d in pairs if not any(last[STAGGERED, depth, d, s][1] for s in seeds)),
    )


@dataclass(frozen=True)
class Extra:
    """What delay costs more in one environment than in another.

    Attributes
    ----------
    panel, than : str
    depth : int
    method : str
    delays : tuple of int
    lost : tuple of Estimate
        Share of what an agent that is never late has above the reference that the method loses to delay in ``panel``,
        less that in ``than``, paired by seed, by delay.
    """

    panel: str
    than: str
    depth: int
    method: str
    delays: tuple[int, ...]
    lost: tuple[Estimate, ...]

    @property
    def costlier(self) -> tuple[int, ...]:
        """Delays that cost more there, beyond the interval."""
        return tuple(d for d, e in zip(self.delays, self.lost, strict=True) if _above(e))


def extras(found: Sequence[Trend]) -> list[Extra]:
    """What delay costs more where the world is less predictable: :data:`LESS_PREDICTABLE`, of a table's trends."""
    by_name = {(trend.panel, trend.depth): trend for trend in found}
    made = []
    for (panel, depth), trend in by_name.items():
        other = by_name.get((LESS_PREDICTABLE.get(panel, ""), depth))
        if other is None or trend.seeds != other.seeds:
            continue
        for method in (method for method in trend.kept if method in other.kept):
            mine, theirs = (dict(zip(one.delays, one.kept[method], strict=True)) for one in (trend, other))
            delays = tuple(delay for delay in trend.delays if delay in theirs)
            lost = tuple(mean_ci95([b - a for a, b in zip(mine[d], theirs[d], strict=True)]) for d in delays)
            made.append(Extra(panel, other.panel, depth, method, delays, lost))
    return made
