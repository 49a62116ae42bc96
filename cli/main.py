"""The program: its commands, and what becomes of errors.

Exit codes: 0 done, 1 internal failure, 2 wrong usage, 3 bad input (or a place that cannot be written),
4 some of a batch failed, 130 interrupted.
"""

from __future__ import annotations

import atexit
import logging
import os
import sys
import traceback
import warnings
from collections.abc import Sequence
from contextlib import suppress
from typing import Annotated, Any, NoReturn

import typer

from meshstyle.errors import MeshStyleError, UsageError
from meshstyle.text import escaped

from .batch import batch
from .display import emit, emit_json, say, say_block
from .doctor import doctor
from .evaluate import evaluate
from .grid import grid
from .habits import hint, in_words, with_habits, without_hint
from .image import image
from .info import info
from .interrupt import StoppedError
from .styles import styles
from .stylize import stylize
from .turntable import turntable
from .video import video

# What the parser raises. It lies inside typer or in click, depending on typer's version.
_PARSE_ERROR: Any = typer.BadParameter.__base__

DONE, FAILED, WRONG_USAGE, BAD_INPUT, INTERRUPTED = 0, 1, 2, 3, 130

app = typer.Typer(
    name="meshstyle",
    rich_markup_mode=None,
    help="Paint a 3D model, a photo or a film in the manner of a picture.",
    epilog="Exit codes: 0 done, 1 internal failure, 2 wrong usage, 3 bad input, 4 some of a batch failed, "
    "130 interrupted.",
    add_completion=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
for command in (stylize, batch, image, video, grid, turntable, evaluate, info, styles, doctor):
    app.command()(command)


def _show_version(wanted: bool) -> None:
    if wanted:
        import meshstyle

        emit(f"meshstyle {meshstyle.__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _start(
    context: typer.Context,
    version: Annotated[
        bool,
        typer.Option(
            "--version", "-V", is_eager=True, callback=_show_version, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    if context.invoked_subcommand is None:
        say_block(context.get_help() + "\n\n")
        raise UsageError("meshstyle", "no command was given", "See: meshstyle --help.")


def run() -> None:
    """The console script."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # names of files may hold what the terminal cannot show
            stream.reconfigure(errors="backslashreplace")
    logging.getLogger().addHandler(logging.NullHandler())  # what libraries log is for programmers
    leave(main(sys.argv[1:]))


def leave(code: int) -> NoReturn:
    """End the process. Once everything is written, nobody has to take apart the million objects that torch consists of,
    which Python would do for 0.15 s."""
    if "torch" not in sys.modules:
        sys.exit(code)
    atexit._run_exitfuncs()
    with suppress(OSError, ValueError):  # whoever read this has gone
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)


def main(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code. Every error ends here, in one line."""
    options = arguments[: arguments.index("--")] if "--" in arguments else arguments
    as_json, debug = "--json" in options, "--debug" in options
    try:
        with warnings.catch_warnings():
            if not debug:
                warnings.simplefilter("ignore")  # for programmers too
            code = app(with_habits(arguments), prog_name="meshstyle", standalone_mode=False)
        return code if isinstance(code, int) else DONE
    except (Exception, StoppedError, KeyboardInterrupt) as error:
        code, subject, cause, remedy = _explain(error, arguments)
        if debug:
            say_block("".join(f"{escaped(line)}\n" for line in traceback.format_exc().split("\n")))
        for problem in getattr(error, "problems", ()) or [MeshStyleError(subject, cause, remedy)]:
            say(f"error: {problem}")
        if as_json:
            emit_json({"error": {"subject": subject, "cause": cause, "remedy": remedy, "exit_code": code}})
        return code


def _explain(error: BaseException, arguments: Sequence[str] = ()) -> tuple[int, str, str, str]:
    """Exit code, subject, cause and remedy."""
    if isinstance(error, MeshStyleError):
        code = WRONG_USAGE if isinstance(error, UsageError) else BAD_INPUT
        return code, error.subject, error.cause, error.remedy
    if isinstance(error, _PARSE_ERROR):
        return WRONG_USAGE, *_explain_parse_error(error, arguments)
    if isinstance(error, (StoppedError, KeyboardInterrupt)):
        return INTERRUPTED, "meshstyle", "interrupted", "Nothing was written."
    if isinstance(error, MemoryError):
        return FAILED, "meshstyle", "there is not enough memory", "Try a smaller --texture-size or --size."
    name = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return (
        FAILED,
        "meshstyle",
        f"this is a bug in meshstyle ({name})",
        "Run it again with --debug and report what that shows.",
    )


def _explain_parse_error(error: Any, arguments: Sequence[str]) -> tuple[str, str, str]:
    context, parameter = getattr(error, "ctx", None), getattr(error, "param", None)
    path = context.command_path if context else "meshstyle"
    subject, cause = path, error.format_message()
    if parameter is not None and error.message:  # "'x' is not a valid integer" without its parameter's name
        names = [name for name in parameter.opts if name.startswith("--")]
        subject, cause = (names or [parameter.human_readable_name])[0], error.message
    cause = in_words(subject, cause.strip().rstrip("."), arguments)
    return subject, without_hint(cause), hint(path, cause) or f"See: {path} --help."
