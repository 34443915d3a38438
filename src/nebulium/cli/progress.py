"""What moves in the terminal while a command works."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def counting(doing: str, things: str = "rows") -> Iterator[Callable[[int], None]]:
    """A count that is gone when the work is done."""
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    shown = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*shown, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(doing)
        yield lambda done: bar.update(task, description=f"{doing}: {done:,} {things}")
