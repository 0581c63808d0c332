"""``rtsim profiles``."""

from __future__ import annotations

from rtsim.cli import render
from rtsim.cli.arguments import Profiles


def run(arguments: Profiles) -> int:
    """Print what the profiles hold."""
    from rtsim.timing import Profile, shipped, units
    from rtsim.timing.profiles import Samples

    def spread(samples: Samples | None) -> list[str]:
        if samples is None:
            return ["-", "-", "-"]
        summary = samples.to_json()["summary"]
        deviation = summary["std_ns"]
        return [
            units.show(summary["quantiles_ns"]["p50"] / 1e9),
            f"{units.show(summary['mean_ns'] / 1e9)} ± {'-' if deviation is None else units.show(deviation / 1e9)}",
            str(summary["n"]),
        ]

    profiles = [Profile.load(name) for name in ([arguments.profile] if arguments.profile else shipped())]
    if arguments.json:
        described = []
        for profile in profiles:
            data = profile.to_json()
            for model in data["models"].values():
                for entry in [model["inference"], *model["learning"].values()]:
                    if entry:
                        del entry["samples_ns"], entry["warmup_ns"]
            described.append(data)
        render.dump({"schema": "rtsim.profiles/1", "profiles": described})
        return 0
    for profile in profiles:
        name = arguments.profile or profile.name
        rows = []
        for key, model in profile.models.items():
            rows.append([f"profile:{name}#{key}", f"inference ({model.label})", *spread(model.inference)])
            for batch, samples in model.learning.items():
                rows.append([f"profile:{name}#{key}@batch{batch}", f"learning step, batch {batch}", *spread(samples)])
        render.line(f"{profile.name}: {profile.description}")
        if profile.machine.get("cpu"):
            render.line(f"measured on {profile.machine['cpu']}, {profile.created}")
        render.table("", ["law", "what", "median", "mean ± sd", "samples"], rows, left=2)
    return 0
