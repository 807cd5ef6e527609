"""What a solver's thread leaves, and how the polling thread takes it over."""

from __future__ import annotations

import math
import threading
import time

import numpy as np
import pytest
from backend_toys import draw

from optkit.backends.feed import Feed
from optkit.run import Run


def test_incumbents_go_before_the_bound_and_bounds_only_to_their_own_instance() -> None:
    instance, other = draw(3, 2, 0, tightness=9), draw(3, 2, 1)
    for bound_of, expected in ((instance, 1.0), (other, None), (None, None)):
        run = Run(instance, proves_bound=True)
        feed = Feed(run, bound_of, lambda values: (values, {}))
        feed.point(np.array([0, 1, 0]))
        feed.bound(1.0)
        assert run.x is None
        feed.drain()
        assert list(run.x) == [0, 1, 0]
        assert run.best_bound == expected
        feed.infeasible() if bound_of is None else None
        assert not run.proved_infeasible


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, None])
def test_what_is_no_number_is_no_bound(value: float | None) -> None:
    instance = draw(3, 2, 0)
    run = Run(instance, proves_bound=True)
    feed = Feed(run, instance, None)
    feed.bound(value)
    feed.drain()
    assert run.best_bound is None


def test_an_error_while_polling_cancels_the_work_and_propagates() -> None:
    cancelled = threading.Event()

    def poll() -> None:
        raise ValueError("from poll")

    with pytest.raises(ValueError, match="from poll"):
        Run(draw(3, 2, 0)).watch(cancelled.wait, cancelled.set, poll)
    assert cancelled.is_set()


def test_the_last_poll_is_after_the_work() -> None:
    done: list[str] = []
    seen: list[int] = []

    def work() -> None:
        time.sleep(0.05)
        done.append("work")

    Run(draw(3, 2, 0)).watch(work, lambda: None, lambda: seen.append(len(done)))
    assert seen[-1] == 1
    assert seen[0] == 0
