"""Transitions of the delayed semi-MDP, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from rtsim.learning import Recent, Reservoir, Transitions


def seen(value: float) -> np.ndarray:
    return np.array([value], np.float32)


def rows(memory: Recent) -> list[tuple]:
    """(observation, action, reward, following, discount) of every transition."""
    held = np.arange(memory.count)
    found = memory.batch(held[memory._allowed(held, None)], discount=0.5)
    return [
        (o.item(), a.item(), r.item(), f.item(), d.item())
        for o, a, r, f, d in zip(
            found.observations, found.actions, found.rewards, found.following, found.discounts, strict=True
        )
    ]


def test_rewards_belong_to_the_action_that_acted_and_following_is_what_the_next_one_was_chosen_on() -> None:
    # Steps 0.. are worth 1, 10, 100, ...; observation i is i. Actions 7, 8 land on steps 2 and 5, from steps 0 and 3.
    memory = Recent(100, (1,), np.float32)
    made = Transitions(memory)
    for step in range(7):
        if step == 2:
            assert not made.acts(seen(0), 7)
        if step == 5:
            assert made.acts(seen(3), 8)
        ended = step == 6
        assert made.stepped(10.0**step, ended, False, seen(step + 1)) == ended
    assert rows(memory) == [(0, 7, 100 + 1000 + 10000, 3, 0.5), (3, 8, 1100000, 7, 0.0)]
    assert (made.nobodys_steps, made.nobodys_reward) == (2, 11.0)


def test_truncation_keeps_the_value_of_what_follows() -> None:
    memory = Recent(100, (1,), np.float32)
    made = Transitions(memory)
    made.acts(seen(0), 1)
    assert made.stepped(2.0, False, True, seen(5))
    assert rows(memory) == [(0, 1, 2, 5, 0.5)]


def test_episode_without_any_action_makes_no_transition_and_the_next_one_begins_anew() -> None:
    memory = Recent(100, (1,), np.float32)
    made = Transitions(memory)
    assert not made.stepped(3.0, True, False, seen(1))
    assert memory.count == 0
    assert not made.stepped(1.0, False, False, seen(2))
    made.acts(seen(2), 4)
    made.stepped(5.0, True, False, seen(3))
    assert rows(memory) == [(2, 4, 5, 3, 0.0)]
    assert made.nobodys_reward == 4.0


def test_two_episodes_do_not_touch() -> None:
    memory = Recent(100, (1,), np.float32)
    made = Transitions(memory)
    for episode in range(2):
        made.acts(seen(10 * episode), episode)
        made.stepped(1.0, True, False, seen(10 * episode + 1))
    assert rows(memory) == [(0, 0, 1, 1, 0.0), (10, 1, 1, 11, 0.0)]


@pytest.mark.parametrize("kind", [Recent, Reservoir])
def test_state_goes_on_where_it_was(kind) -> None:
    def play(made: Transitions, steps: range) -> None:
        for step in steps:
            if step % 3 == 1:
                made.acts(seen(step - 1), step)
            made.stepped(float(step), step % 7 == 6, False, seen(step + 1))

    whole, parts = (Transitions(kind(100, (1,), np.float32)) for _ in range(2))
    play(whole, range(20))
    play(parts, range(11))
    again = Transitions(parts.memory)
    again.restore(parts.state())
    play(again, range(11, 20))
    chance = [np.random.default_rng(0) for _ in range(2)]
    one, other = (made.memory.sample(50, c, 0.9) for made, c in zip((whole, again), chance, strict=True))
    for name in ("observations", "actions", "rewards", "following", "discounts"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    assert again.state() == whole.state()
