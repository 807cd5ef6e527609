"""What the commands share: exit statuses, one-line errors, signals, NAME=VALUE words."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from types import FrameType
from typing import Any, NoReturn

from optkit.errors import OptkitError, UsageError, one_line, suggestion
from optkit.stop import NATIVE_THREAD

SUCCESS = 0
NOTHING_FOUND = 1
BAD_INPUT = 2
INFEASIBLE = 3
INTERRUPTED = 130
#: As a shell reports a command whose reader has gone.
BROKEN_PIPE = 141

_LONGEST_LINE = 2000


def fail(error: object) -> None:
    """Write one line on stderr, whatever the text of the error holds."""
    line = one_line(f"optkit: {error}")
    if len(line) > _LONGEST_LINE:
        half = _LONGEST_LINE // 2
        line = f"{line[:half]}...{line[-half:]}"
    with contextlib.suppress(OSError, ValueError):
        print(line, file=sys.stderr, flush=True)


def describe(error: BaseException) -> str:
    """Type and text of an error that was not raised for the user to read."""
    text = str(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def debugging() -> bool:
    """Whether errors are to be raised with their traceback."""
    return os.environ.get("OPTKIT_DEBUG") == "1"


def guarded(command: Callable[[Sequence[str]], int], arguments: Sequence[str] | None = None) -> int:
    """Run a command and turn whatever it raises into one line and an exit status.

    A Ctrl-C or SIGTERM that the command does not handle itself ends the process at once, so
    that no thread of a solver can hold it.
    """
    words = sys.argv[1:] if arguments is None else arguments
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        with _terminated_like_interrupted(), warnings.catch_warnings():
            if not debugging():  # instances may hold numbers whose products overflow
                warnings.simplefilter("ignore", RuntimeWarning)
            status = _exit_status(command, words)
            sys.stdout.flush()
            if arguments is None and any(t.name == NATIVE_THREAD for t in threading.enumerate()):
                os._exit(status)  # a solver that did not react to its end would hold the process
            return status
    except KeyboardInterrupt:
        os._exit(INTERRUPTED)
    except BrokenPipeError:
        # Python flushes stdout once more when it ends.
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except OptkitError as error:
        if debugging():
            raise
        fail(error)
        return BAD_INPUT
    except Exception as error:
        if debugging():
            raise
        fail(f"internal error: {describe(error)}")
        return NOTHING_FOUND


def _exit_status(command: Callable[[Sequence[str]], int], words: Sequence[str]) -> int:
    try:
        return command(words)
    except SystemExit as end:  # argparse, after --help
        return end.code if isinstance(end.code, int) else SUCCESS


@contextlib.contextmanager
def _terminated_like_interrupted() -> Iterator[None]:
    def handle(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = signal.signal(signal.SIGTERM, handle)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line, with a suggestion for unknown options."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(
            **settings,
            allow_abbrev=False,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )

    def error(self, message: str) -> NoReturn:
        """Raise the usage error instead of printing the usage.

        Raises
        ------
        UsageError
            Always.
        """
        raise UsageError(f"{message} (see {self.prog} --help)")

    def parse(self, words: Sequence[str]) -> argparse.Namespace:
        """Parse the words of a command line; none may be left over."""
        options, unknown = self.parse_known_intermixed_args(words)
        if unknown:
            known = [name for action in self._actions for name in action.option_strings]
            word = unknown[0].partition("=")[0]
            self.error(f"unrecognised argument {unknown[0]!r}{suggestion(word, known)}")
        return options


def assignment(word: str) -> tuple[str, Any]:
    """Name and value of ``NAME=VALUE``; the value is a JSON literal where it reads as one."""
    name, equals, text = word.partition("=")
    if not equals or not name:
        raise argparse.ArgumentTypeError(f"found {word!r}, expected NAME=VALUE")
    try:
        return name, json.loads(text, parse_constant=_not_a_literal)
    except (ValueError, RecursionError):
        return name, text


def _not_a_literal(name: str) -> NoReturn:
    raise ValueError(name)


def non_negative(word: str) -> int:
    """An integer >= 0 of a command line."""
    return _integer(word, 0)


def positive(word: str) -> int:
    """An integer >= 1 of a command line."""
    return _integer(word, 1)


def _integer(word: str, least: int) -> int:
    with contextlib.suppress(ValueError):
        if (value := int(word)) >= least:
            return value
    raise argparse.ArgumentTypeError(f"found {word!r}, expected an integer >= {least}")
