"""The two Game Boy games of our own: what waiting costs, what is scored, and that the ROM is made of its source."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import shutil
import subprocess

import numpy as np
import pytest

from rtsim.envs import players
from rtsim.envs.game_boy import OWN, GameBoy
from rtsim.envs.gameboy import build, layout, tiles
from rtsim.envs.scheduled import ScheduledEnv
from rtsim.envs.worlds import environment
from rtsim.errors import InvalidValue
from tests.envs.played import some_actions

needs_sdcc = pytest.mark.skipif(shutil.which("sdcc") is None, reason="sdcc is not installed")


def play(emulator, frames, player=None):
    """Rewards and last info of so many frames, or of those until the game is over."""
    rewards = []
    for _ in range(frames):
        action = emulator.noop if player is None else player.act(emulator.memory())
        _, reward, terminated, _, info = emulator.step(action)
        rewards.append(reward)
        if terminated:
            break
    return rewards, info


@needs_sdcc
def test_rom_is_what_its_source_compiles_to():
    built = build.rom()
    if build.COMPILER not in subprocess.run(["sdcc", "--version"], capture_output=True, text=True, check=True).stdout:
        pytest.skip(f"the source compiles, but the ROM was made by sdcc {build.COMPILER}")
    assert built == (OWN / "rom.gb").read_bytes()


def test_integration_is_what_the_build_script_makes():
    rom = (OWN / "rom.gb").read_bytes()
    assert len(rom) == 2**15
    assert (OWN / "rom.sha").read_text().strip() == hashlib.sha1(rom).hexdigest()
    assert (OWN / "data.json").read_text() == build.data()
    for name, state in build.states(OWN).items():
        assert gzip.decompress((OWN / name).read_bytes()) == gzip.decompress(state), name


def test_rom_holds_no_logo():
    """Bytes 0x104 to 0x133 are where a cartridge carries its maker's logo; ours are as an erased memory has them."""
    assert (OWN / "rom.gb").read_bytes()[0x104:0x134] == b"\xff" * 48


def test_no_two_variables_share_a_byte_and_all_lie_in_the_memory_told():
    sizes = {"|u1": 1, "|i1": 1, "<u2": 2, "<u4": 4}
    used = [v.address + n for v in layout.VARIABLES.values() for n in range(sizes[v.kind])]
    used += range(layout.SCREEN, layout.SCREEN + layout.COLUMNS * layout.ROWS)
    assert len(set(used)) == len(used)
    assert (min(used), max(used)) == (layout.BASE, layout.BASE + layout.SIZE - 1)
    assert max(used) < layout.FREE


def test_pieces_are_the_seven_tetrominoes_in_four_turns():
    def shifted(squares):
        left, top = (min(values) for values in zip(*squares, strict=True))
        return frozenset((x - left, y - top) for x, y in squares)

    one_sided = {frozenset(shifted(turn) for turn in piece) for piece in layout.SHAPES}
    assert len(one_sided) == 7  # S and Z, J and L are different
    assert sorted(len(turns) for turns in one_sided) == [1, 2, 2, 2, 4, 4, 4]
    assert all(len(set(turn)) == 4 for piece in layout.SHAPES for turn in piece)


@pytest.mark.parametrize(("level", "frames"), [(0, 2600), (5, 1100), (9, 400)])
def test_waiting_loses_blocks(game, level, frames):
    """Sixteen rows, pieces of at most four: 8 to 17 pieces in the middle fill the well, each falling ever less deep."""
    emulator = game(f"blocks(level={level})" if level else "blocks")
    for seed in range(3):
        emulator.reset(seed)
        rewards, info = play(emulator, frames)
        assert len(rewards) < frames
        assert sum(rewards) == info["score"] == info["lines"] == 0
        assert 8 <= info["pieces"] <= 17
        assert emulator.step(emulator.noop)[2], "over is over"
    emulator.reset()
    assert not emulator.step(emulator.noop)[2]


def test_waiting_ends_no_walk_and_changes_nothing(game):
    emulator = game("walk")
    first = emulator.reset(0)
    for _ in range(3000):
        seen, reward, terminated, truncated, info = emulator.step(emulator.noop)
        assert (reward, terminated, truncated) == (0.0, False, False)
    assert info == {"score": 0, "goals": 0}
    assert np.array_equal(seen, first)


