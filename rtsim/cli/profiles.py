"""``rtsim profiles``."""

from __future__ import annotations

from rtsim.cli import render
from rtsim.cli.arguments import Profiles


def run(arguments: Profiles) -> int:
    """Print what the profiles hold."""
    from rtsim.timing import Profile, shipped

    profiles = [Profile.load(name) for name in ([arguments.profile] if arguments.profile else shipped())]
    if arguments.json:
        render.dump({"schema": "rtsim.profiles/1", "profiles": [render.without_samples(p) for p in profiles]})
        return 0
    for profile in profiles:
        name = arguments.profile or profile.name
        rows = []
        for key, model in profile.models.items():
            rows.append([f"profile:{name}#{key}", f"inference ({model.label})", *render.samples_cells(model.inference)])
            for batch, samples in model.learning.items():
                rows.append(
                    [
                        f"profile:{name}#{key}@batch{batch}",
                        f"learning step, batch {batch}",
                        *render.samples_cells(samples),
                    ]
                )
        rows += [[f"profile:{name}#{law}", *cells] for law, *cells in render.live_rows(profile)]
        render.line(f"{profile.name}: {profile.description}")
        if profile.machine.get("cpu"):
            render.line("measured on " + ", ".join(filter(None, (profile.machine["cpu"], profile.created))))
        render.table("", ["law", "what", *render.SAMPLES_COLUMNS], rows, left=2)
    return 0
