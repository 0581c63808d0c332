"""The arguments of every command, as dataclasses: one field, one flag, one TOML key."""

from rtsim.cli.arguments.listed import Games, ImportRom, Mdps, Profiles, Rules
from rtsim.cli.arguments.real import Calibrate, Measure, Play, Replay
from rtsim.cli.arguments.simulated import Compare, Plan, Report, ScenarioArguments, Simulate, Sweep
from rtsim.cli.arguments.trained import Evaluate, Figures, Train

#: By the name of the command; ``rtsim.cli.NAME`` runs it.
COMMANDS = {
    "compare": Compare,
    "plan": Plan,
    "simulate": Simulate,
    "sweep": Sweep,
    "report": Report,
    "rules": Rules,
    "mdps": Mdps,
    "games": Games,
    "import-rom": ImportRom,
    "play": Play,
    "replay": Replay,
    "train": Train,
    "evaluate": Evaluate,
    "measure": Measure,
    "profiles": Profiles,
    "calibrate": Calibrate,
    "figures": Figures,
}

__all__ = [
    "COMMANDS",
    "Calibrate",
    "Compare",
    "Evaluate",
    "Figures",
    "Games",
    "ImportRom",
    "Mdps",
    "Measure",
    "Plan",
    "Play",
    "Profiles",
    "Replay",
    "Report",
    "Rules",
    "ScenarioArguments",
    "Simulate",
    "Sweep",
    "Train",
]
