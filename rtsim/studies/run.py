"""All cells of a figure, in processes beside this one; a cell that is in the table is not run again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, cast

from rtsim.errors import FileProblem, InvalidValue
from rtsim.experiments.executors import Failure, cores, in_process, local
from rtsim.studies.design import Cell
from rtsim.studies.tables import Row, read, write


@dataclass(frozen=True)
class Task:
    """A cell as the executors of sweeps take it."""

    cell: Cell
    clock: ClassVar[str] = "simpy"
    #: Far more than what is worth sending together with others.
    work: ClassVar[float] = 1e9

    def results(self) -> Mapping[str, Any]:
        """Run it, on one thread: the others have cells of their own."""
        import torch

        from rtsim.studies.cells import run

        torch.set_num_threads(1)
        return {"rows": run(self.cell)}


@dataclass(frozen=True)
class Outcome:
    """What there is after a run.

    Attributes
    ----------
    rows : tuple of Row
        Of the table, in the order of the cells; those of other cells that the table held come last.
    missing : dict of Cell to str
        Why a cell has no result.
    interrupted : bool
    """

    rows: tuple[Row, ...]
    missing: Mapping[Cell, str]
    interrupted: bool


def run_cells(
    cells: Sequence[Cell],
    table: str | Path,
    processes: int = 1,
    on_progress: Callable[[int, int, float], None] = lambda finished, cells, share: None,
) -> Outcome:
    """Run those cells that a table does not hold yet, and write it after each of them.

    Parameters
    ----------
    cells : sequence of Cell
    table : str or Path
        Its folder must exist.
    processes : int
        0: one per core.
    on_progress : callable(finished, cells, share), optional
        ``share`` of the environment steps, 0..1.

    Raises
    ------
    FileProblem, InvalidValue
    """
    if processes < 0:
        raise InvalidValue(f"processes {processes} must be >= 0")
    path = Path(table)
    if not path.parent.is_dir():
        raise FileProblem(f"cannot write {str(path)!r}: its folder does not exist")
    found: dict[Cell, list[Row]] = {}
    for row in read(path):
        found.setdefault(row.cell, []).append(row)
    left = {index: cell for index, cell in enumerate(dict.fromkeys(cells)) if cell not in found}
    total = sum(cell.budget_steps for cell in dict.fromkeys(cells))
    missing: dict[Cell, str] = {}
    interrupted = False

    def tell() -> None:
        done = [cell for cell in dict.fromkeys(cells) if cell in found or cell in missing]
        on_progress(len(done), len(dict.fromkeys(cells)), sum(cell.budget_steps for cell in done) / max(total, 1))

    tell()
    number = min(processes or cores(), max(len(left), 1))
    with in_process() if number == 1 else local(number) as execute:
        try:
            for index, result in execute(cast(Any, {k: Task(cell) for k, cell in left.items()})):
                if isinstance(result, Failure):
                    missing[left[index]] = result.reason
                else:
                    found[left[index]] = cast(Any, result)["rows"]
                    write(path, _ordered(cells, found))
                tell()
        except KeyboardInterrupt:
            interrupted = True
    # As the table has them, so that it makes no difference who trained them.
    return Outcome(tuple(read(path)), missing, interrupted)


def _ordered(cells: Sequence[Cell], found: Mapping[Cell, list[Row]]) -> list[Row]:
    first = [cell for cell in dict.fromkeys(cells) if cell in found]
    return [row for cell in dict.fromkeys([*first, *found]) for row in found[cell]]
