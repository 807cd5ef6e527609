"""Cases of channel_choice."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from scaling_report import Report

from cases.channel_choice.balance import balance
from cases.channel_choice.dense import equal_price, table
from cases.channel_choice.peers import peers

CASES: Mapping[str, Callable[[Report], None]] = {
    "table": table,
    "equal-price": equal_price,
    "peers": peers,
    "balance": balance,
}
