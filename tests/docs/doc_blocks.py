"""Fenced blocks of the documentation, and how they are run.

- In a ``console`` block every line that begins with ``$ python -m optkit`` or ``$ optkit`` is run
  by a shell and must exit with 0, or with what ``# exit status N`` at its end says. Other commands
  (setting up, say) and shown output are left alone. With the word ``checked`` after ``console``,
  each line of shown output must be among the lines that the block printed; ``...`` in it stands
  for anything.
- A ``python`` block with ``>>>`` is a doctest; one without is run only with the word ``run``.
- With the word ``no-run`` a block is left alone, and with ``if-NAME`` where module NAME is missing.

All blocks of one file share one temporary folder, in which ``instances`` is the repository's, and
its doctests share their names.
"""

from __future__ import annotations

import contextlib
import doctest
import importlib.util
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
_FENCE = re.compile(r"^(?P<tick>`{3,})(?P<info>[^\n`]*)\n(?P<text>.*?)^(?P=tick)\s*$", re.M | re.S)
_STATUS = re.compile(r"\s*# exit status (\d+)\s*$")
_FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


@dataclass(frozen=True)
class Block:
    """A fenced block: the words after its fence, its text and the line of its fence."""

    words: tuple[str, ...]
    text: str
    line: int


def pages() -> list[Path]:
    """The README and every page in docs, as far as they exist."""
    return [page for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
            if page.exists()]  # fmt: skip


def blocks(text: str) -> Iterator[Block]:
    """The fenced blocks of a page."""
    for match in _FENCE.finditer(text):
        line = text.count("\n", 0, match.start()) + 1
        yield Block(tuple(match["info"].split()), match["text"], line)


def run_page(page: Path, folder: Path) -> list[str]:
    """Run what a page says is to be run, in a folder; returns what went wrong."""
    if (ROOT / "instances").is_dir():
        (folder / "instances").symlink_to(ROOT / "instances")
    failures: list[str] = []
    names: dict[str, Any] = {}
    for block in blocks(page.read_text(encoding="utf-8")):
        if not block.words or "no-run" in block.words or missing(block):
            continue
        where = f"{page.name}:{block.line}"
        if block.words[0] == "console":
            failures += run_console(block, where, folder)
        elif block.words[0] == "python" and (">>>" in block.text or "run" in block.words):
            with contextlib.chdir(folder):
                failures += run_python(block, where, names)
    return failures


def missing(block: Block) -> bool:
    """Whether a module is absent that the block needs."""
    needed = [word.removeprefix("if-") for word in block.words if word.startswith("if-")]
    return any(importlib.util.find_spec(name) is None for name in needed)


def commands(block: Block) -> Iterator[tuple[str, int]]:
    """Command lines of a console block that are to be run, and their exit statuses."""
    for line in block.text.replace("\\\n", " ").splitlines():
        if line.startswith("$ "):
            status = _STATUS.search(line)
            command = _STATUS.sub("", line[2:])
            words = shlex.split(command, comments=True)
            ours = words[:1] == ["optkit"] or " ".join(words).startswith("python -m optkit")
            if ours or "checked" in block.words:
                yield command, int(status[1]) if status else 0


def run_console(block: Block, where: str, folder: Path) -> list[str]:
    """Run the commands of a block as a user does."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    failures, printed = [], ""
    for command, expected in commands(block):
        done = subprocess.run(
            ["bash", "-c", command], cwd=folder, env={**os.environ, "PATH": path},
            capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
        printed += done.stdout + done.stderr
        if done.returncode != expected:
            failures.append(f"{where}: {command}: exit status {done.returncode}\n{done.stderr}")
    if "checked" in block.words:
        shown = [line for line in block.text.replace("\\\n", " ").splitlines() if line.strip()]
        for line in shown:
            pattern = re.escape(line).replace(re.escape("..."), ".*")
            if not line.startswith("$ ") and not re.search(f"^{pattern}$", printed, re.M):
                failures.append(f"{where}: not printed: {line}\n{printed}")
    return failures


def run_python(block: Block, where: str, names: dict[str, Any]) -> list[str]:
    """Run a doctest, or a block as it is."""
    if ">>>" not in block.text:
        exec(compile(block.text, where, "exec"), names)
        return []
    test = doctest.DocTestParser().get_doctest(block.text, names, where, where, block.line)
    told: list[str] = []
    runner = doctest.DocTestRunner(optionflags=_FLAGS, verbose=False)
    runner.run(test, out=told.append, clear_globs=False)
    names.update(test.globs)
    return ["".join(told)] if told else []
