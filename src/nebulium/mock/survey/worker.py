"""A process that makes blocks: ``python -m nebulium.mock.survey.worker FOLDER``.

It reads numbers of blocks from its standard input, a line each, writes the blocks to the folder and answers
with a line of JSON each. It ends when its input ends, so that it does not outlive its
parent.
"""

import json
import os
import pickle
import signal
import sys
import traceback
from pathlib import Path
from typing import Any

from nebulium.errors import NebuliumError


def answer_blocks(folder: Path) -> None:
    """Make blocks until the standard input ends."""
    # Ctrl-C reaches the whole group of processes; the one at the top decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Output that a library prints must not get in between the answers.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", buffering=1)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    try:
        _answer(folder, answers)
    except NebuliumError as error:
        print(json.dumps({"fault": pickle.dumps(error).hex()}), file=answers)  # noqa: T201
    except Exception:
        print(json.dumps({"bug": traceback.format_exc()}), file=answers)  # noqa: T201


def _answer(folder: Path, answers: Any) -> None:
    from nebulium.mock.survey.blocks import block_maker
    from nebulium.mock.survey.shards import save_block

    maker = block_maker(folder)
    for line in sys.stdin:
        block = int(line)
        save_block(folder, block, maker(block))
        print(json.dumps({"block": block}), file=answers)  # noqa: T201


if __name__ == "__main__":
    answer_blocks(Path(sys.argv[1]))
