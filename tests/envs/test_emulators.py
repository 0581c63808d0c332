"""What every game promises: the same seed the same play, exact save and restore, one kind of observation."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from rtsim.envs import observation_hash
from rtsim.errors import InvalidValue
from tests.envs.played import played, some_actions

GAMES = ["blocks", "blocks(level=9, sticky=0.25)", "walk", "atari:Boxing", "atari:Krull(sticky=0.25, noops=30)"]
EVERY_GAME = pytest.mark.parametrize("text", GAMES)


@EVERY_GAME
def test_observations_and_rates_are_those_of_the_papers(game, text):
    emulator = game(text)
    seen = [emulator.reset(1), emulator.step(emulator.noop)[0], emulator.observe()]
    assert all(o.shape == (84, 84, 1) and o.dtype == np.uint8 and o.flags.c_contiguous for o in seen)
    assert np.array_equal(seen[1], seen[2])
    assert seen[1] is not emulator.step(emulator.noop)[0]
    assert emulator.id == text
    # Riemer et al. 2025, App. A: six buttons, none of them idle; Atari's action 0 is idle.
    if text.startswith("atari"):
        assert (emulator.fps, emulator.noop, emulator.buttons[0]) == (60.0, 0, "NOOP")
    else:
        assert (emulator.fps, emulator.noop) == (59.7275, 6)
        assert emulator.buttons == ("A", "B", "LEFT", "UP", "RIGHT", "DOWN")
    assert emulator.actions == len(emulator.buttons)


@EVERY_GAME
def test_equal_seeds_make_equal_episodes_whatever_was_played_before(game, text):
    emulator = game(text)
    actions = some_actions(emulator, 150)
    assert emulator._seed == 0
    first = [observation_hash(emulator.reset()), *played(emulator, actions)]
    second = [observation_hash(emulator.reset()), *played(emulator, actions[:60])]
    emulator.reset(7)
    played(emulator, actions[::-1])
    assert [observation_hash(emulator.reset(0)), *played(emulator, actions)] == first
    assert [observation_hash(emulator.reset()), *played(emulator, actions[:60])] == second


@pytest.mark.parametrize("text", ["blocks", "walk", "atari:Boxing(sticky=0.5)", "atari:Boxing(noops=1000)"])
def test_other_seeds_and_the_next_episode_differ(game, text):
    emulator = game(text)
    actions = some_actions(emulator, 400)
    found = [played(emulator, actions) for seed in (1, 2, None) if emulator.reset(seed) is not None]
    assert found[0] != found[1] != found[2] != found[0]


@EVERY_GAME
def test_restored_state_is_seen_at_once_and_replays_exactly(game, text):
    emulator = game(text)
    emulator.reset(3)
    for length in (1, 47, 90):
        played(emulator, some_actions(emulator, length, seed=length))
        state, seen = emulator.save(), emulator.observe()
        actions = some_actions(emulator, 120, seed=length + 1)
        expected = played(emulator, actions)
        emulator.restore(state)
        assert np.array_equal(emulator.observe(), seen)
        assert played(emulator, actions) == expected


@EVERY_GAME
def test_restored_state_knows_the_episodes_to_come(game, text):
    emulator = game(text)
    emulator.reset(3)
    emulator.reset()
    state = emulator.save()
    expected = observation_hash(emulator.reset())
    actions = some_actions(emulator, 40)
    following = played(emulator, actions)
    emulator.reset(9)
    emulator.restore(state)
    assert observation_hash(emulator.reset()) == expected
    assert played(emulator, actions) == following


@pytest.mark.parametrize("text", ["blocks(sticky=0.25)", "atari:NameThisGame(sticky=0.25)"])
def test_another_process_replays_a_saved_state(game, text, tmp_path):
    emulator = game(text)
    emulator.reset(5)
    actions = some_actions(emulator, 200)
    played(emulator, actions)
    (tmp_path / "state").write_bytes(emulator.save())
    seen = observation_hash(emulator.observe())
    script = [sys.executable, str(Path(__file__).parent / "played.py"), text, str(tmp_path / "state")]
    done = subprocess.run([*script, *map(str, actions)], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == str([seen, *played(emulator, actions)])


def test_sticky_actions_repeat_the_last_one_as_often_as_they_should(game):
    """Asked for 1, 2, 1, 2, ...: a frame differs from what was asked with p if the one before did not, never if it did,
    which makes p/(1+p) = 0.2 of them. Seed 0, 20,000 frames, standard deviation 0.0022; beyond 0.012 with 1e-7.
    """
    emulator = game("atari:Boxing(sticky=0.25)")
    emulator.reset(0)
    taken = []
    emulator._frame = lambda action: (taken.append(action), (emulator._observation, 0.0, False, False, {}))[1]
    asked = [1 + step % 2 for step in range(20_000)]
    for action in asked:
        emulator.step(action)
    assert abs(np.mean(np.array(taken) != asked) - 0.2) < 0.012


def test_atari_resets_to_what_the_emulator_resets_to(game):
    """A reset goes back to a kept state; ale-py's own reset must make the same game."""
    from ale_py import ALEInterface

    from rtsim.envs import atari

    ale = ALEInterface()
    ale.setFloat("repeat_action_probability", 0.0)
    ale.loadROM(atari._rom("Boxing"))
    emulator = game("atari:Boxing")
    emulator.reset(1)
    actions = some_actions(emulator, 300)
    played(emulator, actions)
    emulator.reset()
    ale.reset_game()
    codes = ale.getMinimalActionSet()
    for action in actions:
        _, reward, *_ = emulator.step(action)
        assert reward == ale.act(codes[action])
        assert emulator.memory() == bytes(ale.getRAM())
        assert np.array_equal(emulator.screen(), ale.getScreenRGB())


