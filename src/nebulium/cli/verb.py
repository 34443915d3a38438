"""How a function becomes a command: its options, the call of the library, and what it says of the result."""

import functools
import inspect
from collections.abc import Callable
from contextlib import nullcontext
from importlib import import_module
from pathlib import Path
from typing import Any

import typer

from nebulium.cli.terminal import counting, ends_well

Command = Callable[..., None]


def verb(
    app: typer.Typer,
    name: str,
    calls: Callable[..., Any] | None = None,
    counts: str = "",
    **shared: Callable[..., Any],
) -> Callable[[Command], Command]:
    """Make a function a command that ends well.

    The arguments of the function are the options; in place of one that goes by the name of one of `shared`
    stand the options of that function, which makes the argument of them. With `calls`, from `library` or
    `evaluation`, they go to the library, and the function gets what comes back as one more argument, the
    first. Where the library counts galaxies, `counts` says what is done to them.
    """

    def decorate(command: Command) -> Command:
        sets = {name: inspect.signature(make).parameters for name, make in shared.items()}
        own = list(inspect.signature(command).parameters.items())[calls is not None :]
        parameters = [
            option.replace(kind=inspect.Parameter.KEYWORD_ONLY)
            for name, parameter in own
            for option in (sets[name].values() if name in sets else [parameter])
        ]

        @functools.wraps(command)
        def wrapped(**options: Any) -> None:
            for name, make in shared.items():
                options[name] = make(**{option: options.pop(option) for option in sets[name]})
            if calls is None:
                return command(**options)
            with counting(counts, options.get("n")) if counts else nullcontext() as progress:
                result = calls(**options, **given(progress=progress))
            return command(result, **options)

        wrapped.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        wrapped.__annotations__ = {one.name: one.annotation for one in parameters}
        return app.command(name)(ends_well(wrapped))

    return decorate


def library(path: str, **fixed: Any) -> Callable[..., Any]:
    """A function of the library, imported when it is called; what is not given is left to its defaults."""
    module, _, name = f"nebulium.{path}".rpartition(".")

    def call(**options: Any) -> Any:
        function = getattr(import_module(module), name)
        defaults = {
            option
            for option, parameter in inspect.signature(function).parameters.items()
            if parameter.default is not parameter.empty
        }
        asked = {name: value for name, value in options.items() if value is not None or name not in defaults}
        return function(**asked, **fixed)

    return call


def evaluation(path: str) -> Callable[..., Any]:
    """An evaluation of the library, which is written to the folder `output`."""

    def call(*, output: Path, **options: Any) -> Any:
        from nebulium.verbs.evaluation import check_evaluation_place

        check_evaluation_place(output)
        result = library(path)(**options)
        result.write(output)
        return result

    return call


def given(**options: Any) -> dict[str, Any]:
    """The options that have a value."""
    return {name: value for name, value in options.items() if value is not None}
