"""Agents by name: ``oracle``, ``qucb(bonus=0.1)``, as on the command line."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from rtsim.agents.policies import Oracle, Pending, Policy
from rtsim.agents.q_learning import QUCB, EpsilonGreedyQ
from rtsim.agents.ucrl2 import UCRL2
from rtsim.errors import InvalidValue, UnknownName
from rtsim.timing import grammar, units


@dataclass(frozen=True)
class Agent:
    """A named agent: one line on what it is, its source, and the class of those that learn."""

    name: str
    summary: str
    source: str
    learner: type[UCRL2 | QUCB | EpsilonGreedyQ] | None = None


AGENTS: Mapping[str, Agent] = {
    agent.name: agent
    for agent in (
        Agent("best", "the best memoryless policy for the Schedule's delay: nothing is left to learn", "ours"),
        Agent(
            "oracle", "acts on the true current state, however late: what delay costs is the difference to it", "ours"
        ),
        Agent(
            "pending",
            "knows its pending actions and acts on what the state is likely to be",
            "Katsikopoulos & Engelbrecht 2003",
        ),
        Agent("ucrl2", "optimism in the face of uncertainty", "Jaksch et al. 2010", UCRL2),
        Agent("qucb", "optimistic Q-learning for average reward", "Jin et al. 2018; Wei et al. 2020", QUCB),
        Agent(
            "egreedy", "discounted Q-learning that explores with probability epsilon", "Watkins 1989", EpsilonGreedyQ
        ),
    )
}
#: Fields of learners that are not for texts: they depend on what else is simulated.
_NOT_OPTIONS = ("every_step", "component", "reward_range")


@dataclass(frozen=True)
class AgentSpec:
    """An agent with its options.

    >>> str(AgentSpec.of("egreedy(epsilon=0.2)"))
    'egreedy(epsilon=0.2)'
    """

    agent: Agent
    options: tuple[tuple[str, float | str], ...] = ()

    @classmethod
    def of(cls, text: str | AgentSpec) -> AgentSpec:
        """An agent from its name, with options in parentheses.

        Raises
        ------
        InvalidValue, UnknownName
        """
        if isinstance(text, AgentSpec):
            return text
        node = grammar.parse(text, "agent")
        name = node.text if isinstance(node, grammar.Word) else getattr(node, "name", None)
        if not isinstance(name, str) or (isinstance(node, grammar.Call) and node.positional):
            raise InvalidValue(f"agent {text!r} must read NAME or NAME(option=value, ...), e.g. qucb(bonus=0.1)")
        if name not in AGENTS:
            raise UnknownName("agent", name, AGENTS)
        known = AGENTS[name].learner
        names = [f.name for f in fields(known) if f.name not in _NOT_OPTIONS] if known else []
        options: list[tuple[str, float | str]] = []
        for key, value in (node.keywords if isinstance(node, grammar.Call) else {}).items():
            if key not in names:
                raise UnknownName("option", key, names or ["(none)"], of=f"agent {name!r}")
            if isinstance(value, grammar.Quantity) and not value.unit:
                options.append((key, value.value))
            elif isinstance(value, grammar.Word):
                options.append((key, value.text))
            else:
                raise InvalidValue(f"option {key} of agent {name!r} must be a bare number or a word")
        if known:
            known(**dict(options))  # type: ignore[arg-type]  # refuses wrong values now, not in the middle of a run
        return cls(AGENTS[name], tuple(options))

    def __str__(self) -> str:
        spelt = [(key, units.exact(value) if isinstance(value, float) else value) for key, value in self.options]
        inside = ", ".join(f"{key}={value}" for key, value in spelt)
        return f"{self.agent.name}({inside})" if inside else self.agent.name

    def policy(self, best: Policy | None, learns: bool) -> Policy:
        """The policy; learners learn after every step, in no time, where the Schedule has no updates.

        Parameters
        ----------
        best : Policy or None
            The best delayed policy; needed by the agent of this name alone.
        learns : bool
            Whether the Schedule has updates.
        """
        if self.agent.name == "best":
            assert best is not None
            return best
        return self.made() if self.agent.learner is None else self.made(every_step=not learns)

    def made(self, **given: Any) -> Policy:
        """The policy; see :func:`of`."""
        name, learner = self.agent.name, self.agent.learner
        if name == "best":
            raise InvalidValue(
                "agent 'best' depends on the MDP and the Schedule; take rtsim.regret.reference(mdp, schedule)[0]"
            )
        known = [field.name for field in fields(learner)] if learner else []
        for option in given:
            if option not in known:
                raise UnknownName("option", option, known or ["(none)"], of=f"agent {name!r}")
        knowing: dict[str, Callable[..., Policy]] = {"oracle": Oracle, "pending": Pending}
        kind = learner or knowing[name]
        return kind(**{**dict(self.options), **given})


def of(text: str | Policy, **given: Any) -> Policy:
    """An agent from a text, as on the command line.

    Parameters
    ----------
    text : str
        A name and its options, ``"qucb(bonus=0.1)"``. A policy is returned as it is.
    given
        Fields of the learner's class as keywords, ``every_step=True`` for one; they win over those of the text.

    Raises
    ------
    InvalidValue, UnknownName
        Also for ``best``, which a name does not determine: it is what :func:`rtsim.regret.reference` finds for an MDP
        and a Schedule.

    >>> of("qucb(bonus=0.1)", every_step=True).bonus, of("oracle")
    (0.1, Oracle(table=None))
    >>> of("quick")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    rtsim.errors.UnknownName: agent 'quick' unknown (did you mean 'qucb'?); choose from best, egreedy, ...
    """
    if not isinstance(text, str):
        if given:
            raise InvalidValue("an agent that is built already takes no options")
        return text
    return AgentSpec.of(text).made(**given)
