"""Profiles: inference and learning times measured on real hardware, as versioned JSON.

A profile holds the raw samples, not only their mean, together with the machine they came
from, so that anyone can redo the statistics. It is data, never code.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from rtsim.errors import FileProblem, InvalidValue, UnknownName, read_text, write_atomically

SCHEMA = "rtsim.profile/1"
MAX_BYTES = 200_000_000
#: How what the live loop costs is called in a law: ``profile:FILE.json#live.dispatch``.
LIVE_PREFIX = "live."


@dataclass(frozen=True)
class Samples:
    """Raw durations of one repeated operation.

    Attributes
    ----------
    samples_ns : tuple of int, shape (n,), nanoseconds, > 0
        Durations after warm-up, in the order measured.
    warmup_ns : tuple of int, shape (w,), nanoseconds
        The first runs, reported but not part of any statistic.
    note : str
        E.g. why measuring stopped.
    """

    samples_ns: tuple[int, ...]
    warmup_ns: tuple[int, ...] = ()
    note: str = ""

    def to_json(self) -> dict[str, Any]:
        """The samples with their summary (quantiles in ns) as JSON values."""
        values = np.array(self.samples_ns, dtype=np.float64)
        points = {"p1": 1, "p10": 10, "p50": 50, "p90": 90, "p99": 99, "p99.9": 99.9}
        quantiles = {k: int(np.percentile(values, q, method="inverted_cdf")) for k, q in points.items()}
        summary = {
            "n": len(self.samples_ns),
            "mean_ns": round(float(values.mean()), 1),
            "std_ns": round(float(values.std(ddof=1)), 1) if len(values) > 1 else None,
            "min_ns": int(values.min()),
            "max_ns": int(values.max()),
            "quantiles_ns": quantiles,
        }
        return {
            "summary": summary,
            "note": self.note,
            "warmup_ns": list(self.warmup_ns),
            "samples_ns": list(self.samples_ns),
        }


@dataclass(frozen=True)
class ModelTimes:
    """Times of one network on one machine in one configuration.

    Attributes
    ----------
    label : str
        Short name by parameter count, e.g. ``"100M"``.
    parameters : int
        Number of trainable parameters.
    settings : mapping
        Family, k, depth, device, threads, precision and the like: JSON values.
    inference : Samples or None
        One action inference at batch 1.
    learning : mapping of int to Samples
        One gradient update, by batch size.
    """

    label: str
    parameters: int
    settings: Mapping[str, Any] = field(default_factory=dict)
    inference: Samples | None = None
    learning: Mapping[int, Samples] = field(default_factory=dict)


@dataclass(frozen=True)
class LiveTimes:
    """What the live loop itself costs on one machine, beside inference and learning.

    Attributes
    ----------
    settings : mapping
        How it was measured: games, workers, seconds. JSON values.
    times : mapping of str to Samples
        By name, e.g. ``"dispatch"``; :mod:`rtsim.calibrate.live` says what each is.
    """

    settings: Mapping[str, Any] = field(default_factory=dict)
    times: Mapping[str, Samples] = field(default_factory=dict)


@dataclass(frozen=True)
class Profile:
    """Measured times of several models on one machine, and of the live loop if ``live`` is given.

    >>> paper = Profile.load("paper")
    >>> sorted(paper.models)[:2]
    ['resnet15-k0.0625', 'resnet15-k1']
    >>> paper.find("1B").parameters
    1000000000
    """

    name: str
    description: str
    machine: Mapping[str, Any]
    models: Mapping[str, ModelTimes]
    created: str = ""
    live: LiveTimes | None = None

    def find(self, model: str) -> ModelTimes:
        """The model with this key, or the only one with this label.

        Raises
        ------
        UnknownName
            If none or several match.
        """
        if model in self.models:
            return self.models[model]
        labelled = [m for m in self.models.values() if m.label == model]
        if len(labelled) == 1:
            return labelled[0]
        names = list(self.models) + [m.label for m in self.models.values()]
        kind = f"profile {self.name!r}: {'ambiguous ' if labelled else ''}model"
        raise UnknownName(kind, model, {n for n in names if n != model or not labelled})

    def samples(self, model: str, batch: int | None = None) -> Samples:
        """Inference samples of a model, or its learning samples at a batch size; ``live.NAME``: of the live loop.

        Raises
        ------
        UnknownName, InvalidValue
            If there are none.
        """
        if model.startswith(LIVE_PREFIX) and model not in self.models:
            return self._live_samples(model.removeprefix(LIVE_PREFIX), batch)
        found = self.find(model)
        if batch is None:
            if found.inference is None:
                raise InvalidValue(f"profile {self.name!r} has no inference times for {model!r}; calibrate them")
            return found.inference
        if batch not in found.learning:
            known = ", ".join(map(str, sorted(found.learning))) or "none"
            raise InvalidValue(
                f"profile {self.name!r} has no learning times for {model!r} at batch {batch} (has: {known}); "
                f"run rtsim calibrate --batch {batch}"
            )
        return found.learning[batch]

    def _live_samples(self, name: str, batch: int | None) -> Samples:
        if self.live is None:
            raise InvalidValue(
                f"profile {self.name!r} does not say what the live loop costs; run rtsim calibrate --live only"
            )
        if batch is not None:
            raise InvalidValue(
                f"{LIVE_PREFIX}{name} of profile {self.name!r} is no learning step; give a model, or leave @batch out"
            )
        if name not in self.live.times:
            raise UnknownName(f"time of the live loop in profile {self.name!r}", name, self.live.times)
        return self.live.times[name]

    def to_json(self) -> dict[str, Any]:
        """The profile as JSON values, schema ``rtsim.profile/1``.

        ``"live"`` is there only if it was measured; readers that do not know it leave it out.
        """
        live: dict[str, Any] = {}
        if self.live is not None:
            times = {name: samples.to_json() for name, samples in self.live.times.items()}
            live = {"live": {"settings": dict(self.live.settings), "times": times}}
        return {
            "schema": SCHEMA,
            "name": self.name,
            "description": self.description,
            "created": self.created,
            "machine": dict(self.machine),
            "models": {
                key: {
                    "label": m.label,
                    "parameters": m.parameters,
                    "settings": dict(m.settings),
                    "inference": m.inference.to_json() if m.inference else None,
                    "learning": {str(b): s.to_json() for b, s in m.learning.items()},
                }
                for key, m in self.models.items()
            },
            **live,
        }

    def save(self, path: str | Path) -> Path:
        """Write the profile as JSON; the file appears whole or not at all."""
        text = json.dumps(self.to_json(), indent=1, ensure_ascii=False)
        # Keep the long lists of samples on one line each: readable, and small in diffs.
        compact = _join_number_lists(text)
        return write_atomically(path, (compact + "\n").encode())

    @classmethod
    def load(cls, name: str | Path) -> Profile:
        """Load a shipped profile by name, or any profile file by path (``*.json``).

        Raises
        ------
        FileProblem
            If the file is missing, truncated, or not a profile of a known schema.
        UnknownName
            If no shipped profile has that name.
        """
        text_name = str(name)
        if text_name.endswith(".json") or "/" in text_name or "\\" in text_name:
            text = read_text(text_name, "profile", MAX_BYTES)
        else:
            if text_name not in shipped():
                raise UnknownName("profile", text_name, shipped())
            text = (resources.files("rtsim.timing") / "data" / f"{text_name}.json").read_text(encoding="utf-8")
        try:
            data = json.loads(text, parse_constant=_refuse_constant, parse_float=_finite)
            json.dumps(data, ensure_ascii=False).encode()  # lone surrogates cannot be printed
        except (ValueError, RecursionError) as error:
            raise FileProblem(f"profile {text_name!r} is not whole JSON ({error}); write it anew") from error
        return _parse(data, text_name)


def shipped() -> list[str]:
    """Names of the profiles that come with rtsim."""
    folder = resources.files("rtsim.timing") / "data"
    return sorted(p.name.removesuffix(".json") for p in folder.iterdir() if p.name.endswith(".json"))


def _refuse_constant(text: str) -> float:
    raise json.JSONDecodeError(f"{text} is not a number", text, 0)


def _finite(text: str) -> float:
    value = float(text)
    return value if math.isfinite(value) else _refuse_constant(text)


def _join_number_lists(text: str) -> str:
    return re.sub(r"\[[\s\d,]+\]", lambda m: "[" + ", ".join(m[0][1:-1].split()).replace(",,", ",") + "]", text)


def _parse(data: object, source: str) -> Profile:
    """Turn JSON values into a Profile, naming the first field that is wrong."""

    def need(value: object, kind: type | tuple[type, ...], where: str) -> Any:
        if not isinstance(value, kind) or isinstance(value, bool):
            raise FileProblem(
                f"profile {source!r}: {where} is {_brief(value)}; not a profile written by rtsim calibrate"
            )
        return value

    def ns_list(value: object, where: str) -> tuple[int, ...]:
        items = need(value, list, where)
        for item in items:
            if isinstance(item, bool) or not isinstance(item, int) or not 0 <= item <= 10**15:
                raise FileProblem(f"profile {source!r}: {where} holds {_brief(item)}; samples are whole ns in 0..1e15")
        return tuple(items)

    def samples(value: object, where: str) -> Samples:
        entry = need(value, dict, where)
        measured = ns_list(entry.get("samples_ns"), f"{where}.samples_ns")
        if not measured:
            raise FileProblem(f"profile {source!r}: {where}.samples_ns is empty; measure it again")
        note = need(entry.get("note", ""), str, f"{where}.note")
        return Samples(measured, ns_list(entry.get("warmup_ns", []), f"{where}.warmup_ns"), note)

    root = need(data, dict, "the file")
    if root.get("schema") != SCHEMA:
        raise FileProblem(f"profile {source!r} has schema {_brief(root.get('schema'))}; this version reads {SCHEMA!r}")
    models: dict[str, ModelTimes] = {}
    for key, value in need(root.get("models"), dict, "models").items():
        entry = need(value, dict, f"models.{key}")
        learning: dict[int, Samples] = {}
        for batch, item in need(entry.get("learning", {}), dict, f"models.{key}.learning").items():
            if not re.fullmatch(r"[1-9][0-9]{0,8}", batch):
                raise FileProblem(f"profile {source!r}: models.{key}.learning has batch {batch!r}; batches are >= 1")
            learning[int(batch)] = samples(item, f"models.{key}.learning.{batch}")
        inference = entry.get("inference")
        parameters = need(entry.get("parameters"), int, f"models.{key}.parameters")
        models[key] = ModelTimes(
            label=need(entry.get("label", key), str, f"models.{key}.label"),
            parameters=parameters,
            settings=need(entry.get("settings", {}), dict, f"models.{key}.settings"),
            inference=None if inference is None else samples(inference, f"models.{key}.inference"),
            learning=learning,
        )
    live = None
    if "live" in root:
        entry = need(root["live"], dict, "live")
        times = need(entry.get("times"), dict, "live.times")
        live = LiveTimes(
            need(entry.get("settings", {}), dict, "live.settings"),
            {name: samples(item, f"live.times.{name}") for name, item in times.items()},
        )
    machine = need(root.get("machine", {}), dict, "machine")
    need(machine.get("cpu", ""), str, "machine.cpu")
    return Profile(
        name=need(root.get("name"), str, "name"),
        description=need(root.get("description", ""), str, "description"),
        machine=machine,
        models=models,
        created=need(root.get("created", ""), str, "created"),
        live=live,
    )


def _brief(value: object) -> str:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
