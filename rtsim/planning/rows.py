"""The rows of a plan, and what they are made of."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from rtsim.intervals import Interval, mean_interval
from rtsim.planning.candidates import ASSUMED, Variant
from rtsim.planning.predict import Prediction

#: Regret rates that differ by less than this share count as equal; fewer workers decide then.
TIE = 0.005
#: A row that misses the best by less than this share is near it, and may be worth taking for its fewer workers.
NEAR = 0.1


@dataclass(frozen=True)
class Simulated:
    """What simulation says of a row: means over the seeds, with 95 % Student t intervals.

    Attributes
    ----------
    regret_per_s, inaction_per_s, delay_per_s : float
        Reward per second; the last two are the parts of the first.
    regret_per_s_ci95, inaction_fraction_ci95 : (float, float) or None
        None for a single seed.
    inaction_fraction : float
        Share of the steps after the warm-up, 0..1.
    delay_steps_mean : float or None
        None if no action was ever used.
    seeds, steps : int
        Runs, and steps of each after its warm-up.
    regret_per_s_by_seed : tuple of float
        The rates whose mean ``regret_per_s`` is, in order of the seeds, which are the same in every row.
    """

    regret_per_s: float
    regret_per_s_ci95: Interval | None
    inaction_per_s: float
    delay_per_s: float
    inaction_fraction: float
    inaction_fraction_ci95: Interval | None
    delay_steps_mean: float | None
    seeds: int
    steps: int
    regret_per_s_by_seed: tuple[float, ...] = field(repr=False, default=())


@dataclass(frozen=True)
class Row:
    """One rule with one number of workers. Names as in the JSON output; rates are reward per second.

    Attributes
    ----------
    alg : str
        Name of the rule.
    options : dict
        The rule's, as JSON values.
    key : str
        Rule, options and mailbox as one text: rows of one key differ in their workers alone.
    mailbox : str
    workers : int
    regret_per_s, inaction_per_s, delay_per_s : float
        Predicted, by ``source``.
    learn_per_s : None
        Unknown: no formula tells a learner's regret from its updates per second.
    inaction_fraction : float
        Share of steps, predicted, by ``inaction_source``.
    delay_steps_mean : float or None
        Steps, likewise; None if no action is ever used.
    source : {"closed form", "numerical", "simulated"}
        Of the regret; "numerical" too where only the environment's charges are.
    inaction_source : {"closed form", "numerical", "simulated"}
        Of inaction and delay.
    simulated : Simulated or None
        What a longer simulation says; where inaction and delay are "simulated" also the short one they are from.
    confirmed : bool
        Whether ``simulated`` is the longer one.
    disagrees : str
        Which predicted number lies outside the 95 % interval of its simulation: "inaction", "regret", or none.
    variant : Variant or None
    prediction : Prediction or None
        What the row was made from, for those who look at it again; not in the JSON.
    """

    alg: str
    options: dict[str, Any]
    key: str
    mailbox: str
    workers: int
    regret_per_s: float
    inaction_per_s: float
    delay_per_s: float
    learn_per_s: None
    inaction_fraction: float
    delay_steps_mean: float | None
    source: str
    inaction_source: str
    simulated: Simulated | None = None
    confirmed: bool = False
    disagrees: str = ""
    variant: Variant | None = field(default=None, repr=False, compare=False)
    prediction: Prediction | None = field(default=None, repr=False, compare=False)

    @property
    def value(self) -> float:
        """Regret per second as it is best known: simulated if it is, else predicted."""
        return self.simulated.regret_per_s if self.simulated is not None else self.regret_per_s

    @property
    def inaction(self) -> float:
        """Inaction fraction as it is best known."""
        return self.simulated.inaction_fraction if self.simulated is not None else self.inaction_fraction

    def to_json(self) -> dict[str, Any]:
        """The row as JSON values."""
        bare = replace(self, variant=None, prediction=None)
        return {name: value for name, value in asdict(bare).items() if name not in ("variant", "prediction")}


#: By how much two rows' regret rates may differ by chance alone: callable(row, other).
Unsure = Callable[[Row, Row], float]


def _sure(row: Row, other: Row) -> float:
    return 0.0


def paired(row: Row, other: Row) -> float:
    """Half width of the 95 % interval of a difference of regret rates, seed by seed, on common random numbers.

    0 unless both are confirmed: what a short look leaves open is settled by confirming it.

    >>> def row(*by_seed):
    ...     sure = Simulated(2.0, None, 2.0, 0.0, 0.0, None, None, 3, 100, by_seed)
    ...     return Row("r", {}, "r", "latest", 1, 2.0, 2.0, 0.0, None, 0.0, 0.0, *["simulated"] * 2, sure, True)
    >>> lucky = row(1.0, 2.0, 3.0)
    >>> round(paired(lucky, row(3.0, 2.0, 1.0)), 3), paired(lucky, row(1.5, 2.5, 3.5))
    (4.968, 0.0)
    """
    if row.simulated is None or other.simulated is None or not (row.confirmed and other.confirmed):
        return 0.0
    pairs = zip(row.simulated.regret_per_s_by_seed, other.simulated.regret_per_s_by_seed, strict=True)
    mean, interval = mean_interval([one - another for one, another in pairs])
    return 0.0 if interval is None else interval[1] - mean


def fewest(rows: Iterable[Row], unsure: Unsure = _sure) -> Row:
    """The row with the fewest workers that none with more is better than: the last of the :func:`front`."""
    return front(rows, unsure)[-1]


def better(row: Row, other: Row, unsure: Unsure = _sure) -> bool:
    """Whether a row has less regret than another, by more than a tie and than can be chance."""
    return within(row.value) < other.value and row.value + unsure(row, other) < other.value


def within(value: float, share: float = TIE) -> float:
    """The largest regret rate that is within a share of ``value``; by default that which counts as equal to it."""
    return value + share * abs(value) + 1e-12


def representatives(rows: Sequence[Row], unsure: Unsure = _sure, *, confirmed: bool = True) -> list[Row]:
    """Each variant's :func:`fewest`, least regret first; with ``confirmed`` among its confirmed rows, if it has any."""
    by_variant: dict[str, list[Row]] = {}
    for row in rows:
        by_variant.setdefault(row.key, []).append(row)
    chosen = ([row for row in each if confirmed and row.confirmed] or each for each in by_variant.values())
    return sorted((fewest(each, unsure) for each in chosen), key=lambda row: row.value)


def front(rows: Iterable[Row], unsure: Unsure = _sure) -> list[Row]:
    """The Pareto front of workers against regret: each row :func:`better` than the last one with fewer workers.

    So a step down is more than a tie and more than chance, and no row is better than the last.

    >>> def row(workers, regret):
    ...     return Row("r", {}, "r", "latest", workers, regret, regret, 0.0, None, 0.0, 0.0, *["closed form"] * 2)
    >>> [found.workers for found in front([row(3, 1.0), row(1, 2.0), row(4, 0.999), row(2, 2.5), row(5, 0.5)])]
    [1, 3, 5]
    """
    found: list[Row] = []
    for row in sorted(rows, key=lambda row: (row.workers, row.value)):
        if not found or better(row, found[-1], unsure):
            found.append(row)
    return found


def unassuming(rows: Iterable[Row]) -> list[Row]:
    """The rows of rules that assume nothing of the network."""
    return [row for row in rows if row.alg not in ASSUMED]
