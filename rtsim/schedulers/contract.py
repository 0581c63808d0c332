"""Whether a rule answers what it may: for the clocks that call rules from Python, simpy's and the wall's."""

from __future__ import annotations

from rtsim.errors import RuleFault
from rtsim.schedulers.rule import DROP


def check_start(rule: object, answer: int, now: int, step: int) -> None:
    """Refuse an answer of ``next_start`` that is no time from now on and no later step.

    Parameters
    ----------
    rule : object
        For the message.
    answer : int
        ns, or ``at_step(j)``.
    now : int, ns
    step : int
        The newest one that has begun.

    Raises
    ------
    RuleFault

    >>> check_start("mine", 3, now=5, step=0)
    Traceback (most recent call last):
    rtsim.errors.RuleFault: rule mine answers time 3 ns at 5 ns; not in the past
    """
    if not isinstance(answer, int):
        raise RuleFault(f"rule {rule} answers {answer!r}; answers are whole ns or at_step(j)")
    if answer < 0:
        if -1 - answer <= step:
            raise RuleFault(f"rule {rule} waits for step {-1 - answer} at step {step}; it must be later")
    elif answer < now:
        raise RuleFault(f"rule {rule} answers time {answer} ns at {now} ns; not in the past")


def check_end(rule: object, release: int, free: int, now: int, step: int) -> None:
    """Refuse an answer of ``on_end``: a release or freedom in the past, or an action held for a step that has begun.

    Parameters
    ----------
    rule : object
        For the message.
    release : int
        ns, ``at_step(j)`` or :data:`~rtsim.schedulers.rule.DROP`.
    free : int, ns
        When the worker is free again.
    now : int, ns
    step : int
        The newest one that has begun.

    Raises
    ------
    RuleFault

    >>> check_end("mine", DROP, free=5, now=5, step=0)
    >>> check_end("mine", -1 - 2, free=5, now=5, step=2)
    Traceback (most recent call last):
    rtsim.errors.RuleFault: rule mine holds an action for step 2 at step 2; it must be later
    """
    if free < now or 0 <= release < now:
        raise RuleFault(f"rule {rule} answers release {release}, free {free} at {now} ns; not in the past")
    if DROP < release < 0 and -1 - release <= step:
        raise RuleFault(f"rule {rule} holds an action for step {-1 - release} at step {step}; it must be later")
