"""The documentation runs: both scripts, a problem installed from outside, and every page."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from doc_blocks import ROOT, Block, blocks, commands, missing, pages, run_console, run_page

DOCS = ROOT / "docs"


def run(*words: object, folder: Path, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, *map(str, words)], cwd=folder, env={**os.environ, **environment},
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def gaps(out: str) -> dict[str, float]:
    """Per cent of gap by method."""
    rows = re.findall(r"^(\w+) +[\d.]+ s  gap ([\d.]+) %", out, re.M)
    return {name: float(gap) for name, gap in rows}


def test_a_formulation_is_solved_and_proved(tmp_path: Path) -> None:
    out = run(DOCS / "add_a_formulation.py", folder=tmp_path)
    found = gaps(out)
    assert found["enumerate"] == found["branch"] == 0
    assert found["equal_share"] > 1
    assert len(re.findall(r"(?:enumerate|branch) .* optimal$", out, re.M)) == 2
    assert out.splitlines()[-1] == "check: ok"


def test_a_formulation_of_another_package_is_found(tmp_path: Path) -> None:
    """The entry point that the script describes, as an installed package has it."""
    shutil.copy(DOCS / "add_a_formulation.py", tmp_path / "service_offloading.py")
    script = (DOCS / "add_a_formulation.py").read_text()
    described = re.search(
        r'#     (\[project\.entry-points\.)"(.*)"\]\n#     (.*) = "(.*)"\n', script
    )
    assert described is not None
    _, group, name, target = described.groups()
    metadata = tmp_path / "service_offloading-0.1.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Name: service-offloading\nVersion: 0.1\n")
    (metadata / "entry_points.txt").write_text(f"[{group}]\n{name} = {target}\n")
    here = {"folder": tmp_path, "PYTHONPATH": str(tmp_path)}
    generate = ("-m", "optkit.generate", "service_offloading", "random", "-p", "services=8")
    run(*generate, "--out", "a.json", **here)
    out = run("-m", "optkit.solve", "a.json", "--out", "a.result.json", **here)
    assert "branch (auto)" in out and "optimal (proved)" in out
    assert run("-m", "optkit.check", "a.json", "a.result.json", **here).endswith("ok\n")


def test_a_formulation_refuses_bad_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(DOCS)
    import add_a_formulation as script

    document = script.generate("random", 0)
    instance = script.ServiceOffloading(document)
    assert script.ServiceOffloading(instance.to_dict()) == instance
    document["services"]["cycles"] = document["services"]["cycles"].tolist()
    document["services"]["cycles"][2] = -1.0
    with pytest.raises(script.InstanceError, match=r"services\.cycles\[2\]: found -1"):
        script.ServiceOffloading(document)
    x = instance.check_decision([1] * 14)
    share = instance.best_share(x[None])[0]
    again, parts = instance.from_decision(instance.decision(x, share=share))
    assert instance.evaluate(again, **parts) == instance.evaluate(x)


def test_a_method_is_compared(tmp_path: Path) -> None:
    out = run(DOCS / "add_a_method.py", folder=tmp_path)
    found = gaps(out)
    assert set(found) == {"marginal_greedy", "whole_tasks", "head_and_tail"}
    assert all(0 <= gap < 10 for gap in found.values())
    assert found["head_and_tail"] <= found["whole_tasks"]
    assert re.search(r"^cg .* optimal$", out, re.M)
    assert "stopped by iterations" in out
    assert "never worse than its start: True" in out
    assert "has no option 'sweep' (did you mean 'sweeps'?)" in out
    assert "cannot solve this instance: 2400 tasks" in out


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_a_page_runs(page: Path, tmp_path: Path) -> None:
    failures = run_page(page, tmp_path)
    assert not failures, "\n".join(failures)


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:|mailto:|#)([^)#\s]+)", page.read_text()):
        assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_blocks_and_their_commands_are_found(tmp_path: Path) -> None:
    page = "text\n```console checked\n$ true\n$ optkit nonsense \\\n   x  # exit status 2\n"
    page += "optkit: unknown ... 'nonsense'...\nnever printed\n```\nmore\n```text\n$ optkit\n```\n"
    console, text = blocks(page)
    assert console.words == ("console", "checked") and console.line == 2
    assert text.words == ("text",)
    assert list(commands(console)) == [("true", 0), ("optkit nonsense     x", 2)]
    unchecked = Block(("console",), "$ make demo\n$ python -m optkit.solve a.json\nout\n", 1)
    assert list(commands(unchecked)) == [("python -m optkit.solve a.json", 0)]
    failures = run_console(console, "page", tmp_path)
    assert len(failures) == 1 and "not printed: never printed" in failures[0]


def test_blocks_that_need_an_absent_module_are_left_alone(tmp_path: Path) -> None:
    assert missing(Block(("python", "if-numpy", "if-no_such_module"), "", 1))
    assert not missing(Block(("python", "if-numpy"), "", 1))
    for word, failures in (("if-no_such_module", 0), ("if-numpy", 1)):
        folder = tmp_path / word
        folder.mkdir()
        page = folder / "page.md"
        page.write_text(f"```python {word}\n>>> 1\n2\n```\n")
        assert len(run_page(page, folder)) == failures
