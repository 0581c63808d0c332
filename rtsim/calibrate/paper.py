"""The delays that the first paper's authors published, as the shipped profile ``paper``.

Sources: Riemer et al. 2025, Sec. 5 and App. A, and the lists of delays by model size in the
README of the authors' code (CERC-AAI/realtime_rl).
"""

from __future__ import annotations

from fractions import Fraction
from types import MappingProxyType

from rtsim.networks.sizes import PUBLISHED_K
from rtsim.timing.profiles import ModelTimes, Profile, Samples
from rtsim.timing.units import NS

#: Frames per second of the Game Boy (Riemer et al. 2025, Sec. 5).
GAME_BOY_FPS = Fraction("59.7275")
#: Published delays in environment steps, smallest model first, by depth.
DELAYS = MappingProxyType({15: (1, 5, 8, 70, 596), 30: (3, 29, 47, 80, 750)})
#: Published sizes, by depth; the exact counts of the networks are within ten percent of them.
NOMINAL_PARAMETERS = MappingProxyType(
    {
        15: (55_000, 1_000_000, 10_000_000, 100_000_000, 1_000_000_000),
        30: (70_000, 1_000_000, 10_000_000, 100_000_000, 1_000_000_000),
    }
)
_LABELS = MappingProxyType(
    {
        15: ("55k", "1M", "10M", "100M", "1B"),
        30: ("deep-70k", "deep-1M", "deep-10M", "deep-100M", "deep-1B"),
    }
)


def paper_profile() -> Profile:
    """The profile ``paper``: one inference time per published model, and no learning times.

    A published delay of d steps says that the inference took more than d − 1 and at most d
    steps of the Game Boy's 59.7275 frames per second; its middle, d − ½ steps, is stored.

    >>> paper_profile().samples("1B").samples_ns
    (9970281696,)
    """
    models: dict[str, ModelTimes] = {}
    for depth, delays in DELAYS.items():
        rows = zip(PUBLISHED_K[depth], delays, NOMINAL_PARAMETERS[depth], _LABELS[depth], strict=True)
        for k, delay, parameters, label in rows:
            middle = round((delay - Fraction(1, 2)) * NS / GAME_BOY_FPS)
            note = (
                f"published delay of {delay} steps at 59.7275 frames/s, stored as {delay - 0.5:g} steps; "
                "one value, so it says nothing about the spread"
            )
            models[f"resnet{depth}-k{k:g}"] = ModelTimes(
                label=label,
                parameters=parameters,
                settings={
                    "family": "resnet",
                    "depth": depth,
                    "k": k,
                    "device": "cpu",
                    "threads": 1,
                    "precision": "fp32",
                    "delay_steps": delay,
                },
                inference=Samples((middle,), note=note),
            )
    return Profile(
        name="paper",
        description=(
            "Delays published by Riemer et al. 2025, Enabling Realtime Reinforcement Learning at Scale with Staggered "
            "Asynchronous Inference (App. A, and the README of the code the authors published, CERC-AAI/realtime_rl), "
            "in steps of 59.7275 "
            "frames/s, stored as the delay less half a step. Single values: they carry no spread. Parameters are the "
            "published nominal sizes. The delays of 30 convolutions are listed for Atari at 60 frames/s; at all but "
            "the largest model the two rates give the same delay."
        ),
        machine={
            "cpu": "Intel Xeon Gold 6148 @ 2.40GHz",
            "cores_per_process": 1,
            "source": "Riemer et al. 2025, Sec. 5",
        },
        models=models,
    )
