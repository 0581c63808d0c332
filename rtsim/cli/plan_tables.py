"""How ``rtsim plan`` prints its answers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from rtsim.cli import render

if TYPE_CHECKING:
    from rtsim.planning import Measured, Plan, Row
    from rtsim.planning.break_even import BreakEven
    from rtsim.planning.inverse import Rate, Verdict
    from rtsim.planning.rows import Simulated
    from rtsim.planning.scan import Highest


def show_plan(found: Plan, everything: bool) -> None:
    """Settings, ranking, front, learners, floor and the best row in words."""
    from rtsim.timing import units

    design, base = found.design, found.design.base
    render.line(
        f"inference {base.inference_time} (mean {units.show(base.inference_time.mean)}), step "
        f"{units.show(base.step_mean)}; {design.environment.name}; up to {design.max_workers} workers"
    )
    rows = sorted(found.rows, key=lambda row: row.value) if everything else found.representatives
    what = "Every row" if everything else "The best of every rule and its options, with the fewest workers for it"
    _table(f"{what}; regret in reward per second (of never acting: {_number(found.never_acting_per_s)})", rows)
    _table("Pareto front: more workers for less regret", found.front)
    if render.console().width < WIDE:
        render.line(f"± means simulated. A terminal of {WIDE} columns, a pipe or --json show more; delay is in steps.")
    elif any(row.source == row.inaction_source == "simulated" for row in [*rows, *found.front]):
        render.line("- in columns of predictions: no formula tells this row's, its simulation does.")
    _show_notes(found)
    best, floor = found.best, found.floors[-1]
    unsure = floor.uncertain_per_s
    half = f"{render.plus_minus(unsure, floor.regret_per_s)} (the delay curve's)" if unsure else ""
    render.line(
        f"Floor that no rule can beat with {floor.workers} workers ({floor.source}): "
        f"{_number(floor.regret_per_s)}{half} per second, {render.percent(floor.inaction_fraction)} inaction, "
        f"actions {floor.delay_steps_mean:.2f} steps old."
    )
    if best is not None:
        render.line(f"Best: {in_words(best, found.never_acting_per_s, found.curve_leaves(best))}.")
        _show_price(found, best)


#: Columns of the terminal from which on the table has all of its own; --json has them always.
WIDE = 150


def _show_price(found: Plan, best: Row) -> None:
    """What the best row takes, what takes less, and what assumes less."""
    from rtsim.experiments import executors
    from rtsim.planning.rows import NEAR, better

    has = executors.cores()
    here = f"; this machine has {has}" if has < best.workers else ""
    text = f"It takes {best.workers} core{'s' * (best.workers != 1)}, one per worker{here}."
    near = found.cheapest
    if near is not None and near.workers < best.workers:
        text += f" Cheapest within {100 * NEAR:g} % of it: {_briefly(found, near)}."
    elif best.workers > 1:
        text += f" Nothing with fewer workers comes within {100 * NEAR:g} % of it."
    render.line(text)
    least = min(found.confirmed, key=lambda row: row.value)
    if better(least, best, found.curve_leaves):
        render.line(f"Not told apart from it: {_briefly(found, least)}; more --seeds or --steps may.")
    if (plain := found.best_unassuming) is not None:
        render.line(f"Best of the rules that assume nothing of the network: {_briefly(found, plain)}.")


def _show_assumed(keys: Iterable[str]) -> None:
    """What is assumed of the rules shown, by their keys."""
    from rtsim.planning.candidates import ASSUMED

    shown = {key.partition("(")[0].partition(",")[0] for key in keys}
    for rule in sorted(shown & set(ASSUMED)):
        render.line(f"{rule}: it is assumed that {ASSUMED[rule]}; --without {rule} leaves it out.")


def _show_notes(found: Plan) -> None:
    from rtsim.planning import Measured

    _show_assumed([row.key for row in found.front])
    disagreeing = sum(bool(row.disagrees) for row in found.rows)
    if disagreeing:
        sure = sum(row.confirmed for row in found.rows)
        render.line(
            f"In {disagreeing} of {sure} simulated rows the prediction lies outside the 95 % interval; trust the "
            "simulation there."
        )
    environment = found.design.environment
    if isinstance(environment, Measured):
        longest = max((len(row.prediction.delays) - 1 for row in found.rows if row.prediction), default=0)
        if longest > environment.curve.longest:
            render.line(
                f"The delay curve ends at {environment.curve.longest} steps; longer delays, up to {longest} here, are "
                "charged what its last point is."
            )
        _show_curve(found, environment)
    learning = found.learning
    if learning is None:
        render.line("Learning: nobody learns, as no --learning-time is given.")
        return
    enough = "from every transition" if learning.learners >= learning.required_learners else "not from all"
    updates = render.number(learning.updates_per_s)
    render.line(
        f"Learning: {learning.required_learners} learners are needed to learn from every transition, ⌈τ_L/(B τ_M)⌉ "
        f"(closed form, Riemer et al. 2025, Question 4); {learning.learners} learn {enough}: "
        f"{learning.transitions_per_step:.3f} transitions per step, {updates} updates per "
        "second. What that costs in regret is unknown: no formula tells it for a given environment."
    )


def _show_curve(found: Plan, environment: Measured) -> None:
    """How far a measured curve is to be trusted."""
    best = found.best
    if best is not None and (width := found.curve_leaves(best)):
        render.line(
            f"The delay curve's own intervals leave ± {_number(width)} per second on the regret of the best row. "
            "Rows that neither they nor a smooth curve instead of straight lines tell apart count as equal, and fewer "
            "workers win."
        )
    if min(row.value for row in found.rows) < 0 or environment.default_cost < 0:
        render.line(
            "Negative regrets: in the delay curve late actions, or the default policy, earn more than the policy "
            "without delay; by chance, or because another policy would be better."
        )
    if environment.curve.unsure:
        render.line(
            "Nothing in the delay curve costs more than its 95 % intervals: the ranking below rests on chance; measure "
            "longer, e.g. rtsim measure with more --runs and --steps."
        )


def show_chosen(row: Row, says: str) -> None:
    """The fewest workers for a target."""
    render.line(f"Fewest workers with {says}: {in_words(row)}.")


def show_rates(found: Sequence[Rate], inaction: float, workers: int) -> None:
    """The highest rate of each rule."""
    render.table(
        f"Highest rate with up to {workers} workers and at most {100 * inaction:g} % inaction",
        ["rule", "source", "workers", "steps per s", "inaction [95 %]", "delay ms"],
        [
            [
                rate.key,
                rate.source + (", simulated" if rate.confirmed and rate.source != "simulated" else ""),
                str(rate.workers),
                f"{rate.fps:.4g}" if rate.fps else "none",
                render.percent(rate.inaction_fraction) + _interval(rate.inaction_fraction_ci95, 100),
                "-" if rate.delay_s is None else f"{1e3 * rate.delay_s:.1f}",
            ]
            for rate in found
        ],
        left=2,
    )
    render.line(
        "Scanned from above in steps of 2 %, from the rate at which all workers are always busy down to a hundredth of "
        "it: each is the highest found. Deadlines and chunks are whole steps, so that a lower rate can have more "
        "inaction."
    )
    _show_assumed(rate.key for rate in found)


def show_longest(found: Sequence[Highest], says: str, given: float) -> None:
    """How much shorter inferences must be, rule by rule; ``given`` is their mean, seconds."""
    from rtsim.timing import units

    render.table(
        f"Longest inference with {says}: the given law, mean {units.show(given)}, times a factor of at most 1",
        ["rule", "source", "workers", "factor", "mean", "inaction [95 %]", "delay steps"],
        [
            [
                row.key,
                row.source + (", simulated" if row.confirmed and row.source != "simulated" else ""),
                str(row.workers),
                f"{factor:.3f}" if factor else "none",
                units.show(factor * given) if factor else "-",
                render.percent(row.inaction)
                + _interval(row.simulated.inaction_fraction_ci95 if row.simulated else None, 100),
                render.number(row.delay_steps_mean),
            ]
            for factor, row in found
        ],
        left=2,
    )
    render.line("Scanned from above in steps of 2 % down to a hundredth of the given times: each is the longest found.")
    _show_assumed(row.key for _, row in found)


def show_family(found: Sequence[Verdict], parameters: Mapping[str, int], says: str) -> None:
    """Which models reach the target, the largest first."""
    render.table(
        f"Models from the largest down, until one has {says}",
        ["model", "verdict", "parameters"],
        [
            [each.model, each.reason if each.row is None else in_words(each.row), f"{parameters[each.model]:,}"]
            for each in found
        ],
        left=2,
    )
    _show_assumed(each.row.key for each in found if each.row is not None)


def show_break_even(found: Sequence[BreakEven], scores: Mapping[str, float]) -> None:
    """Where a smaller model takes over."""
    for each in found:
        if each.p_minimax is None:
            render.line(f"{each.always} is better than the other of {each.larger} and {each.smaller} at any p_minimax.")
            continue
        spread = " (predicted; not in every simulation)"
        if each.ci95 is not None:
            spread = render.plus_minus((each.ci95[1] - each.ci95[0]) / 2, each.p_minimax, 5) + " (simulated, 95 %)"
        render.line(
            f"{each.larger} (score {scores[each.larger]:g}) is better above p_minimax {each.p_minimax:.5f}{spread}, "
            f"{each.smaller} (score {scores[each.smaller]:g}) {'just ' if each.also else ''}below."
        )
        if each.also:
            render.line(f"  They change places again at {', '.join(f'{p:.3f}' for p in each.also)} (predicted).")
        for model, row in ((each.larger, each.larger_row), (each.smaller, each.smaller_row)):
            render.line(
                f"  {model}: {_who(row)}, {render.percent(row.inaction)} inaction, actions "
                f"{render.number(row.delay_steps_mean)} steps late ({row.source})"
            )
    _show_assumed(row.key for each in found for row in (each.larger_row, each.smaller_row))
    render.line(
        "A model of score V is taken to earn V (1 - q) E[p_minimax^k] per step: nothing on the share q of default "
        "steps, nor where the world has moved on in the k steps of delay."
    )


def in_words(row: Row, never: float = 0.0, unsure: float = 0.0) -> str:
    """A row as a sentence's part; as a share of what ``never`` acting costs, if given.

    ``unsure`` is the half width of the interval that a delay curve leaves, reward per second.
    """
    text = _who(row)
    sure = row.simulated if row.confirmed else None
    scale = f", {100 * row.value / never:.1f} % of never acting's {_number(never)}" if never > 0 else ""
    if sure is None:
        half = render.plus_minus(unsure, row.regret_per_s) if unsure else ""
        return f"{text}, {_number(row.regret_per_s)}{half} per second{scale} ({row.source})"
    mark = f"; {row.source} {_number(row.regret_per_s)}" if row.source != "simulated" else ""
    disagrees = f", which disagrees in {row.disagrees}" if row.disagrees else ""
    return (
        f"{text}, {_number(sure.regret_per_s)}{_half(sure.regret_per_s_ci95, unsure=unsure)} per second{scale} "
        f"(simulated{mark}{disagrees}{'; ± with the delay curve' if unsure else ''}), "
        f"{render.percent(sure.inaction_fraction)} inaction"
    )


def _briefly(found: Plan, row: Row) -> str:
    half = _half(row.simulated.regret_per_s_ci95 if row.simulated else None, unsure=found.curve_leaves(row))
    return f"{_who(row)}, {_number(row.value)}{half} per second"


def _who(row: Row) -> str:
    return f"{row.key} with {row.workers} worker{'s' * (row.workers != 1)}"


def _table(title: str, rows: Sequence[Row]) -> None:
    wide = render.console().width >= WIDE
    cells = [(_cells if wide else _few_cells)(row) for row in rows]
    if cells:
        render.table(title, list(cells[0]), [list(each.values()) for each in cells], left=1 + wide)


def _cells(row: Row) -> dict[str, str]:
    """A row of the table, by column; simulated rows tell their numbers once, with intervals."""
    sure = row.simulated
    predicted, charged = row.inaction_source != "simulated", row.source != "simulated" and not row.confirmed
    shown = row if predicted or charged or sure is None else sure
    told = sure is not None and (predicted or not charged)
    return {
        "rule": row.key,
        "source": row.source if row.source == row.inaction_source else f"{row.source}; steps {row.inaction_source}",
        "workers": str(row.workers),
        "regret per s": _number(row.regret_per_s) if predicted or charged else "-",
        "inaction": _number(shown.inaction_per_s),
        "delay": _number(shown.delay_per_s),
        "learning": "unknown",
        "inaction of steps": render.percent(row.inaction_fraction) if predicted else "-",
        "delay steps": render.number(shown.delay_steps_mean),
        "simulated regret": _number(sure.regret_per_s) + _half(sure.regret_per_s_ci95) if sure and told else "-",
        "simulated inaction": _share(sure),
        "note": f"disagrees: {row.disagrees}" if row.disagrees else "",
    }


def _few_cells(row: Row) -> dict[str, str]:
    """A row of the table on a narrow terminal: what is known best, with its interval where it is simulated."""
    sure = row.simulated
    return {
        "rule": row.key,
        "workers": str(row.workers),
        "regret per s": _number(row.value) + _half(sure.regret_per_s_ci95 if sure else None),
        "inaction": render.percent(row.inaction, 1),
        "delay": render.number(sure.delay_steps_mean if sure else row.delay_steps_mean),
    }


def _share(sure: Simulated | None) -> str:
    if sure is None:
        return "-"
    return render.percent(sure.inaction_fraction) + _half(sure.inaction_fraction_ci95, 100, 2)


def _number(value: float) -> str:
    return "0" if render.is_rounding(value, 0.0) else f"{value:.4g}"


def _half(
    interval: tuple[float, float] | None, scale: float = 1.0, digits: int | None = None, unsure: float = 0.0
) -> str:
    if interval is None:
        return ""
    low, high = (scale * end for end in interval)
    return render.plus_minus(math.hypot((high - low) / 2, unsure), (low + high) / 2, digits)


def _interval(interval: tuple[float, float] | None, scale: float) -> str:
    return "" if interval is None else f" [{scale * interval[0]:.2f}, {scale * interval[1]:.2f}]"
