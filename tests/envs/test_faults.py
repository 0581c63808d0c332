"""Environments of others that fail: one line that names them, wherever they are used."""

from __future__ import annotations

import copy
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces

from rtsim.cli.main import main
from rtsim.envs.restorable_gym import RestorableGym
from rtsim.envs.scheduled import ScheduledEnv
from rtsim.errors import InvalidValue


class Faulty(gymnasium.Env[Any, Any]):
    """Does something wrong on its third step."""

    metadata = {"render_modes": [], "render_fps": 50}  # noqa: RUF012 - as Gymnasium has it
    observation_space = spaces.Box(0.0, 1.0, (2,))
    action_space = spaces.Discrete(2)
    noop = 0

    def __init__(self, wrong: str, render_mode: str | None = None) -> None:
        self.wrong, self.steps = wrong, 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        super().reset(seed=seed)
        return np.zeros(2, np.float32), {}

    def step(self, action: Any) -> Any:
        self.steps += 1
        if self.steps < 3:
            return np.zeros(2, np.float32), 1.0, False, False, {}
        if self.wrong == "raises":
            raise RuntimeError("of its\nown")
        if self.wrong == "old":
            return np.zeros(2, np.float32), 1.0, False
        return np.zeros(2, np.float32), {"nan": np.nan, "inf": np.inf, "text": "many"}[self.wrong], False, False, {}


for name in ("raises", "old", "nan", "inf", "text"):
    gymnasium.register(f"rtsim-tests/{name}-v0", Faulty, kwargs={"wrong": name}, disable_env_checker=True)


@pytest.mark.parametrize("wrong", ["raises", "old", "nan", "inf", "text"])
@pytest.mark.parametrize("command", ["measure", "train"])
def test_faulty_environment_is_named_in_one_line(command: str, wrong: str, tmp_path, capsys) -> None:
    words = [] if command == "measure" else ["--inference-time", "30ms", "--steps", "60", "--set", "network=mlp(8)"]
    assert main([command, "--env", f"rtsim-tests/{wrong}-v0", *words, "--out", str(tmp_path / "a")]) == 2
    said = capsys.readouterr().err
    assert f"{wrong}-v0" in said
    assert {"raises": "of its own", "old": "unpack", "text": "many"}.get(wrong, f"the reward {wrong}") in said
    assert said.count("\n") == 1


@pytest.mark.parametrize("fps", [0, "fast", float("nan")])
def test_rate_that_is_none_is_refused(fps: Any) -> None:
    env = gymnasium.make("CartPole-v1")
    env.metadata = {**env.metadata, "render_fps": fps}
    for make in (RestorableGym, lambda env: ScheduledEnv(env, "one_step_lag")):
        with pytest.raises(InvalidValue, match="render_fps"):
            make(env)


def test_scheduled_can_be_copied_before_its_run_only() -> None:
    env = ScheduledEnv(gymnasium.make("CartPole-v1"), "max_time", "30ms")
    assert copy.deepcopy(env).reset(seed=1)[0].tolist() == env.reset(seed=1)[0].tolist()
    with pytest.raises(InvalidValue, match="cannot be copied"):
        copy.deepcopy(env)
