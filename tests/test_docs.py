"""Every code block of the README and the documentation runs, as a reader would run it.

Python blocks of one page share their names. Lines of a ``console`` block that begin with ``$ `` and all
lines of a ``bash`` block are run in the same folder: commands of nebulium in this process, which spares each
some seconds of imports and compilation, the others by bash. In that folder lies ``galaxies.parquet``, a few
hundred rows of the DESI table; beside the page on real data also the files that it names. A block after
``<!-- not run: why -->`` is left alone.
"""

import itertools
import os
import re
import shlex
import subprocess
import sys
import traceback
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet
import pytest
from typer.testing import CliRunner

from nebulium.cli import app

REPOSITORY = Path(__file__).parent.parent
PAGES = sorted([REPOSITORY / "README.md", *(REPOSITORY / "docs").rglob("*.md")])
RUN = ("python", "console", "bash")
LEFT_ALONE = ("text", "json", "bibtex", "toml")
FENCE = re.compile(
    r"^(?P<indent> *)```(?P<language>\w*)[^\n]*\n(?P<code>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL
)
NOT_RUN = re.compile(r"<!-- not run: .+ -->\s*$")
TABLE, ROWS = "galaxies.parquet", 600
#: What only a shell understands: such lines go to bash.
SHELL_ONLY = set("|&;<>$*?`")
#: The page that runs on real files.
REAL = "my-data.md"


@dataclass(frozen=True)
class Block:
    """One fenced block: where it stands, its language, its text."""

    where: str
    language: str
    code: str


def blocks_of(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    found = []
    for match in FENCE.finditer(text):
        if NOT_RUN.search(text[: match.start()]):
            continue
        indent = match["indent"]
        code = "".join(line.removeprefix(indent) for line in match["code"].splitlines(keepends=True))
        where = f"{page.relative_to(REPOSITORY)}:{text.count(chr(10), 0, match.start()) + 1}"
        found.append(Block(where, match["language"], code))
    return found


def shell_script(block: Block) -> str:
    if block.language == "bash":
        return block.code
    return "".join(line[2:] for line in block.code.splitlines(keepends=True) if line.startswith("$ "))


def run_shell(block: Block, folder: Path) -> None:
    """Commands of nebulium in this process; what stands between them, which may be a loop, in one piece."""
    lines = shell_script(block).replace("\\\n", " ").splitlines()
    for of_ours, some in itertools.groupby(lines, is_plain_command):
        for text in some if of_ours else ["\n".join(some)]:
            code, said = run_here(text) if of_ours else run_bash(text, folder)
            if code:
                pytest.fail(f"{block.where}: exit code {code}\n{text}\n{said}", pytrace=False)


def is_plain_command(line: str) -> bool:
    return line.startswith("nebulium ") and not SHELL_ONLY & set(line)


def run_here(line: str) -> tuple[int, str]:
    """The exit code of a command of nebulium, and what it wrote."""
    ended = CliRunner().invoke(app, shlex.split(line, comments=True)[1:])
    return ended.exit_code, ended.output


def run_bash(line: str, folder: Path) -> tuple[int, str]:
    """The exit code of a line, and what it wrote."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, "PATH": path, "MPLBACKEND": "agg"}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", line], cwd=folder, env=environment, capture_output=True, text=True
    )
    return done.returncode, f"{done.stdout}\n{done.stderr}"


def run_python(block: Block, names: dict) -> None:
    try:
        exec(compile(block.code, block.where, "exec"), names)
    except Exception:
        pytest.fail(f"{block.where}:\n{traceback.format_exc()}", pytrace=False)


def lay_real_files(data: Path, blocks: list[Block], folder: Path) -> None:
    named = {
        name for block in blocks for name in re.findall(r"[\w.-]+\.(?:fits|csv|parquet|zip)", block.code)
    }
    for path in data.rglob("*.*"):
        if path.name in named:
            (folder / path.name).symlink_to(path)


def lay_table(data: Path, folder: Path) -> None:
    desi = pyarrow.parquet.ParquetFile(data / "desi" / "desi_edr_emission_lines.parquet")
    pyarrow.parquet.write_table(desi.read_row_group(0).slice(0, ROWS), folder / TABLE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_blocks_run(page, tmp_path, monkeypatch, request):
    blocks = blocks_of(page)
    if any(TABLE in block.code for block in blocks):
        lay_table(request.getfixturevalue("nebulium_data"), tmp_path)
    if page.name == REAL:
        lay_real_files(request.getfixturevalue("nebulium_data"), blocks, tmp_path)
    if page.parent.name == "properties":
        # Its commands train a network on whole images, which runs many times slower without.
        request.getfixturevalue("optimised_programs")
    monkeypatch.chdir(tmp_path)
    names: dict = {"__name__": "__main__"}
    for block in blocks:
        if block.language == "python":
            run_python(block, names)
        elif block.language in RUN:
            run_shell(block, tmp_path)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_blocks_have_a_known_language(page):
    """A misspelt language would be a block that is never run."""
    assert {block.language for block in blocks_of(page)} <= {*RUN, *LEFT_ALONE}


def test_the_subject_of_the_page_is_short():
    """Model, recipe, predictor and scores: the page says that they take no more than 120 lines."""
    of_subject = blocks_of(REPOSITORY / "docs" / "add-a-subject.md")[:4]
    assert sum(bool(line.strip()) for block in of_subject for line in block.code.splitlines()) <= 120


def test_places_that_the_architecture_names_are_there():
    text = (REPOSITORY / "docs" / "architecture.md").read_text(encoding="utf-8")
    named = re.findall(r"`((?:\w+/)*\w+(?:\.py|/))`", text)
    lacking = [place for place in named if not (REPOSITORY / "src" / "nebulium" / place).exists()]
    assert named
    assert not lacking


def test_blocks_are_found_and_left_alone(tmp_path, monkeypatch):
    page = tmp_path / "page.md"
    page.write_text(
        "```python\nx = 1\n```\n\n<!-- not run: needs a survey -->\n```bash\nfalse\n```\n"
        "- item\n    ```console\n    $ echo one\n    one\n    ```\n"
    )
    monkeypatch.setitem(globals(), "REPOSITORY", tmp_path)
    found = blocks_of(page)
    assert [block.language for block in found] == ["python", "console"]
    assert shell_script(found[1]) == "echo one\n"


def test_a_block_that_fails_is_a_failure(tmp_path):
    with pytest.raises(pytest.fail.Exception, match=r"page\.md:3: exit code 1"):
        run_shell(Block("page.md:3", "bash", "false\ntrue\n"), tmp_path)
    with pytest.raises(pytest.fail.Exception, match="ZeroDivisionError"):
        run_python(Block("page.md:9", "python", "1 / 0\n"), {})
