"""The stored files are what the manifest says, and their proofs can be had again."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

import optkit

FOLDER = Path(__file__).parents[2] / "instances"
MANIFEST = json.loads((FOLDER / "MANIFEST.json").read_text())
BEST = json.loads((FOLDER / "best_known.json").read_text())


def test_every_file_is_listed_and_no_other():
    files = {str(path.relative_to(FOLDER)) for path in FOLDER.glob("*/*.json")}
    assert files == set(MANIFEST) == set(BEST)


@pytest.mark.parametrize("file", MANIFEST)
def test_a_file_is_what_the_manifest_says(file):
    entry = MANIFEST[file]
    assert hashlib.sha256((FOLDER / file).read_bytes()).hexdigest() == entry["sha256"]
    instance = optkit.load(FOLDER / file)
    assert (instance.name, instance.digest) == (entry["name"], entry["digest"])
    assert optkit.load(instance.to_dict()) == instance


@pytest.mark.parametrize("file", BEST)
def test_the_best_known_value_is_found_again(file):
    """The first exact method that applies, for at most ten seconds."""
    known = BEST[file]
    result = optkit.solve(optkit.load(FOLDER / file), stop=optkit.Stop(time_s=10))
    if known["status"] == "infeasible":
        assert result.status == "infeasible"
        return
    sign = 1 if result.sense == "minimise" else -1
    slack = result.evaluation.tolerance
    assert sign * (known["bound"] - known["objective"]) <= 0
    assert sign * (known["bound"] - result.objective) <= slack
    assert sign * (result.bound - known["objective"]) <= slack
    if result.status == "optimal":
        assert result.objective == pytest.approx(known["objective"], rel=2e-6)


def test_the_maker_checks_the_files():
    command = [sys.executable, str(FOLDER / "make.py"), "--check"]
    assert subprocess.run(command, check=False, capture_output=True, text=True).returncode == 0