def test_scripted_player_clears_lines_in_real_time(game):
    emulator = game("blocks")
    emulator.reset(0)
    rewards, info = play(emulator, 3000, players.player("blocks"))
    assert len(rewards) == 3000
    assert info["lines"] >= 20
    assert sum(rewards) == info["score"]
    assert info["level"] == info["lines"] // 10


def test_every_line_cleared_is_scored_and_the_rows_above_come_down(game):
    """The well as read from the screen, against falling blocks in Python: full rows out, rows above down."""
    emulator = game("blocks(level=9)")
    emulator.reset(2)
    player, well = players.player("blocks"), None
    points, column, row = (0, 50, 150, 350, 750), layout.WELL[0], layout.WELL[1]
    before = {"lines": 0, "score": 0, "pieces": 1}
    cleared = set()
    empty, flash = tiles.numbers()["EMPTY"], tiles.numbers()["FLASH"]
    for _ in range(6000):
        *_, info = emulator.step(player.act(emulator.memory()))
        tiles_now = players._screen(emulator.memory())[row : row + 16, column : column + 10]
        if (tiles_now == flash).any() and (well is None):
            well = tiles_now.copy()
        if info["pieces"] > before["pieces"]:
            gained = info["lines"] - before["lines"]
            if well is not None:
                full = (well == flash).all(axis=1)
                assert gained == full.sum()
                left = np.concatenate([np.full((gained, 10), empty), well[~full]])
                assert np.array_equal(tiles_now, left)
                assert info["score"] - before["score"] >= points[gained] * 10
                cleared.add(gained)
            else:
                assert gained == 0
            before, well = info, None
        elif well is None:
            before["score"] = info["score"]
    assert {1, 2} <= cleared


def test_buttons_do_what_they_say(game):
    emulator = game("blocks")

    def after(*actions):
        emulator.reset(1)
        for action in actions:
            emulator.step(action)
        return [layout.read(emulator.memory(), name) for name in ("turn", "piece_x", "piece_y")]

    a, b, left, up, right, down = range(6)
    wait = emulator.noop
    assert after() == [0, 3, 0]
    assert after(a) == [1, 3, 0]
    assert after(b) == [3, 3, 0]
    assert after(a, a) == [1, 3, 0], "a held button turns once"
    assert after(a, wait, a) == [2, 3, 0]
    assert after(left) == [0, 2, 0]
    assert after(right, wait, right) == [0, 5, 0]
    assert after(up) == [0, 3, 0]
    assert after(*[wait] * 30) == [0, 3, 1], "a row in 30 frames"
    assert after(*[down] * 20) == [0, 3, 10], "a row in 2 frames"
    assert after(*[left] * 40)[1] <= 0, "held at the wall"


def test_scripted_walker_reaches_goals_and_is_paid_for_places(game):
    emulator = game("walk")
    emulator.reset(0)
    rewards, info = play(emulator, 1500, players.player("walk"))
    assert info["goals"] >= 4
    assert sum(rewards) == info["score"]
    assert set(rewards) == {0.0, 1.0, 20.0}
    assert rewards.count(20.0) == info["goals"]


def test_every_place_of_a_maze_can_be_reached(game):
    emulator = game("walk")
    for seed in range(20):
        emulator.reset(seed)
        screen = players._screen(emulator.memory())
        passable = screen != tiles.numbers()["WALL"]
        passable[0] = False
        x, y = (layout.read(emulator.memory(), name) for name in ("goal_x", "goal_y"))
        distances = players._distances(passable, x, y)
        assert ((distances >= 0) == passable).all()
        cells = np.zeros_like(passable)
        cells[2:17:2, 1:18:2] = True
        assert passable[cells].all()
        assert passable.sum() >= 2 * 72 - 1, "a tree over all cells has 71 passages"


