"""Fixtures of the tests of the speed gate."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.cli import main


@pytest.fixture
def judge(tmp_path, capsys):
    """Judge a stored comparison, or two; returns exit code, output and errors."""

    def run(base: dict | str | Path, head: dict | str | Path | None = None, *flags: str) -> tuple[int, str, str]:
        names = []
        for side, content in (("base", base), ("head", base if head is None else head)):
            path = tmp_path / ("both.json" if head is None else f"{side}.json")
            if isinstance(content, dict):
                path.write_text(json.dumps(content))
            names.append(str(path if isinstance(content, dict) else content))
        code = main(["compare", *names, *flags])
        out, err = capsys.readouterr()
        return code, out, err

    return run
