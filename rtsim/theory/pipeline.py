"""Networks whose layers run in parallel: the second paper's propositions as functions."""

from __future__ import annotations

from typing import Literal

from rtsim.errors import UnknownName
from rtsim.theory.bounds import delay_regret_per_action
from rtsim.theory.inaction import ceil_ratio
from rtsim.theory.inputs import count, positive


def pipeline_delay(layers: int, layer_steps: float, skip: bool = False) -> int:
    """Age in steps of the observation an action rests on in a pipelined network: ⌈Nδ⌉, or ⌈δ⌉ with skip connections.

    Anokhin et al. 2025, Section 3.1 and Proposition 1. True if a layer takes a whole number of steps, or a step a whole
    number of layers; else a layer begins in the middle of a step with an observation that is already old, and some
    actions are one step later than this (``theory/proposition_1.py``).

    Parameters
    ----------
    layers : int
        N.
    layer_steps : float
        δ, steps that one layer takes.
    skip : bool
        Temporal skip connections: the freshest input passes one layer.

    >>> pipeline_delay(5, 1.0), pipeline_delay(5, 1.0, skip=True), pipeline_delay(5, 0.5)
    (5, 1, 3)
    """
    positive(layer_steps=layer_steps)
    layers = count(layers, "layers")
    return ceil_ratio(layer_steps * (1 if skip else layers), 1.0)


def pipeline_delay_regret(steps: int, layers: int, layer_steps: float, p_minimax: float, skip: bool = False) -> float:
    """Proposition 1: t (1 − p_minimax^⌈Nδ⌉) without, t (1 − p_minimax^⌈δ⌉) with temporal skip connections.

    Anokhin et al. 2025, Eqs. 1 and 2; a worst case, like Equation 4 of Riemer et al. 2025.

    Parameters
    ----------
    steps : int
        t.
    layers, layer_steps, p_minimax, skip
        As for :func:`pipeline_delay`.

    >>> pipeline_delay_regret(1000, 4, 0.5, 0.5), pipeline_delay_regret(1000, 4, 0.5, 0.5, skip=True)
    (750.0, 500.0)
    """
    return count(steps, "steps", 0) * delay_regret_per_action(p_minimax, pipeline_delay(layers, layer_steps, skip))


def pipeline_inaction_regret(
    t: int, layer_steps: float, layers: int = 1, per: Literal["interaction", "step"] = "interaction"
) -> float:
    """Proposition 3: t (δ − 1) for a pipeline; one layer after the other it would be t (Nδ − 1).

    Anokhin et al. 2025, App. H, Eq. 5, counts t in interactions of the agent, δ steps apart. Per environment step the
    inaction of the worst case is (δ − 1)/δ.

    Parameters
    ----------
    t : int
        Interactions, or environment steps with ``per="step"``.
    layer_steps : float
        δ, steps that one layer takes.
    layers : int
        N of a network that does *not* run its layers in parallel; 1 for a pipeline of any depth.
    per : {"interaction", "step"}

    >>> pipeline_inaction_regret(100, 4.0), pipeline_inaction_regret(100, 4.0, per="step")
    (300.0, 75.0)
    """
    if per not in ("interaction", "step"):
        raise UnknownName("per", str(per), ("interaction", "step"))
    positive(layer_steps=layer_steps)
    t = count(t, "t", 0)
    between = count(layers, "layers") * layer_steps
    lost = max(between - 1.0, 0.0)
    return t * (lost if per == "interaction" else lost / max(between, 1.0))
