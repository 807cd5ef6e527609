"""The cases of the scaling benchmark, a package for each problem that ``--problem`` takes.

Each has ``CASES``: functions of a `Report` by the names that ``--case`` takes.
"""

from __future__ import annotations

PROBLEMS = ("block_placement", "channel_choice", "dt_assignment")
