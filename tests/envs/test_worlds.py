"""Environments by name, and what is none."""

from __future__ import annotations

import pytest

from rtsim.envs.minatar import MinAtar
from rtsim.envs.tabular import Tabular
from rtsim.envs.worlds import environment
from rtsim.errors import RtsimError


def test_every_kind_of_environment_is_found_by_its_text() -> None:
    pytest.importorskip("minatar")
    mdp = environment(" mdp:delay(n=4, p=0.5)")
    assert isinstance(mdp, Tabular)
    assert mdp.mdp.name == "delay(n=4, p=0.5)"
    assert environment("minatar:breakout").action_space.n == 3
    game = environment("minatar:breakout(sticky=0, minimal=0)")
    assert isinstance(game, MinAtar)
    assert game.action_space.n == 6
    assert game._game.sticky_action_prob == 0
    assert environment("CartPole-v1").observation_space.shape == (4,)
    boxing = environment("atari:Boxing(sticky=0.25)")
    assert boxing.emulator.id == "atari:Boxing(sticky=0.25)"
    boxing.close()


@pytest.mark.parametrize(
    "text, says",
    [
        ("CartPol-v1", "CartPol"),
        ("minatar:brekout", "did you mean 'breakout'"),
        ("minatar:breakout(stiky=0)", "must read minatar:GAME or"),
        ("minatar:breakout(sticky=2)", "0..1"),
        ("mdp:jmp", "did you mean 'jump'"),
        ("blocks(lvl=3)", "did you mean 'level'"),
        ("", "environment '' is neither"),
    ],
)
def test_what_is_no_environment_is_told_in_one_line(text: str, says: str) -> None:
    with pytest.raises(RtsimError, match=says) as found:
        environment(text)
    assert "\n" not in str(found.value)
