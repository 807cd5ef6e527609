"""Cases of block_placement."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from scaling_report import Report

from cases.block_placement.congested import load_large, ps_horizon, ps_slot
from cases.block_placement.limited import cycles, energy, energy_load, storage
from cases.block_placement.uncoupled import uncoupled

CASES: Mapping[str, Callable[[Report], None]] = {
    "uncoupled": uncoupled,
    "ps-slot": ps_slot,
    "ps-horizon": ps_horizon,
    "storage": storage,
    "energy": energy,
    "cycles": cycles,
    "load-large": load_large,
    "energy-load": energy_load,
}
