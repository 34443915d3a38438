"""What moves in the terminal while a command works."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)


@contextmanager
def counting(doing: str, things: str = "rows") -> Iterator[Callable[[int], None]]:
    """A count that is gone when the work is done."""
    with _shown(doing, SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn()) as update:
        yield lambda done: update(description=f"{doing}: {done:,} {things}")


@contextmanager
def counting_to(total: int | None, doing: str, things: str) -> Iterator[Callable[[int], None]]:
    """How many are done of how many, and how long the others will take."""
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn(things), TimeRemainingColumn())
    with _shown(doing, TextColumn("{task.description}"), *columns, total=total) as update:
        yield lambda done: update(completed=done)


@contextmanager
def going_on(doing: str) -> Iterator[Callable[[str, float], None]]:
    """What is being done, one thing after another, and the share of it that is done."""
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with _shown(doing, *columns) as update:
        yield lambda now, share: update(description=now, completed=share, total=1.0)


@contextmanager
def _shown(doing: str, *columns: Any, total: float | None = None) -> Iterator[Callable[..., None]]:
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(doing, total=total)
        yield lambda **now: bar.update(task, **now)
