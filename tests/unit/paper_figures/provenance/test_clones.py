"""Drawings made in two clones: the same bytes, and changes of code and claims are named."""

import os
import re
import shutil
import subprocess
import sys

import pandas as pd
import pytest

from paper_figures.provenance import embedding
from paper_figures.runs import ROOT
from tests.support.stamped_drawings import FILES, TABLE, write_runs


@pytest.fixture(scope="module")
def clones(tmp_path_factory):
    """Two clones in folders of other names, each with the same runs, drawn by a process in another environment."""
    fixed = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    for who in ("AUTHOR", "COMMITTER"):
        fixed |= {f"GIT_{who}_NAME": "x", f"GIT_{who}_EMAIL": "x", f"GIT_{who}_DATE": "2026-01-01T00:00:00Z"}
    program = "import sys; from paper_figures.cli import main; sys.exit(any(main([name, '--results', 'results/a'])"
    program += " for name in ('fig_underfitting', 'text_deep', 'claims')))"
    environments = [
        {"PYTHONHASHSEED": "1", "SOURCE_DATE_EPOCH": "1", "TZ": "Asia/Tokyo", "LC_ALL": "C"},
        {"PYTHONHASHSEED": "2", "SOURCE_DATE_EPOCH": "1700000000", "TZ": "UTC", "LC_ALL": "C.UTF-8"},
    ]
    folders, processes = [], []
    for name, environment in zip(("a", "of another name/b"), environments, strict=True):
        clone = tmp_path_factory.mktemp("clones") / name
        for package in ("paper_figures", "impls"):
            shutil.copytree(ROOT / package, clone / package, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / ".gitignore", clone)  # names the bytecode that the drawing leaves
        for command in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "all"]):
            subprocess.run(["git", *command], cwd=clone, env=os.environ | fixed, check=True)
        write_runs(clone / "results/a")
        command = [sys.executable, "-W", "error", "-c", program]
        processes.append(subprocess.Popen(command, cwd=clone, env=os.environ | environment, stdout=subprocess.DEVNULL))
        folders.append(clone)
    assert [process.wait() for process in processes] == [0, 0]
    return folders


def test_every_file_is_the_same_bytes_wherever_and_whenever_it_is_made(clones):
    for file in FILES:
        one, other = ((clone / "results/a" / file).read_bytes() for clone in clones)
        assert one == other, file
    commit = embedding.read_stamp(".md", (clones[0] / "results/a" / TABLE).read_bytes())["git_commit"]
    assert re.fullmatch("[0-9a-f]{40}", commit)


def test_changed_sources_and_claims_are_named(clones):
    """A changed margin with its old value, which git has; an edited line; but no source that the table does not use."""
    package = clones[0] / "paper_figures"
    claims = package / "claims" / "claims.csv"
    table = pd.read_csv(claims, dtype=str, keep_default_na=False)
    place = table["id"] == "text_deep/mnist/fcn/21/cdni"
    (margin,) = table.loc[place, "margin"]
    table.loc[place, "margin"] = "0.77"
    table.to_csv(claims, index=False, lineterminator="\n")
    used, unused = package / "artifacts" / "text_deep.py", package / "drawing" / "panels.py"
    used.write_text(used.read_text().replace("A very deep", "A deep"))
    unused.write_text(unused.read_text() + "\n# edited\n")
    command = [sys.executable, "-m", "paper_figures", "verify", "results/a/tables/text_deep.md"]
    result = subprocess.run(command, cwd=clones[0], capture_output=True, text=True)
    assert result.returncode == 1, result.stderr
    assert "source changed: paper_figures/artifacts/text_deep.py (git diff" in result.stdout
    assert f"claim changed: text_deep/mnist/fcn/21/cdni: margin '{margin}', now '0.77'" in result.stdout
    assert "panels.py" not in result.stdout and "edited:" not in result.stdout
    assert "line 1 is the first that differs: '# A very deep" in result.stdout
