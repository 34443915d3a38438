"""Times of functions that take turns, so that a busy moment of the machine hits all alike."""

import time
from collections.abc import Callable, Mapping
from statistics import median
from typing import Any


def median_seconds(functions: Mapping[str, Callable[[], Any]], repeats: int) -> dict[str, float]:
    """Median time of each, after one run that compiles.

    Parameters
    ----------
    functions : mapping of str to callable
        Each returns when its result is there.
    repeats : int
        Rounds.

    Returns
    -------
    dict of str to float
        Seconds.
    """
    for function in functions.values():
        function()
    times: dict[str, list[float]] = {name: [] for name in functions}
    for _ in range(repeats):
        for name, function in functions.items():
            start = time.perf_counter()
            function()
            times[name].append(time.perf_counter() - start)
    return {name: median(taken) for name, taken in times.items()}
