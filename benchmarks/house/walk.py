"""Prints the files of nebulium whose functions run in a command: a script for a process of its own.

The first argument is the folder that holds the package, which may be another checkout's; the others are the
command's. Imports, and what runs in them, are left out.
"""

import sys
import threading
from pathlib import Path
from types import FrameType

OPTIMISED = 1  # the flag of a function's code, which the bodies of modules and classes lack


def main() -> None:
    """Run the command, then print the files to standard error."""
    sys.path.insert(0, sys.argv.pop(1))
    import nebulium.cli

    package = str(Path(nebulium.__file__).parent)
    files: set[str] = set()
    importing = 0

    def follow(frame: FrameType, event: str, _: object) -> None:
        nonlocal importing
        code = frame.f_code
        if not code.co_filename.startswith(package):
            return
        if code.co_name == "<module>":
            importing += {"call": 1, "return": -1}.get(event, 0)
        elif event == "call" and not importing and code.co_flags & OPTIMISED:
            files.add(code.co_filename)

    threading.setprofile(follow)
    sys.setprofile(follow)
    try:
        nebulium.cli.main()
    except SystemExit as end:
        if end.code:
            raise
    finally:
        sys.setprofile(None)
    print(*sorted(str(Path(file).relative_to(package)) for file in files), sep="\n", file=sys.stderr)


if __name__ == "__main__":
    main()
