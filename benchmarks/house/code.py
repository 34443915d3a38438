"""Lines of code, definitions and lengths of functions, counted from the source."""

import ast
import io
import tokenize
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

NOT_CODE = {
    tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENCODING,
    tokenize.ENDMARKER,
}  # fmt: skip
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass(frozen=True)
class Source:
    """A Python file: its syntax tree, all its lines, and the numbers of those that hold code."""

    path: Path
    tree: ast.Module
    lines: int
    code: frozenset[int]


def read_sources(folder: Path, pattern: str = "*.py") -> list[Source]:
    """All Python files below a folder, or those of another ending."""
    return [_read(path) for path in sorted(folder.rglob(pattern))]


def _read(path: Path) -> Source:
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    filled = {
        line
        for token in tokens
        if token.type not in NOT_CODE
        for line in range(token.start[0], token.end[0] + 1)
    }
    return Source(path, tree, len(text.splitlines()), frozenset(filled - set(_docstring_lines(tree))))


def _docstring_lines(tree: ast.Module) -> Iterator[int]:
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Expr)
            and isinstance(node.value, ast.Constant)
            and isinstance(node.value.value, str)
        ):
            yield from _lines(node)


def _lines(*nodes: ast.AST) -> range:
    return range(nodes[0].lineno, nodes[-1].end_lineno + 1)


def lines_of_code(sources: Iterable[Source]) -> int:
    """Lines that are not blank, comment or docstring."""
    return sum(len(source.code) for source in sources)


def definitions(sources: Iterable[Source]) -> int:
    """Functions, methods and classes."""
    return sum(isinstance(n, (*FUNCTIONS, ast.ClassDef)) for s in sources for n in ast.walk(s.tree))


def body_lengths(sources: Iterable[Source]) -> list[int]:
    """Lines of code of each function's body; typer's commands, long by their options, are left out."""
    return [
        len(source.code.intersection(_lines(*node.body)))
        for source in sources
        for node in ast.walk(source.tree)
        if isinstance(node, FUNCTIONS) and not _is_command(node)
    ]


def _is_command(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return any("command(" in ast.unparse(decorator) for decorator in node.decorator_list)
