"""Running the commands, and the minimal instance."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
MINI = json.loads((HERE / "mini.json").read_text())
#: The least objective of the minimal instance, by enumeration.
BEST = 0.05723957894736842


@dataclass(frozen=True)
class Outcome:
    status: int
    out: str
    err: str

    @property
    def documents(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def error(self) -> str:
        """The one line on stderr."""
        assert "Traceback" not in self.err
        assert self.err.endswith("\n") and len(self.err.splitlines()) == 1, self.err
        assert self.err.startswith("optkit: ")
        return self.err.removeprefix("optkit: ").rstrip("\n")


Command = Callable[..., Outcome]


def environment(**changes: str) -> dict[str, str]:
    return {**os.environ, "PYTHONUNBUFFERED": "1", **changes}


def start(command: Sequence[object], **settings: Any) -> subprocess.Popen[str]:
    pipe = subprocess.PIPE
    words = [sys.executable, *map(str, command)]
    return subprocess.Popen(words, stdout=pipe, stderr=pipe, text=True, **settings)
