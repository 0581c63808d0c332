"""Learning curves of a training as a picture."""

from __future__ import annotations

import math
from typing import NamedTuple

import pytest

from rtsim.errors import InvalidValue
from rtsim.pictures import plot_training, style, training_rows


class Part(NamedTuple):
    step: int
    seconds: float
    reward_rate: float
    score: float


class Player(NamedTuple):
    player: str
    reward_rate: float
    score: float


SCORED = {
    0: [Part(100, 2.0, 50.0, math.nan), Part(300, 6.0, 50.0, 20.0)],
    3: [Part(100, 2.0, 50.0, 12.0), Part(300, 6.0, 50.0, 30.0)],
}
PLAYERS = [Player("noop", 50.0, 9.0), Player("random", 50.0, 22.0)]


def lines(ax) -> dict[str, tuple[list[float], list[float]]]:
    return {
        str(line.get_label()).partition(" player")[0]: (list(line.get_xdata()), list(line.get_ydata()))
        for line in ax.lines
    }


def test_scores_stand_in_the_middle_of_their_steps_with_the_players_across() -> None:
    ax = plot_training(SCORED, PLAYERS, rule="max_time(printed=true)", title="CartPole")
    assert lines(ax) == {
        "seed 0": ([200.0], [20.0]),  # no episode ended in its first hundred steps
        "seed 3": ([50.0, 200.0], [12.0, 30.0]),
        "noop": ([0, 1], [9.0, 9.0]),
        "random": ([0, 1], [22.0, 22.0]),
    }
    assert {line.get_color() for line in ax.lines[:2]} == {style.colour("max_time")}
    assert ax.get_ylabel() == "score (mean reward per episode)"
    assert ax.get_xlabel() == "environment steps"


def test_where_no_episode_ends_the_reward_per_second_is_drawn() -> None:
    ax = plot_training({0: [Part(60, 1.0, 2.5, math.nan)]}, [Player("noop", 0.5, math.nan)])
    assert lines(ax) == {"seed 0": ([30.0], [2.5]), "noop": ([0, 1], [0.5, 0.5])}
    assert ax.get_ylabel() == "reward per second (1/s)"


def test_rows_hold_what_is_drawn_and_nothing_for_what_is_not_known() -> None:
    rows = training_rows(SCORED, PLAYERS)
    assert rows[0] == {"line": "seed 0", "step": 100, "seconds": 2.0, "reward_per_s": 50.0, "score": None}
    assert rows[-1] == {"line": "random", "step": None, "seconds": None, "reward_per_s": 50.0, "score": 22.0}
    assert len(rows) == 6


def test_training_without_a_row_cannot_be_drawn() -> None:
    with pytest.raises(InvalidValue, match="no curve has a row"):
        plot_training({0: []})
