"""A clock for runs that passes at every look, so that a limit falls wherever a test wants it."""

from __future__ import annotations

import itertools

import pytest

import optkit.run


def tick(monkeypatch: pytest.MonkeyPatch, step_s: float = 1.0) -> None:
    """From now on each look at the clock of any run is so many seconds after the one before."""
    steps = itertools.count()
    monkeypatch.setattr(optkit.run, "now_s", lambda: 1000.0 + step_s * next(steps))
