"""The dates of claims: read from git, kept beside them, and void where a claim was changed since."""

import json
import subprocess

import pytest

from impls.errors import UserError
from paper_figures.claims import history, matching
from paper_figures.claims.history import dates_from_git, read_dates
from tests.support.judged_claims import judged, row
from tests.support.runs_on_disk import EQUAL, edit_record, write_run

HEAD = "id,reason,value,margin,direction\n"
EARLY, LATER, LAST = (f"2026-11-2{day}T08:00:00+00:00" for day in (1, 2, 3))


class Repository:
    """A repository with one file of claims."""

    def __init__(self, folder):
        self.folder = folder
        self.file = folder / "claims.csv"
        self._git("init", "--quiet")

    def commit(self, text, date, name="claims.csv"):
        self.file = self.folder / name
        self.file.parent.mkdir(exist_ok=True)
        self.file.write_text(HEAD + text)
        self._git("add", "--all")
        settings = [f"-c user.{key}=x" for key in ("name", "email")]
        self._git(*" ".join(settings).split(), "commit", "--quiet", "--message", "x", date=date)

    def _git(self, *arguments, date=EARLY):
        environment = {"GIT_AUTHOR_DATE": EARLY, "GIT_COMMITTER_DATE": date, "PATH": "/usr/bin:/bin:/usr/local/bin"}
        subprocess.run(["git", "-C", str(self.folder), *arguments], check=True, env=environment)


@pytest.fixture
def repository(tmp_path):
    return Repository(tmp_path)


def dates(repository):
    return {name: since for name, (_, since) in dates_from_git(repository.file).items()}


def test_a_claim_is_as_old_as_its_value_margin_and_direction(repository):
    repository.commit("a,x,1.0,0.3,two-sided\nb,x,2,0,at most\nc,x,3,0.1,two-sided\n", EARLY)
    repository.commit("a,y,1,0.30,two-sided\nb,x,2,0,at least\nc,x,3,0.2,two-sided\n", LATER)
    assert dates(repository) == {"a": EARLY, "b": LATER, "c": LATER}  # another reason or spelling is no change
    repository.commit("a,y,1,0.30,two-sided\nc,x,3,0.1,two-sided\nd,x,9,1,two-sided\n", LAST)
    # Back to what it was is a change, too.
    assert dates(repository) == {"a": EARLY, "c": LAST, "d": LAST}


def test_the_history_goes_on_where_the_file_was_moved(repository):
    repository.commit("a,x,1,0.3,two-sided\n" * 20, EARLY)
    (repository.folder / "claims.csv").unlink()
    repository.commit("a,x,1,0.3,two-sided\n" * 20, LATER, "rooms/claims.csv")
    assert dates(repository) == {"a": EARLY}


def test_what_is_not_committed_has_no_date(repository):
    repository.commit("a,x,1,0.3,two-sided\n", EARLY)
    repository.file.write_text(HEAD + "a,x,1,0.4,two-sided\nb,x,1,0.3,two-sided\n")
    assert dates(repository) == {"a": "", "b": ""}


def test_without_the_whole_history_there_are_no_dates(repository, tmp_path):
    with pytest.raises(UserError, match="read from git"):
        dates_from_git(tmp_path / "nowhere" / "claims.csv")
    repository.commit("a,x,1,0.3,two-sided\n", EARLY)
    repository.commit("a,x,1,0.4,two-sided\n", LATER)
    shallow = tmp_path / "shallow"
    subprocess.run(["git", "clone", "--quiet", "--depth=1", f"file://{repository.folder}", str(shallow)], check=True)
    with pytest.raises(UserError, match="git fetch --unshallow"):
        dates_from_git(shallow / "claims.csv")


def test_the_dates_of_this_repository_are_those_of_its_history():
    try:
        found = dates_from_git()
    except UserError as error:
        pytest.skip(str(error))
    assert read_dates() == found, f"run {history.COMMAND}, and commit claims.json"
    assert all(since for _, since in found.values()), f"commit claims.csv first, and then run {history.COMMAND}"


def test_it_is_written_and_checked(tmp_path, monkeypatch, capsys):
    found = {"a": ((1.0, 0.3, "two-sided"), EARLY), "b": ((1.0, 0.0, "at most"), "")}
    monkeypatch.setattr(history, "dates_from_git", lambda: found)
    monkeypatch.setattr(history, "CLAIMS_DATES", tmp_path / "claims.json")
    assert history.main([]) == 0 and "1 of 2 claims have a date" in capsys.readouterr().out
    assert read_dates(tmp_path / "claims.json") == found
    monkeypatch.setattr(history, "read_dates", lambda: read_dates(tmp_path / "claims.json"))
    assert history.main(["--check"]) == 0
    found["b"] = (found["b"][0], LATER)
    assert history.main(["--check"]) == 1 and history.COMMAND in capsys.readouterr().err


# What the verdicts make of it.

CLAIM = "table_feedforward/mnist/fcn/4/dni"


@pytest.mark.parametrize(
    ("since", "started", "margin", "post_hoc"),
    [
        (EARLY, LATER, 0.3, False),
        (LATER, EARLY, 0.3, True),
        ("2026-11-21T08:00:00+00:00", "2026-11-21T08:30:00+01:00", 0.3, True),  # half an hour earlier, in UTC
        (None, LATER, 0.3, True),
        (EARLY, LATER, 0.4, True),  # the file of dates is about another margin
    ],
)
def test_a_claim_younger_than_its_run_is_post_hoc(tmp_path, monkeypatch, since, started, margin, post_hoc):
    run = write_run(tmp_path, final=EQUAL)
    edit_record(run, started_at=started)
    entry = {"value": 2.2, "margin": margin, "direction": "two-sided", "since": since}
    (tmp_path / "claims.json").write_text(json.dumps({CLAIM: entry}))
    monkeypatch.setattr(matching, "read_dates", lambda: read_dates(tmp_path / "claims.json"))
    found = row(judged(tmp_path), claim=CLAIM)
    assert (found["verdict"], found["post_hoc"], found["run_started"]) == ("reproduced", post_hoc, started)


def test_a_claim_about_two_runs_is_as_old_as_the_older_run(tmp_path, monkeypatch):
    claim = "finding/worse_with_depth/mnist/fcn/no_bprop"
    entry = {"value": 0.05, "margin": 0, "direction": "at least", "since": LATER}
    (tmp_path / "claims.json").write_text(json.dumps({claim: entry}))
    monkeypatch.setattr(matching, "read_dates", lambda: read_dates(tmp_path / "claims.json"))
    for started, post_hoc in ((EARLY, True), (LAST, False)):
        folder = tmp_path / started[:10]
        edit_record(write_run(folder, depth=3, method="no_bprop"), started_at=started)
        write_run(folder, depth=6, method="no_bprop")
        assert row(judged(folder), claim=claim)["post_hoc"] == post_hoc
