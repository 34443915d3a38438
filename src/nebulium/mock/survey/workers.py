"""Processes that make blocks side by side.

They are fresh interpreters and not copies of the caller: neither its settings of jax, nor what it has
imported, nor its own main module can change what they compute.
"""

import json
import os
import pickle
import selectors
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing, suppress
from itertools import islice
from pathlib import Path
from typing import Any

from nebulium.errors import SurveyError

#: One thread each, as there is a process for each core; and no accelerator, which they would fight over.
ENVIRONMENT = {
    "JAX_PLATFORMS": "cpu",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
}
Progress = Callable[[int], None]


class _Worker:
    """One process with pipes, and the file of its standard error."""

    def __init__(self, folder: Path, errors: Any):
        self.errors = errors
        self.process: Any = subprocess.Popen(
            [sys.executable, "-m", "nebulium.mock.survey.worker", str(folder.resolve())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env={**os.environ, **ENVIRONMENT},
        )

    def ask(self, block: int) -> None:
        """Set it to work; if it is gone, its answer will be missing."""
        with suppress(BrokenPipeError):
            self.process.stdin.write(f"{block}\n")
            self.process.stdin.flush()

    def answer(self) -> int:
        """The block that it has made."""
        line = self.process.stdout.readline()
        if not line:
            raise self._died()
        answer = json.loads(line)
        if "fault" in answer:
            raise pickle.loads(bytes.fromhex(answer["fault"]))
        if "bug" in answer:
            raise RuntimeError(f"a process that makes galaxies failed:\n{answer['bug']}")
        return int(answer["block"])

    def _died(self) -> SurveyError:
        code = self.process.wait()
        self.errors.seek(0)
        last = (self.errors.read().strip().splitlines() or ["it printed nothing"])[-1]
        problem = f"ended with code {code} ({last})"
        mend = "resume the run; with fewer processes if the memory was short (code -9)"
        return SurveyError("a process that makes galaxies", problem, mend)

    def close(self) -> None:
        """End it; a block is either whole or not there, so there is nothing to wait for."""
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            # A pipe to a process that is gone cannot be flushed.
            with suppress(BrokenPipeError):
                pipe.close()


def make_blocks(
    folder: Path, blocks: Sequence[int], *, processes: int, progress: Progress | None = None
) -> None:
    """Make blocks of a survey and write them to its folder."""
    waiting = iter(blocks)
    with ExitStack() as stack, selectors.DefaultSelector() as selector:
        for block in islice(waiting, processes):
            errors = stack.enter_context(tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace"))
            worker = stack.enter_context(closing(_Worker(folder, errors)))
            worker.ask(block)
            selector.register(worker.process.stdout, selectors.EVENT_READ, worker)
        while selector.get_map():
            for ready, _ in selector.select():
                worker = ready.data
                done = worker.answer()
                if progress is not None:
                    progress(done)
                following = next(waiting, None)
                if following is None:
                    selector.unregister(ready.fileobj)
                else:
                    worker.ask(following)