@pytest.mark.parametrize(("text", "late"), [("blocks(level=4)", 0), ("walk", 0), ("walk", 5)])
def test_player_only_looks_and_a_new_one_goes_on_alike(game, text, late):
    emulator = game(text)
    emulator.reset(3)
    player = players.player(text)
    chosen = [emulator.noop] * late
    for _ in range(300):
        memory = emulator.memory()
        chosen.append(player.act(memory))
        assert players.player(text).act(memory) == chosen[-1]
        emulator.step(chosen[-1 - late])


def test_walker_that_is_never_late_takes_the_shortest_way_in_one_go(game):
    class InOneGo(players.Walk):
        PERIOD = players.Walk.STEP  # every frame is one of a step's turn, so it never waits

    emulator, one, other = game("walk"), players.player("walk"), InOneGo()
    for seed in range(3):
        emulator.reset(seed)
        for _ in range(600):
            memory = emulator.memory()
            action = one.act(memory)
            assert action == other.act(memory)
            emulator.step(action)


@pytest.mark.parametrize(
    ("rule", "delay", "workers"),
    [
        *(("max_time", delay, delay + 1) for delay in (0, 1, 2, 5, 8)),
        ("sequential(wait_observation=true)", 5, 1),
        ("sequential(wait_observation=true)", 8, 1),
    ],
)
def test_late_walker_goes_on_seeing_places_and_reaching_goals(rule, delay, workers):
    # Inferences of delay - 1/2 steps: of several workers in turn, or of one that begins with a step and waits for it.
    env = environment("walk")
    memory, fps, player = env.unwrapped.emulator.memory, env.unwrapped.emulator.fps, players.player("walk")
    timed = ScheduledEnv(env, rule, f"{max(delay - 0.5, 0) / fps}s", workers, f"{fps!r}fps")
    _, info = timed.reset(seed=0)
    paid, late, total = [0], [], 0.0
    while info["observation_step"] < 4000:
        _, reward, _, _, info = timed.step(player.act(memory()))
        late += info["delays"].values()
        total += reward
        paid += [info["observation_step"]] * (reward > 0)
    timed.close()
    assert delay <= np.mean(late) < delay + 1
    assert total > 150, "places and goals of several mazes"
    assert max(np.diff([*paid, 4000])) < 1000, "it nowhere paces up and down for ever"


def test_game_without_a_scripted_player_says_so():
    with pytest.raises(InvalidValue, match="no scripted player for atari; there is one for blocks and walk"):
        players.player("atari:Boxing")


def test_reward_and_end_read_from_memory_are_those_of_the_scenario(game):
    """stable-retro's own evaluation of scenario.json, from the same state, against the fast one of OwnGame."""
    emulator = game("blocks")
    emulator.reset(1)
    start = emulator._machine.save()
    actions = [5 if step % 3 else 2 for step in range(1500)] + some_actions(emulator, 1500)
    fast = [emulator.step(action)[1:3] for action in actions]
    assert any(over for _, over in fast)
    assert any(reward for reward, _ in fast)
    emulator.close()
    general = GameBoy("retro:Rtsim-GameBoy", "Rtsim-GameBoy", OWN)
    try:
        general.reset()
        general._machine.restore(start)
        assert [general.step(action)[1:3] for action in actions] == fast
    finally:
        general.close()


def test_integration_is_one_that_stable_retro_plays(game):
    """Through stable-retro's own environment: the folder is complete, its first state is a game of blocks."""
    import stable_retro
    from stable_retro.data import Integrations

    Integrations.add_custom_path(str(OWN.parent))
    try:
        environment = stable_retro.RetroEnv(
            OWN.name,
            use_restricted_actions=stable_retro.Actions.ALL,
            inttype=Integrations.CUSTOM_ONLY,
            render_mode="rgb_array",
        )
        try:
            picture, _ = environment.reset()
            assert picture.shape == (144, 160, 3)
            *_, info = environment.step(np.zeros(9, np.int8))
            assert (info["mode"], info["playing"], info["seed"]) == (layout.BLOCKS, 1, 1)
        finally:
            environment.close()
    finally:
        Integrations.clear_custom_paths()
    known = json.loads((OWN / "data.json").read_text())["info"]
    assert set(known) == set(layout.VARIABLES)
    assert all(re.fullmatch(r"[|<][ui][124]", entry["type"]) for entry in known.values())