def test_atari_episode_is_truncated_at_its_limit(game):
    emulator = game("atari:Boxing(limit=50)")
    for _ in range(2):
        emulator.reset(0)
        ends = [emulator.step(0)[2:4] for _ in range(50)]
        assert ends == [(False, False)] * 49 + [(False, True)]


def test_observation_is_the_mean_over_areas():
    """Against the definition: every screen pixel split into 84 parts along each axis, whole parts summed, half up."""
    from rtsim.envs.pixels import Resampler

    def split(lines):
        return np.repeat(lines, 84, axis=0).reshape(84, *lines.shape).sum(axis=1)

    random = np.random.default_rng(0)
    for height, width in ((144, 160), (210, 160), (250, 160), (84, 84), (84, 168), (100, 84)):
        screen = random.integers(0, 256, (height, width), dtype=np.uint8)
        sums = split(split(screen.astype(np.int64)).T).T
        expected = (2 * sums + height * width) // (2 * height * width)
        assert np.array_equal(Resampler(height, width).grey(screen)[..., 0], expected)
    colours = random.integers(0, 256, (84, 84, 3), dtype=np.uint8)
    luma = colours @ np.array([0.299, 0.587, 0.114])
    assert np.abs(Resampler(84, 84).rgb(colours)[..., 0] - luma).max() <= 0.51


def test_game_that_has_not_begun_or_is_closed_says_so(game):
    emulator = game("walk")
    for call in (emulator.observe, emulator.save, lambda: emulator.step(0)):
        with pytest.raises(InvalidValue, match=r"walk has not begun; call reset\(\) first"):
            call()
    emulator.reset()
    for action in (-1, 7):
        with pytest.raises(InvalidValue, match=rf"action {action} of walk must be in 0\.\.5"):
            emulator.step(action)
    emulator.close()
    emulator.close()
    calls = (
        emulator.reset,
        emulator.observe,
        emulator.save,
        emulator.screen,
        emulator.memory,
        lambda: emulator.step(0),
    )
    for call in calls:
        with pytest.raises(InvalidValue, match="walk is closed"):
            call()


def test_damaged_or_foreign_state_is_refused_and_changes_nothing(game):
    emulator = game("walk")
    emulator.reset(1)
    state = emulator.save()
    emulator.step(2)
    seen = emulator.observe()
    for bad in (b"", state[:-1], state[:500] + b"x" + state[501:], state + b"x", b"PK" + state):
        with pytest.raises(InvalidValue, match="saved state"):
            emulator.restore(bad)
    assert np.array_equal(emulator.observe(), seen)
    emulator.close()
    other = game("blocks")
    with pytest.raises(InvalidValue, match="saved state of walk cannot be restored into blocks"):
        other.restore(state)


def test_second_game_boy_of_a_process_is_refused(game):
    first = game("blocks")
    with pytest.raises(InvalidValue, match="runs in this process already"):
        game("walk")
    first.close()
    assert game("walk").reset(0).shape == (84, 84, 1)
