"""How far long work has come: a bar in a terminal; lines where there is none, as in the log of a queue."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Event, Thread
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

#: Seconds before the first line, so that what is quick says nothing, and between the others.
FIRST_S, BETWEEN_S = 5.0, 15.0
#: Shares are shown so; other units are counted.
PER_CENT = "%"


@dataclass
class Work:
    """What is being done, and how much of it is done.

    Parameters
    ----------
    doing : str
        Such as ``training``.
    unit : str
        What is counted.
    total : float, optional
        How many there are, where that is known.
    """

    doing: str
    unit: str = PER_CENT
    total: float | int | None = None
    done: float | int = 0
    remark: str = ""
    tell: Callable[[], Any] = lambda: None

    def now(self, done: float | int, doing: str | None = None, remark: str = "") -> None:
        """So much is done, and this is being done."""
        self.done, self.doing, self.remark = done, doing or self.doing, remark
        self.tell()

    def __str__(self) -> str:
        if self.unit == PER_CENT:
            count = f"{self.done:.0%}" if self.done else ""
        else:
            count = f"{self.done:,.0f}{f' of {self.total:,.0f}' if self.total else ''} {self.unit}"
        said = f"{self.doing}: {count}" if count else self.doing
        return f"{said}, {self.remark}" if self.remark else said


@contextmanager
def shown(work: Work, *, shows: bool = True) -> Iterator[Work]:
    """Show work on standard error until the block ends."""
    console = Console(stderr=True)
    if not shows:
        yield work
    elif console.is_interactive or console.is_jupyter:
        with _bar(work, console):
            yield work
    else:
        with _lines(work, console):
            yield work


@contextmanager
def _bar(work: Work, console: Console) -> Iterator[None]:
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(str(work), total=work.total)
        work.tell = lambda: bar.update(task, description=str(work), completed=work.done)
        yield


@contextmanager
def _lines(work: Work, console: Console) -> Iterator[None]:
    """A line when something else is being done, and one every now and then: a compilation reports nothing."""
    ended, began = Event(), time.monotonic()

    def write() -> None:
        last, written = "", began
        while not ended.wait(FIRST_S):
            if work.doing != last or time.monotonic() - written >= BETWEEN_S:
                last, written = work.doing, time.monotonic()
                console.print(
                    f"{work} ({written - began:.0f} s)", markup=False, highlight=False, soft_wrap=True
                )

    writer = Thread(target=write, daemon=True)
    writer.start()
    try:
        yield
    finally:
        ended.set()
        writer.join()
