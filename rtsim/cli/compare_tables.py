"""How ``rtsim compare`` prints a comparison."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rtsim.cli import render
from rtsim.cli.settings import deadline_text

if TYPE_CHECKING:
    from rtsim.experiments import Comparison
    from rtsim.experiments.comparison import Difference, Row
    from rtsim.experiments.regrets import RegretRow


#: Not called a worst case, as an MDP of more reward, or a policy that does not know its pending actions, can lose more.
EQUATIONS = "Equation 3 / Equation 4 for this Schedule's delays"


def show(result: Comparison) -> None:
    """Settings, inaction, and, where they were asked for, learning, regret and the workers required."""
    _settings(result)
    _inaction(result)
    if result.scenario["learning_time"] is not None:
        _learning(result)
    if result.scenario["mdp"] is not None:
        _regret(result)
    if result.required_workers:
        _required(result)


def _settings(result: Comparison) -> None:
    from rtsim.timing import units

    settings, step = result.scenario, result.step_time_s
    render.line(
        f"inference {settings['inference_time']} (mean {units.show(result.inference_time_s)}), "
        f"step {settings['step_time']} ({units.show(step)}), mailbox {settings['mailbox']}; "
        f"{settings['steps']} steps, of which {settings['warmup_steps']} warm-up; "
        f"seeds {settings['seed']} to {settings['seed'] + settings['seeds'] - 1}"
    )
    if settings["dispatch_time"] is not None:
        render.line(f"dispatch {settings['dispatch_time']}, part of every inference")
    for spec in result.design.alg:
        deadline = deadline_text(result.design.base.with_(rule=spec))
        if deadline:
            render.line(f"{spec}: {deadline}")
    if settings["learning_time"] is not None:
        render.line(
            f"learning {settings['learning_time']}; learners {settings['learners']} ({settings['learner_rule']}), "
            f"batch {settings['batch']}, from step {settings['learning_starts']}"
        )


def _inaction(result: Comparison) -> None:
    differences = {(d.key, d.workers): d for d in result.paired_differences}
    several = len(result.design.alg) > 1
    rows = []
    for row in result.rows:
        cells = _cells(row)
        if several:
            cells[f"against {result.design.alg[0]}, paired"] = _against(differences.get((row.key, row.workers)))
        rows.append(cells)
    _table("Steps left to the default policy", rows)


def _table(title: str, rows: list[dict[str, str]]) -> None:
    """Rows of cells by column; all have the same columns."""
    if rows:
        render.table(title, list(rows[0]), [list(cells.values()) for cells in rows])


def _cells(row: Row) -> dict[str, str]:
    ci, wait = row.inaction_fraction_ci95, row.interaction_time_s
    spread = "" if ci is None else f" [{100 * ci[0]:.2f}, {100 * ci[1]:.2f}]"
    p99 = "-" if row.delay_steps_p99 is None else row.delay_steps_p99
    return {
        "rule": row.key,
        "workers": str(row.workers),
        "inaction [95 %]": render.percent(row.inaction_fraction) + spread,
        "theory": render.percent(row.theory_inaction_fraction),
        "capacity limit": render.percent(row.capacity_limit),
        "interaction ms ± sd": "-"
        if wait is None
        else f"{wait * 1e3:.2f} ± {(row.interaction_time_std_s or 0) * 1e3:.2f}",
        "delay mean / p99 steps": f"{render.number(row.delay_steps_mean, 1)} / {p99}",
        "overwritten": render.percent(row.overwritten_fraction, 1),
    }


def _against(found: Difference | None) -> str:
    """A difference of two shares, which is one of percentage points: 14 pp more than 50 % are not 14 % more."""
    if found is None:
        return ""
    if found.ci95 is None:
        return f"{100 * found.mean:+.2f} pp"
    mark = {"not significant": " n.s.", "small": " small"}.get(found.verdict, "")
    return f"{100 * found.mean:+.2f} ± {100 * (found.ci95[1] - found.mean):.2f} pp{mark}"


def _required(result: Comparison) -> None:
    render.table(
        f"Workers required for inaction <= {100 * result.scenario['target']:g} %",
        ["rule", "note", "simulated", "paper's formula"],
        [
            [
                key,
                found.reason or f"inaction {render.percent(found.inaction_fraction)}",
                "none" if found.workers is None else str(found.workers),
                "-" if found.paper_formula is None else str(found.paper_formula),
            ]
            for key, found in result.required_workers.items()
        ],
        left=2,
    )


def _regret(result: Comparison) -> None:
    told = [row.regret for row in result.rows if row.regret is not None]
    settings = result.scenario
    gain = told[0].gain_per_step / result.step_time_s if told else 0.0
    _table(
        f"Regret on {settings['mdp']}, agent {settings['agent']}, reward per second "
        f"(optimal gain {gain:.4g} per second)",
        [_regret_cells(row, row.regret, result.design.learns) for row in result.rows if row.regret is not None],
    )
    how = {"expected": "expected values", "rollout": "of one rollout per seed"}
    known = " or ".join(sorted({how[each.reference] for each in told}))
    best = " or ".join(sorted({each.best for each in told}))
    whose = "the agent itself" if best == "agent" else f"the best memoryless delayed policy of each Schedule ({best})"
    render.line(f"Inaction and delay are those of {whose}: {known}.")
    render.line(
        "The rest is luck, and what the last state is worth more or less than the first; with it the parts add up."
    )
    if settings["warmup_steps"]:
        render.line("Regret is that of all steps; inaction in per cent, above, leaves the warm-up out.")


def _regret_cells(row: Row, found: RegretRow, learns: bool) -> dict[str, str]:
    cells = {
        "rule": row.key,
        "workers": str(row.workers),
        "total [95 %]": _rate(found.total_per_s, found.total_per_s_ci95),
        "inaction": _rate(found.inaction_per_s, found.inaction_per_s_ci95),
        "delay": _rate(found.delay_per_s, found.delay_per_s_ci95),
        "learning": _rate(found.learn_per_s, found.learn_per_s_ci95),
        "rest": _rate(-found.boundary_per_s - found.noise_per_s),
        EQUATIONS: f"{_rate(found.bound['inaction_per_s'])} / {_rate(found.bound['delay_per_s'])}",
    }
    return cells | ({"learning: lower bound, constant 1": _rate(found.bound["learn_per_s"])} if learns else {})


def _rate(value: float | None, ci: tuple[float, float] | None = None) -> str:
    text = "-" if value is None else render.number(value, 3)
    return text if ci is None else f"{text} ± {render.number((ci[1] - ci[0]) / 2, 3)}"


def _learning(result: Comparison) -> None:
    from rtsim.theory import required_learners

    base = result.design.base
    assert base.learning_time is not None
    needed = required_learners(base.learning_time.mean, base.batch, base.step_mean)
    render.line(f"To learn from every transition takes ⌈τ_L/(B τ_M)⌉ = {needed} round-robin learners.")
    render.table(
        "Learning",
        ["rule", "workers", "transitions per step", "update staleness, mean updates"],
        [
            [r.key, str(r.workers), render.number(r.transitions_per_step, 3), render.number(r.update_staleness_mean)]
            for r in result.rows
        ],
    )
