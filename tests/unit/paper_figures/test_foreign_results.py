"""Results from elsewhere cannot bring commands, formulas or markup into what is drawn from them."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from impls.errors import UserError
from paper_figures.cli import main
from paper_figures.files import table_csv
from paper_figures.runs import all_runs
from tests.support.runs_on_disk import edit_record, write_run

HOSTILE = ("<script>alert(1)</script>", "a\n\\input{x}", "$x_1$ {", 'a" onclick="b', "`touch PWNED`", "a;touch PWNED")


@pytest.mark.parametrize("text", HOSTILE[:5])
@pytest.mark.parametrize("place", ["preset", "device", "versions", "finished_at", "code", "data"])
def test_a_name_in_a_record_is_only_a_name(place, text, tmp_path):
    run = write_run(tmp_path)
    assert all_runs(tmp_path)
    before = json.loads((run / "run.json").read_bytes())[place]
    changed = {
        "device": lambda: before | {"name": text},
        "versions": lambda: before | {"numpy": text},
        "code": lambda: before | {"source_sha256": text},
        "data": lambda: [before[0] | {"files": {text: "0" * 64}}],
    }
    edit_record(run, **{place: changed.get(place, lambda: text)()})
    with pytest.raises(UserError, match=place) as caught:
        all_runs(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_folder_is_no_link_to_a_script(tmp_path):
    write_run(tmp_path, experiment="javascript:alert(1)")
    assert [main([name, "--results", str(tmp_path)]) for name in ("claims", "report")] == [0, 0]
    page = (tmp_path / "report.html").read_text()
    assert "javascript%3Aalert" in page and 'href="javascript:' not in page


def test_a_text_is_no_formula():
    table = pd.DataFrame({"cell": ["=1+1", "+1", "-a", "@b", "plain", -1.5]})
    assert table_csv(table).decode().split() == ["cell", "'=1+1", "'+1", "'-a", "'@b", "plain", "-1.5"]
