"""``benchmarks/claims_channel_choice.py`` as it is used, on the smallest scales."""

from __future__ import annotations

import pytest
from channel_claims import all_claims
from channel_measures import CURVES, REGIMES, measure
from claims_channel_choice import main


def test_tables_of_means_and_claims(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--seeds", "0", "--scales", "1,4", "--orders", "2", "--markdown"]
    assert main(words) == 0
    out = capsys.readouterr().out
    assert out.startswith("$ python benchmarks/claims_channel_choice.py --seeds 0 --scales 1,4")
    assert "| regime | services | " + " | ".join(CURVES) + " |" in out
    rows = [line for line in out.splitlines() if line.startswith("| 1e-10 J/FLOP")]
    assert [row.split(" | ")[1] for row in rows] == ["9", "36"]
    verdicts = [line.split(" | ")[2] for line in out.splitlines() if line.startswith("| Lemma 2")]
    assert verdicts[:2] == ["does not hold", "holds"]


def test_verdicts_follow_the_measures() -> None:
    told: list[str] = []
    found = measure((1, 2), [0], 2, told.append)
    assert len(told) == 2 * (len(REGIMES) + 1)
    doubled = {claim.text: claim.holds for claim in all_claims(found, [0])}
    assert doubled["MP-DOB about twice ELC at every scale"] is False
    assert doubled["the game converges"] is True
    found.curves["MP-DOB"][:] = 2 * found.curves["ELC"]
    found.curves["BDO"][0] = found.curves["ELC"][0] + 1
    found.game["converged"][0] = 0
    changed = {claim.text: claim.holds for claim in all_claims(found, [0])}
    assert changed["MP-DOB about twice ELC at every scale"] is True
    assert changed["BDO above ELC"] is None
    assert changed["the game converges"] is None


@pytest.mark.parametrize("bad", [["--scales", "4,1"], ["--scales", "3"], ["--orders", "1"]])
def test_bad_words(bad: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(bad) == 2
    assert "expected" in capsys.readouterr().err
