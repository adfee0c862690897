"""Whether `verify` detects what was done to a file, or to its inputs, and says which."""

import json
import re
import shutil

import numpy as np
import pandas as pd
import pytest

from paper_figures.cli import main
from paper_figures.drawing import style
from paper_figures.provenance import embedding, stamps
from paper_figures.provenance.verify import DIFFERS, MATCHES, UNKNOWN, Verifier
from tests.support.runs_on_disk import edit_curves, edit_record, write_run
from tests.support.stamped_drawings import CLAIMS, DEEP, FIGURE, FILES, TABLE


@pytest.fixture
def results(made, tmp_path):
    """A copy of it, to be changed; its stamps name the folder that it was made in."""
    return shutil.copytree(made, tmp_path / "results")


@pytest.fixture(scope="module")
def verifier():
    """For what changes no input: it draws each artifact once."""
    return Verifier()


def verdict_of(path):
    """The word, and all reasons in one text."""
    verdict = Verifier().verify(path)
    return verdict.word, "\n".join(verdict.reasons)


def test_what_was_not_touched_matches(made, capsys):
    assert main(["verify", str(made)]) == 0
    captured = capsys.readouterr()
    assert len(re.findall("matches: made from the results and the code on this machine", captured.out)) == len(FILES)
    assert f"{len(FILES)} files: {len(FILES)} match, 0 differ, 0 cannot be verified" in captured.out
    assert captured.err.count(": drawing ") == 3


