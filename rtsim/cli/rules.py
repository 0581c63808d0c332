"""``rtsim rules``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rtsim.cli import render
from rtsim.cli.arguments import Rules

if TYPE_CHECKING:
    from rtsim.schedulers import Rule, RuleSpec


def run(arguments: Rules) -> int:
    """Print the registry."""
    from rtsim.errors import RuleFault
    from rtsim.schedulers import LEARNER_RULES, RuleSpec, find, names

    if arguments.rule:
        return _explain(find(arguments.rule), arguments.json)
    rules = []
    for name in names():
        try:
            rules.append(find(name))
        except RuleFault as fault:  # somebody else's package; the others are still of use
            render.note(f"rtsim: {fault}")
    if arguments.json:
        data = {
            "schema": "rtsim.rules/1",
            "rules": [_described(rule) for rule in rules],
            "learner_rules": [
                {"name": rule.name, "summary": rule.summary, "source": rule.source} for rule in LEARNER_RULES.values()
            ],
        }
        render.dump(data)
        return 0
    render.table(
        "Scheduler rules (--alg)",
        ["rule", "what it does", "options", "source"],
        [[r.name, r.summary, _options(RuleSpec.of(r.name)), r.source] for r in rules],
        left=4,
    )
    render.table(
        "Learner rules (--learner-rule)",
        ["rule", "what it does", "source"],
        [[r.name, r.summary, r.source] for r in LEARNER_RULES.values()],
        left=3,
    )
    return 0


def _described(rule: Rule) -> dict[str, Any]:
    return {
        "alg": rule.name,
        "summary": rule.summary,
        "source": rule.source,
        "single_worker": rule.single_worker,
        "options": {
            name: {
                "kind": option.kind,
                "default": None if option.default is None else option.spell(option.default),
                "help": option.help,
                **({"choices": list(option.choices)} if option.choices else {}),
            }
            for name, option in rule.options.items()
        },
    }


def _explain(rule: Rule, as_json: bool) -> int:
    """Print one rule with the meaning of its options."""
    data = _described(rule)
    if as_json:
        render.dump({"schema": "rtsim.rule/1", **data})
        return 0
    render.line(f"{rule.name}: {rule.summary} ({rule.source})")
    rows = [
        [name, entry["default"] or "-", " or ".join(entry.get("choices", [])) or entry["kind"], entry["help"]]
        for name, entry in data["options"].items()
    ]
    if rows:
        render.table(
            f'Options, as in "{rule.name}({rows[0][0]}=...)"', ["option", "default", "kind", "meaning"], rows, left=4
        )
    return 0


def _options(spec: RuleSpec) -> str:
    shown = []
    for name, option in spec.rule.options.items():
        shown.append(name if option.default is None else f"{name}={option.spell(option.default)}")
    return ", ".join(shown) or "-"
