"""What is ranked: every rule with its options, mailboxes and numbers of workers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from rtsim.errors import InvalidValue
from rtsim.planning.predict import predictable
from rtsim.scenario import Scenario
from rtsim.schedulers import RuleSpec, names

#: Quantiles of the inference time that deadlines are put at, per cent.
TRIGGERED, RELEASED, EARLIEST = (50, 75, 90, 95, 99, 99.9, 99.99), (75, 95), (75, 90, 99, 99.99)
#: Deadlines of ``earliest_deadline`` beyond the inference times, as multiples of the mean.
MULTIPLES = (1.5, 2.0)
CHUNKS = (2, 4, 8)
#: What ranking these rules assumes of the network.
ASSUMED = {
    "chunking": "the network makes all actions of a chunk in the time of one, unless growth=X is given",
    "pipeline": "the network can be cut into as many layers of equal time as there are workers",
}
#: Rules whose workers may be faster than the environment takes their actions: a queue keeps what would be overwritten.
QUEUED, QUEUE = ("unstaggered", "exp_time"), "fifo(2)"
#: Up to so many workers every number is simulated.
ALL = 8
#: Numbers of workers at which a rule without a closed form is simulated, in multiples of ⌈τ̄_θ/τ_M⌉.
AROUND = (0.5, 0.75, 0.9, 1.0, 1.1, 1.25, 1.5, 1.75, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0)


@dataclass(frozen=True)
class Variant:
    """A rule with its options and a mailbox; ``layered`` if its workers are the layers of one pipeline."""

    rule: RuleSpec
    mailbox: str = "latest"
    layered: bool = False

    @property
    def key(self) -> str:
        """Rule, options and mailbox as one text, without the number of workers."""
        name = "pipeline(layers=workers)" if self.layered else str(self.rule)
        return name if self.mailbox == "latest" else f"{name}, mailbox {self.mailbox}"

    def scenario(self, base: Scenario, workers: int) -> Scenario:
        """The scenario of this variant with so many workers."""
        rule = RuleSpec.of(self.rule, layers=workers) if self.layered else self.rule
        # Learners do not slow inference down, unless the process that infers learns.
        learning = base.learning_time if rule.rule.learns_inline else None
        return base.with_(rule=rule, workers=workers, mailbox=self.mailbox, learning_time=learning)


def variants(base: Scenario, alg: Sequence[str | RuleSpec] = ()) -> list[Variant]:
    """Every rule with the options worth trying under these times; or those given.

    Rules that a user has registered are tried with their defaults. A pipeline of L layers counts as L workers, since
    they run in parallel. Its skip connections change the network, and are not among the options.

    Parameters
    ----------
    base : Scenario
    alg : sequence of str or RuleSpec
        Only these.

    >>> [found.key for found in variants(Scenario("max_time", "84ms"))][:3]
    ['sequential', 'sequential(wait_observation=true)', 'one_step_lag']
    """
    if alg:
        return [Variant(RuleSpec.of(rule), str(base.mailbox)) for rule in dict.fromkeys(alg)]
    law = base.inference_time
    bounded = math.isfinite(law.upper) and base.dispatch_time is None and law.least_mean == law.mean
    warm = ["p99.9", "p100"] if bounded else ["p99", "p99.99"]
    texts = ["sequential", "sequential(wait_observation=true)", "one_step_lag", "unstaggered", "exp_time"]
    for rule in ("max_time", "phase_locked"):
        texts += [rule, *(f"{rule}(initial_max={quantile})" for quantile in warm)]
    texts += _deadlines(base, "time_triggered", [f"p{q:g}" for q in TRIGGERED])
    texts += [
        text[:-1] + ", late=release)" for text in _deadlines(base, "time_triggered", [f"p{q:g}" for q in RELEASED])
    ]
    later = [f"{math.ceil(base.least_workers * factor)}steps" for factor in MULTIPLES]
    texts += _deadlines(base, "earliest_deadline", [*(f"p{q:g}" for q in EARLIEST), *later])
    texts += [f"chunking(size={size})" for size in CHUNKS]
    found = [Variant(RuleSpec.of(text), str(base.mailbox)) for text in texts]
    if str(base.mailbox) == "latest":
        found += [Variant(RuleSpec.of(name), QUEUE) for name in QUEUED]
    found.append(Variant(RuleSpec.of("pipeline"), str(base.mailbox), layered=True))
    known = {variant.rule.name for variant in found}
    registered = (RuleSpec.of(name) for name in names() if name not in known)
    return [*found, *(Variant(rule, str(base.mailbox)) for rule in registered if _runs(base, rule))]


def _runs(base: Scenario, rule: RuleSpec) -> bool:
    """Whether a user's rule goes with these times at its defaults; one that does not must not spoil every plan."""
    try:
        base.with_(rule=rule, workers=1, learning_time=None).program()
    except InvalidValue:
        return False
    return True


def _deadlines(base: Scenario, rule: str, deadlines: Iterable[str]) -> list[str]:
    """The rule with each deadline that is another number of steps than those before, and that it accepts."""
    found: dict[int, str] = {}
    for deadline in deadlines:
        scenario = base.with_(rule=f"{rule}(deadline={deadline})", learning_time=None)
        try:
            steps = scenario.setting().steps(scenario.rule.options["deadline"], "deadline")  # type: ignore[arg-type]
            scenario.program()
        except InvalidValue:  # no bound at this quantile, or no inference would ever start
            continue
        found.setdefault(steps, str(scenario.rule))
    return list(found.values())


def worker_numbers(variant: Variant, base: Scenario, most: int) -> list[int]:
    """Numbers of workers to look at: all where a formula tells, else more and more sparsely around ⌈τ̄_θ/τ_M⌉.

    >>> base = Scenario("max_time", "lognorm(mean=84ms, cv=0.3)")
    >>> worker_numbers(variants(base, ["earliest_deadline"])[0], base, 16)
    [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 15, 16]
    """
    if variant.layered:
        return [n for n in _around(base, most) if n > 1]
    if variant.rule.rule.single_worker:
        # Layers of a pipeline run in parallel.
        return [n for n in (variant.rule.inferences_in_flight,) if n <= most]
    if predictable(variant.scenario(base, 1)):
        return every(most)
    return _around(variant.scenario(base, 1), most)


def every(most: int) -> list[int]:
    """All numbers up to 256, then each 2 % more than the last, and ``most``.

    >>> every(300)[-5:]
    [281, 286, 291, 296, 300]
    """
    found = list(range(1, min(most, 256) + 1))
    while found[-1] < most:
        found.append(min(found[-1] + found[-1] // 50, most))
    return found


def _around(scenario: Scenario, most: int) -> list[int]:
    least = scenario.least_workers
    wanted = {most, *range(1, ALL + 1), *(round(least * factor) for factor in AROUND)}
    wanted |= {least + extra for extra in (1, 2)}
    wanted |= {int(n) for n in np.geomspace(1, most, 8)} if least > most else set()
    return sorted(n for n in wanted if 1 <= n <= most)


def grid(base: Scenario, most: int, alg: Sequence[str | RuleSpec] = ()) -> Iterator[tuple[Variant, int]]:
    """Every variant with every number of workers looked at."""
    for variant in variants(base, alg):
        for workers in worker_numbers(variant, base, most):
            yield variant, workers
