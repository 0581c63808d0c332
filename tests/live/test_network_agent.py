"""Agents of saved weights: the file says what network it holds, or the run does."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from rtsim.errors import FileProblem, InvalidValue
from rtsim.learning import Settings, prepare, train_plain
from rtsim.live.agents import Question, check_agent
from rtsim.live.network import NetworkAgent
from rtsim.networks import Architecture, ResNet
from rtsim.networks.files import save_weights

FRAMES = np.random.default_rng(0).integers(0, 256, (12, 84 * 84), np.uint8)
NO_CONSOLE = np.zeros(8192, np.uint8)


@pytest.fixture(autouse=True)
def same_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def chosen(agent: NetworkAgent) -> list[int]:
    return [agent.choose(Question(frame, NO_CONSOLE, 0, 0, 0, 1))[0] for frame in FRAMES]


def test_plain_weights_need_the_name_of_their_network(tmp_path) -> None:
    torch.manual_seed(1)
    network = ResNet(0.0625)
    torch.save(network.state_dict(), tmp_path / "w.pt")
    images = torch.from_numpy(FRAMES).reshape(-1, 1, 84, 84) / 255
    expected = network(images).argmax(dim=1).tolist()
    assert chosen(NetworkAgent("resnet15-k0.0625", 6, 0, str(tmp_path / "w.pt"))) == expected
    with pytest.raises(InvalidValue, match="do not say what network"):
        NetworkAgent("", 6, 0, str(tmp_path / "w.pt"))
    with pytest.raises(FileProblem, match="do not fit the network"):
        NetworkAgent("resnet15-k1", 6, 0, str(tmp_path / "w.pt"))


@pytest.mark.parametrize("shape", [(84, 84, 1), (1, 84, 84)])
def test_weights_that_say_their_network_need_nothing_else(tmp_path, shape) -> None:
    a = Architecture("nature", 6, shape, duelling=True, noisy=True, atoms=5, low=-1.0, high=1.0)
    network = a.build(2).eval()
    save_weights(tmp_path / "w.pt", a, network.state_dict())
    expected = network(torch.from_numpy(FRAMES).reshape(-1, *shape)).argmax(dim=1).tolist()
    for model in ("", "resnet15-k1"):  # its own name is the one that counts
        assert chosen(NetworkAgent(model, 6, 0, str(tmp_path / "w.pt"))) == expected


def test_weights_for_another_game_are_refused(tmp_path) -> None:
    for a in (Architecture("nature", 18), Architecture("mlp(4)", 6, (4,)), Architecture("mlp(4)", 6, (4, 42, 42))):
        save_weights(tmp_path / "w.pt", a, a.build().state_dict())
        with pytest.raises(FileProblem, match="do not fit: they are for"):
            NetworkAgent("", 6, 0, str(tmp_path / "w.pt"))


def test_a_checkpoint_of_a_training_plays(tmp_path) -> None:
    gymnasium = pytest.importorskip("gymnasium")
    import rtsim.envs  # noqa: F401 - registers the games

    def env():
        return gymnasium.make("rtsim/Blocks-v0")

    settings = Settings(network="mlp(8)", capacity=50, learning_starts=10, steps_per_update=4, batch=2)
    file = tmp_path / "run.pt"
    learner = prepare(env(), settings, checkpoint=file, every=20)
    train_plain(env(), learner, 20, file)
    expected = [learner.best(frame.reshape(84, 84, 1)) for frame in FRAMES]
    assert chosen(NetworkAgent("", 6, 0, str(file))) == expected


class Evil:
    """Would make a folder if it were unpickled."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.folder),)


def test_files_that_are_no_weights_are_told_in_one_clear_line(tmp_path) -> None:
    torch.save({"x": Evil(tmp_path / "made")}, tmp_path / "code.pt")
    torch.save({"x": torch.zeros(1000)}, tmp_path / "cut.pt")
    (tmp_path / "cut.pt").write_bytes((tmp_path / "cut.pt").read_bytes()[:-200])
    (tmp_path / "text.pt").write_text("root:x:0:0:root:/root:/bin/sh\n" * 30)
    (tmp_path / "empty.pt").write_bytes(b"")
    for name in ("code.pt", "cut.pt", "text.pt", "empty.pt"):
        with pytest.raises(FileProblem, match=r"it is damaged, not written by torch\.save, or holds more") as caught:
            NetworkAgent("nature", 6, 0, str(tmp_path / name))
        assert "torch.load" not in str(caught.value)
    os.mkfifo(tmp_path / "pipe.pt")
    for name, said in (("none.pt", "no such file"), ("", "it is a directory"), ("pipe.pt", "no regular file")):
        with pytest.raises(FileProblem, match=said):
            NetworkAgent("nature", 6, 0, str(tmp_path / name))
    assert not (tmp_path / "made").exists()


def test_greedy_with_a_colon_wants_its_file() -> None:
    with pytest.raises(InvalidValue, match="'greedy:' lacks its file of weights"):
        check_agent("greedy:")
