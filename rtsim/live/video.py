"""The picture of a recorded run, as a film: played again at full speed, so that filming costs the run nothing."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtsim.envs import Emulator
from rtsim.errors import TEMPORARY, FileProblem, InvalidValue, MissingExtra
from rtsim.live import virtual
from rtsim.schedule import Schedule

#: Times as large as the console's picture.
SCALE = 3
#: Frames per second of a GIF; browsers do not show more than 50.
GIF_FPS = 20


def check_video(path: str) -> None:
    """Refuse what cannot be written, before the run.

    Raises
    ------
    InvalidValue
        If the name ends neither in .mp4 nor in .gif.
    MissingExtra
        If an .mp4 needs imageio-ffmpeg, and it is not there.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in (".mp4", ".gif"):
        raise InvalidValue(f"video {path!r} must end in .mp4 or .gif")
    if suffix == ".mp4":
        _ffmpeg()


def write_video(
    schedule: Schedule, path: str, *, on_progress: Callable[[str, float, float], None] | None = None
) -> Path:
    """Film a recorded run; the file appears whole or not at all.

    Parameters
    ----------
    schedule : Schedule
        Recorded live.
    path : str
        Ending in .mp4 or .gif.
    on_progress : callable(what, done, total), optional

    Raises
    ------
    InvalidValue, MissingExtra, FileProblem
    """
    plan = virtual.plan_of(schedule)
    with Film(path, 1 / plan.scenario.step_mean) as film:

        def on_frame(emulator: Emulator, step: int) -> None:
            if film.wants_next():
                film.add(_enlarged(emulator.screen()))
            if on_progress is not None:
                on_progress("filming", step, len(schedule))

        virtual.replay(schedule, agent=False, on_frame=on_frame)
    return Path(path)


class Film:
    """A film that appears whole or not at all, when the ``with`` block is left.

    Parameters
    ----------
    path : str
        Ending in .mp4 or .gif.
    fps : float
        Pictures offered per second; a GIF takes fewer.

    Raises
    ------
    InvalidValue, MissingExtra, FileProblem
    """

    def __init__(self, path: str, fps: float) -> None:
        check_video(path)
        self.path = path
        gif = Path(path).suffix.lower() == ".gif"
        self._every, self._offered = max(round(fps / GIF_FPS), 1) if gif else 1, 0
        try:
            handle, self._temporary = tempfile.mkstemp(
                suffix=Path(path).suffix, prefix=TEMPORARY, dir=Path(path).parent
            )
        except OSError as error:
            raise self._problem(error) from error
        os.close(handle)
        self._film: Any = _Gif(self._temporary, fps / self._every) if gif else _Mp4(self._temporary, fps)

    def __enter__(self) -> Film:
        return self

    def wants_next(self) -> bool:
        """Whether the next picture is to be added; to be asked once for each."""
        self._offered += 1
        return (self._offered - 1) % self._every == 0

    def add(self, picture: NDArray[np.uint8]) -> None:
        """One picture, uint8, shape (height, width, 3)."""
        try:
            self._film.add(picture)
        except OSError as error:
            raise self._problem(error) from error

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self._film.close()
                os.chmod(self._temporary, 0o644)
                os.replace(self._temporary, self.path)
        except OSError as error:
            raise self._problem(error) from error
        finally:
            Path(self._temporary).unlink(missing_ok=True)

    def _problem(self, error: OSError) -> FileProblem:
        return FileProblem(f"cannot write video {self.path!r}: {error.strerror or error}")


def _enlarged(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.ascontiguousarray(picture.repeat(SCALE, 0).repeat(SCALE, 1))


class _Gif:
    def __init__(self, path: str, fps: float) -> None:
        self._path, self._milliseconds = path, 1000 / fps
        self._frames: list[Any] = []

    def add(self, picture: NDArray[np.uint8]) -> None:
        from PIL import Image

        self._frames.append(Image.fromarray(picture).convert("P", palette=Image.Palette.ADAPTIVE))

    def close(self) -> None:
        first, *others = self._frames
        first.save(self._path, save_all=True, append_images=others, duration=self._milliseconds, loop=0)


class _Mp4:
    def __init__(self, path: str, fps: float) -> None:
        self._path, self._fps = path, fps
        self._writer: Any = None

    def add(self, picture: NDArray[np.uint8]) -> None:
        if self._writer is None:
            height, width = picture.shape[:2]
            self._writer = _ffmpeg().write_frames(self._path, (width, height), fps=self._fps, macro_block_size=2)
            self._writer.send(None)
        self._writer.send(picture)

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()


def _ffmpeg() -> Any:
    try:
        import imageio_ffmpeg
    except ModuleNotFoundError:
        raise MissingExtra("a video in .mp4", "imageio-ffmpeg", "live") from None
    return imageio_ffmpeg