@pytest.mark.parametrize("file", FILES)
@pytest.mark.slow("draws again for each edit of a stamp")
def test_any_changed_byte_is_seen_in_place_and_elsewhere(results, tmp_path, file):
    path = results / file
    content = path.read_bytes()
    elsewhere = tmp_path / f"renamed{path.suffix}"
    elsewhere.write_bytes(content)
    verifier = Verifier(results)  # the copy elsewhere names no folder outside the repository
    for verdict in (verifier.verify(path), verifier.verify(elsewhere)):
        assert verdict.word == MATCHES, str(verdict)
    known = [content.find(mark) + 3 for mark in (b'"git_dirty"', b'"seal_sha256": ""') if mark in content]
    places = [0, len(content) // 2, len(content) - 1, *known]
    for place in [*places, *np.random.default_rng(0).integers(len(content), size=4)]:
        edited = bytearray(content)
        edited[place] ^= 1
        path.write_bytes(edited)
        verdict = verifier.verify(path)
        assert verdict.word == DIFFERS and verdict.reasons[0].startswith("edited"), (place, str(verdict))
        elsewhere.write_bytes(edited)
        stamp = embedding.read_stamp(path.suffix, edited)
        stamped = stamp is not None and stamps.is_whole(stamp)
        assert verifier.verify(elsewhere).word in ({DIFFERS} if stamped else {DIFFERS, UNKNOWN}), place


def test_a_copy_of_a_figure_for_one_column_matches(results, tmp_path):
    assert main(["fig_underfitting", "--results", str(results), "--columns", "1"]) == 0
    copy = shutil.copy(results / "figures/fig_underfitting_one_column.png", tmp_path / "copy.png")
    assert Verifier(results).verify(copy).word == MATCHES
    assert "its runs were in .../results, which is not here: give their folder" in str(Verifier().verify(copy))


def test_an_edited_stamp_is_not_believed(results):
    """It would say that a run has changed, where only the file has."""
    path = results / TABLE
    recorded = embedding.read_stamp(".md", path.read_bytes())["runs"][0]["sha256"]
    path.write_text(path.read_text().replace(recorded, recorded[::-1]))
    for _ in range(2):  # with the stamp of the .json beside it, and then without
        word, reasons = verdict_of(path)
        assert word == DIFFERS and reasons.startswith("edited") and "run record" not in reasons, reasons
        path.with_suffix(".json").unlink(missing_ok=True)


def test_a_cut_file_and_one_that_says_nothing_are_told_apart(results, verifier):
    path = results / FIGURE
    path.write_bytes(path.read_bytes()[:-100])
    assert "edited" in str(verifier.verify(path))
    path.write_bytes(b"%PDF-1.4 of another program")
    path.with_suffix(".json").unlink()
    assert "no valid stamp" in str(verifier.verify(path))


def test_an_edited_claim_is_named_with_both_values(results):
    path = results / CLAIMS
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    place = (table["id"] == "text_deep/mnist/fcn/21/cdni") & (table["framework"] == "torch")
    (value,) = table.loc[place, "ours"]
    path.write_text(path.read_text().replace(f",torch,{value},", ",torch,1.9,"))
    word, reasons = verdict_of(path)
    assert (
        word == DIFFERS
        and f"(text_deep/mnist/fcn/21/cdni 500000 torch): ours '1.9', when drawn again here '{value}'" in reasons
    )


def another_run(run):
    write_run(run.parents[5], "jax", 21, "cdni", iterations=2000)


INPUTS = {
    "record": (
        lambda run: edit_record(run, device={"kind": "gpu", "name": "another"}),
        "device cpu AMD EPYC, now gpu an",
    ),
    "space": (
        lambda run: (run / "run.json").write_text((run / "run.json").read_text() + " "),
        "run record changed: feedforward/",
    ),
    "no record": (lambda run: (run / "run.json").write_text("{"), "it cannot be drawn again: "),
    "curves": (lambda run: edit_curves(run, lambda x: x.assign(value=x["value"] + 1)), f"curves changed: {DEEP}"),
    "missing": (shutil.rmtree, f"run missing: {DEEP}/run.json"),
    "new": (another_run, "run new: feedforward/dataset~mnist/model~fcn/depth~21/method~cdni/jax/run.json"),
}


@pytest.mark.parametrize("change", INPUTS)
@pytest.mark.slow("draws again for each change")
def test_a_changed_input_is_named(results, change):
    act, words = INPUTS[change]
    act(results / DEEP)
    for suffix in (".md", ".csv"):
        word, reasons = verdict_of((results / TABLE).with_suffix(suffix))
        assert word == DIFFERS and words in reasons and "edited" not in reasons, reasons
        unchanged = "what it shows is still valid" in reasons
        # The device stands below the table, and in no cell of it.
        assert unchanged == (change == "space" or (change == "record" and suffix == ".csv")), reasons


def test_other_data_and_an_edit_beside_it_are_both_told(results):
    record = json.loads((results / DEEP / "run.json").read_text())
    record["data"][0]["files"] = dict.fromkeys(record["data"][0]["files"], "f" * 64)
    edit_record(results / DEEP, data=record["data"])
    path = results / TABLE
    path.write_text(path.read_text().replace("the same", "the sane", 1))
    word, reasons = verdict_of(path)
    assert word == DIFFERS and reasons.startswith("edited")
    assert "data changed: mnist (original): other checksums of train-images-idx3-ubyte.gz" in reasons


def test_other_versions_are_no_edit(results, monkeypatch):
    """Drawn by another matplotlib: the same bytes match, and others are not held against the file."""
    here = stamps.versions()
    monkeypatch.setattr(stamps, "versions", lambda: {**here, "matplotlib": "9.9"})
    drawn_with = f"matplotlib {here['matplotlib']}, here 9.9"
    word, reasons = verdict_of(results / FIGURE)
    assert word == MATCHES and drawn_with in reasons
    monkeypatch.setitem(style._RC, "axes.linewidth", 0.7)
    word, reasons = verdict_of(results / FIGURE)
    assert word == DIFFERS and drawn_with in reasons and "Nothing else has changed" in reasons
    edited = results / FIGURE
    edited.write_bytes(edited.read_bytes() + b" ")
    assert "edited" in verdict_of(edited)[1] and drawn_with in verdict_of(edited)[1]


def test_a_figure_edited_with_its_record_is_seen_when_it_is_drawn_again(results, verifier):
    path = (results / FIGURE).with_suffix(".svg")
    content = path.read_bytes()
    edited = content.replace(b"stroke-width: 0.6", b"stroke-width: 0.9", 1)
    record = path.with_suffix(".json")
    path.write_bytes(edited)
    record.write_bytes(
        embedding._seal(record.read_bytes().replace(*(stamps.sha256(one).encode() for one in (content, edited))))
    )
    assert embedding.seal_is_whole(record.read_bytes())
    verdict = verifier.verify(path)
    assert verdict.word == DIFFERS and "it was edited, or it was drawn on a machine" in verdict.reasons[0]


def test_a_csv_whose_record_is_edited_too(results):
    """Who edits a number and its hash in the .json breaks the seal of that."""
    path = results / CLAIMS
    edited = path.read_bytes().replace(b"missing", b"reached", 1)
    record = path.with_suffix(".json")
    written = record.read_text().replace(stamps.sha256(path.read_bytes()), stamps.sha256(edited))
    path.write_bytes(edited)
    record.write_text(written)
    word, reasons = verdict_of(path)
    assert word == DIFFERS and "'reached', when drawn again here 'missing'" in reasons
    assert "edited" in verdict_of(record)[1]


def test_what_cannot_be_verified_says_why(results, made, tmp_path, capsys):
    alone = tmp_path / "alone.svg"
    alone.write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    (tmp_path / "notes.txt").write_text("")
    other = shutil.copy(results / TABLE, tmp_path / "other.md")
    shutil.move(results, tmp_path / "moved")
    stamped = embedding.read_stamp(".md", other.read_bytes())
    gone = {**stamped, "command": "python -m paper_figures text_deep --results results/no-such-folder"}
    gone["stamp_sha256"] = stamps._hash({name: gone[name] for name in gone if name != "stamp_sha256"})
    (tmp_path / "gone.md").write_bytes(embedding.with_comment(".md", "", gone))
    for file, words in {
        "alone.svg": "not a file of this suite",
        "notes.txt": "not a file of a table or figure",
        "nothing.pdf": "No such file",
        "gone.md": "its runs were in results/no-such-folder, which is not here",
    }.items():
        assert main(["verify", str(tmp_path / file)]) == 2
        assert words in capsys.readouterr().out
    assert main(["verify", str(other), "--results", str(tmp_path / "moved")]) == 0
    assert main(["verify", str(other), str(alone)]) == 2
    assert "its runs were in .../made" in capsys.readouterr().out
    other.write_text(other.read_text().replace("missing", "reached", 1))
    assert main(["verify", str(other), str(alone), "--results", str(tmp_path / "moved")]) == 1
    for arguments in (["verify"], ["verify", str(other), "--results", "nowhere"], ["stamp"], ["stamp", str(alone)]):
        assert main(arguments) == 2
        assert capsys.readouterr().err.count("error: ") == 1
