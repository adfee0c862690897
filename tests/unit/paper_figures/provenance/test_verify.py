"""What each file of a drawing says of itself, and whether `verify` sees what was done to it, or to its inputs."""

import io
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from paper_figures.__main__ import main
from paper_figures.drawing import style
from paper_figures.provenance import embedding, stamps
from paper_figures.provenance.verify import DIFFERS, MATCHES, UNKNOWN, Verifier
from paper_figures.runs import ROOT
from tests.support.runs_on_disk import edit_curves, edit_record, write_run

FIGURE, TABLE, CLAIMS = "figures/fig_underfitting.pdf", "tables/text_deep.md", "claims.csv"
FIGURE_SUFFIXES, TABLE_SUFFIXES = (".pdf", ".svg", ".png", ".csv", ".json"), (".md", ".tex", ".csv", ".json")
FILES = [
    *(FIGURE.replace(".pdf", suffix) for suffix in FIGURE_SUFFIXES),
    *(TABLE.replace(".md", suffix) for suffix in TABLE_SUFFIXES),
    *(CLAIMS, "claims.json"),
]
DEEP = "feedforward/dataset~mnist/model~fcn/depth~21/method~cdni/torch"


def write_runs(results):
    """A run for the table and one for the figure, in few points."""
    write_run(results, "torch", 21, "cdni", final=2.1, iterations=2000, evaluate_every=1000)
    train = {("train", "error"): 5.0, ("train", "loss"): 0.2}
    write_run(results, "torch", 3, "bprop", dataset="cifar10", model="cnn", iterations=2000, metrics=train)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A results folder with two runs, a figure, a table and the claims; not to be changed."""
    results = tmp_path_factory.mktemp("made")
    write_runs(results)
    for name in ("fig_underfitting", "text_deep", "claims"):
        assert main([name, "--results", str(results)]) == 0
    return results


@pytest.fixture
def results(made, tmp_path):
    """A copy of it, to be changed; its stamps name the folder that it was made in."""
    return shutil.copytree(made, tmp_path / "results")


@pytest.fixture(scope="module")
def verifier():
    """For what changes no input: it draws each artifact once."""
    return Verifier()


def told(path):
    """The word, and all reasons in one text."""
    verdict = Verifier().verify(path)
    return verdict.word, "\n".join(verdict.reasons)


def test_every_file_carries_the_whole_stamp_and_other_readers_find_it(made):
    for drawing, suffixes in ((FIGURE, FIGURE_SUFFIXES), (TABLE, TABLE_SUFFIXES)):
        contents = {suffix: (made / drawing).with_suffix(suffix).read_bytes() for suffix in suffixes}
        record = json.loads(contents[".json"])
        assert record["stamp"]["runs"] and record["stamp"]["data"] and record["stamp"]["versions"]["matplotlib"]
        assert stamps.is_whole(record["stamp"])
        for suffix, content in contents.items():
            if suffix == ".csv":
                assert (
                    embedding.read_stamp(suffix, content) is None and embedding.seal_is_whole(suffix, content) is None
                )
            else:
                assert embedding.read_stamp(suffix, content) == record["stamp"], suffix
                assert embedding.seal_is_whole(suffix, content), suffix
            if suffix != ".json":
                assert record["files"][suffix] == stamps.sha256(content)
        if drawing == FIGURE:
            figure, stamp, line = contents, record["stamp"], stamps.short(record["stamp"])
    metadata = ElementTree.fromstring(figure[".svg"]).iter("{http://purl.org/dc/elements/1.1/}source")
    assert [json.loads(element.text) for element in metadata] == [stamp]
    chunks = Image.open(io.BytesIO(figure[".png"])).text
    assert (json.loads(chunks["Stamp"]), chunks["Description"]) == (stamp, line)
    escaped = line.replace("(", r"\(").replace(")", r"\)")
    assert f"/Subject ({escaped})".encode() in figure[".pdf"]


def test_text_survives_every_kind_of_file():
    """What a path or a device's name may hold: the marks by which a format ends its strings and comments."""
    odd = 'a(b)\\) --> <!-- & &amp; </dc:source> "q" %\n% é 中'
    stamp = {
        "stamp_sha256": "",
        "artifact": odd,
        "command": odd,
        "sources": {},
        "versions": {},
        "runs": [{"path": odd}],
    }
    more = {"git_commit": None, "sources_sha256": "", "claims_sha256": ""}
    images = style.save(style.new_figure(1, 1), odd, {**stamp, **more, "runs": [{"path": odd, "source_sha256": ""}]})
    written = {
        **images,
        **{suffix: embedding.with_comment(suffix, "text\n", stamp) for suffix in (".md", ".html", ".tex")},
    }
    for suffix, content in embedding.sealed(written, odd, stamp).items():
        read = embedding.read_stamp(suffix, content)
        assert (read["artifact"], read["runs"][0]["path"]) == (odd, odd), suffix
        assert embedding.seal_is_whole(suffix, content), suffix


def test_what_was_not_touched_matches(made, capsys):
    assert main(["verify", str(made)]) == 0
    captured = capsys.readouterr()
    assert len(re.findall("matches: made from the results and code at hand", captured.out)) == len(FILES)
    assert f"{len(FILES)} files: {len(FILES)} match, 0 differ, 0 cannot be verified" in captured.out
    assert captured.err.count("remaking") == 3


@pytest.mark.parametrize("file", FILES)
def test_any_changed_byte_is_seen_in_place_and_elsewhere(results, verifier, tmp_path, file):
    path = results / file
    content = path.read_bytes()
    elsewhere = tmp_path / f"renamed{path.suffix}"
    elsewhere.write_bytes(content)
    if path.suffix == ".csv":
        verifier = Verifier(results)
    for verdict in (verifier.verify(path), verifier.verify(elsewhere)):
        assert verdict.word == MATCHES, str(verdict)
    seal = re.search(embedding._SEALS[path.suffix], content) if path.suffix != ".csv" else None
    stamp = content.find(b'"git_dirty"')
    places = [0, len(content) // 2, len(content) - 1, *([seal.start(1), stamp + 3] if seal else [])]
    for place in [*places, *np.random.default_rng(0).integers(len(content), size=4)]:
        edited = bytearray(content)
        edited[place] ^= 1
        path.write_bytes(edited)
        verdict = verifier.verify(path)
        assert verdict.word == DIFFERS and verdict.reasons[0].startswith("edited"), (place, str(verdict))
        elsewhere.write_bytes(edited)
        assert verifier.verify(elsewhere).word in ({DIFFERS, UNKNOWN} if path.suffix == ".csv" else {DIFFERS}), place


def test_an_edited_stamp_is_not_believed(results):
    """It would say that a run has changed, where only the file has."""
    path = results / TABLE
    recorded = embedding.read_stamp(".md", path.read_bytes())["runs"][0]["sha256"]
    path.write_text(path.read_text().replace(recorded, recorded[::-1]))
    for _ in range(2):  # with the stamp of the .json beside it, and then without
        word, reasons = told(path)
        assert word == DIFFERS and reasons.startswith("edited") and "run record" not in reasons
        path.with_suffix(".json").unlink(missing_ok=True)


def test_a_cut_file_and_one_that_says_nothing_are_told_apart(results, verifier):
    path = results / FIGURE
    path.write_bytes(path.read_bytes()[:-100])
    assert "edited" in str(verifier.verify(path))
    path.write_bytes(b"%PDF-1.4 of another program")
    assert "carries no stamp" in str(verifier.verify(path))


def test_an_edited_claim_is_named_with_both_values(results):
    path = results / CLAIMS
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    place = (table["id"] == "text_deep/mnist/fcn/21/cdni") & (table["framework"] == "torch")
    (value,) = table.loc[place, "ours"]
    path.write_text(path.read_text().replace(f",torch,{value},", ",torch,1.9,"))
    word, reasons = told(path)
    assert (
        word == DIFFERS
        and f"(text_deep/mnist/fcn/21/cdni 500000 torch): ours '1.9', when remade here '{value}'" in reasons
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
    "no record": (lambda run: (run / "run.json").write_text("{"), "it cannot be remade: "),
    "curves": (lambda run: edit_curves(run, lambda x: x.assign(value=x["value"] + 1)), f"curves changed: {DEEP}"),
    "missing": (shutil.rmtree, f"run missing: {DEEP}/run.json"),
    "new": (another_run, "run new: feedforward/dataset~mnist/model~fcn/depth~21/method~cdni/jax/run.json"),
}


@pytest.mark.parametrize("change", INPUTS)
def test_a_changed_input_is_named(results, change):
    act, words = INPUTS[change]
    act(results / DEEP)
    for suffix in (".md", ".csv"):
        word, reasons = told((results / TABLE).with_suffix(suffix))
        assert word == DIFFERS and words in reasons and "edited" not in reasons, reasons
        unchanged = "what it shows still holds" in reasons
        # The device stands below the table, and in no cell of it.
        assert unchanged == (change == "space" or (change == "record" and suffix == ".csv")), reasons


def test_other_data_and_an_edit_beside_it_are_both_told(results):
    record = json.loads((results / DEEP / "run.json").read_text())
    record["data"][0]["files"] = dict.fromkeys(record["data"][0]["files"], "f" * 64)
    edit_record(results / DEEP, data=record["data"])
    path = results / TABLE
    path.write_text(path.read_text().replace("the same", "the sane", 1))
    word, reasons = told(path)
    assert word == DIFFERS and reasons.startswith("edited")
    assert "data changed: mnist (original): other checksums of train-images-idx3-ubyte.gz" in reasons


def test_other_versions_are_no_edit(results, monkeypatch):
    """Drawn by another matplotlib: the same bytes match, and others are not held against the file."""
    here = stamps.versions()
    monkeypatch.setattr(stamps, "versions", lambda: {**here, "matplotlib": "9.9"})
    drawn_with = f"matplotlib {here['matplotlib']}, here 9.9"
    word, reasons = told(results / FIGURE)
    assert word == MATCHES and drawn_with in reasons
    monkeypatch.setitem(style._RC, "axes.linewidth", 0.7)
    word, reasons = told(results / FIGURE)
    assert word == DIFFERS and drawn_with in reasons and "its seal is whole" in reasons
    edited = results / FIGURE
    edited.write_bytes(edited.read_bytes() + b" ")
    assert "edited" in told(edited)[1] and drawn_with in told(edited)[1]


def test_a_file_sealed_anew_is_seen_by_its_remake(results, verifier):
    path = (results / FIGURE).with_suffix(".svg")
    edited = path.read_bytes().replace(b"stroke-width: 0.6", b"stroke-width: 0.9", 1)
    path.write_bytes(embedding._seal(".svg", edited))
    assert embedding.seal_is_whole(".svg", path.read_bytes())
    verdict = verifier.verify(path)
    assert verdict.word == DIFFERS and "sealed anew" in verdict.reasons[0]


def test_a_csv_whose_record_is_edited_too(results):
    """Who edits a number and its hash in the .json breaks the seal of that."""
    path = results / CLAIMS
    edited = path.read_bytes().replace(b"missing", b"reached", 1)
    record = path.with_suffix(".json")
    written = record.read_text().replace(stamps.sha256(path.read_bytes()), stamps.sha256(edited))
    path.write_bytes(edited)
    record.write_text(written)
    word, reasons = told(path)
    assert word == DIFFERS and "'reached', when remade here 'missing'" in reasons
    assert "edited" in told(record)[1]


def test_what_cannot_be_verified_says_why(results, made, tmp_path, capsys):
    alone = tmp_path / "alone.svg"
    alone.write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    (tmp_path / "notes.txt").write_text("")
    other = shutil.copy(results / TABLE, tmp_path / "other.md")
    shutil.move(results, tmp_path / "moved")
    stamped = embedding.read_stamp(".md", other.read_bytes())
    gone = {**stamped, "command": "python -m paper_figures text_deep --results results/no-such-folder"}
    gone["stamp_sha256"] = stamps._hash({name: gone[name] for name in gone if name != "stamp_sha256"})
    (tmp_path / "gone.md").write_bytes(
        embedding.sealed({".md": embedding.with_comment(".md", "", gone)}, "", gone)[".md"]
    )
    for file, words in {
        "alone.svg": "not one of ours",
        "notes.txt": "not a file of a table or figure",
        "nothing.pdf": "No such file",
        "gone.md": "its runs were in results/no-such-folder, which is not here",
    }.items():
        assert main(["verify", str(tmp_path / file)]) == 2
        assert words in capsys.readouterr().out
    assert main(["verify", str(other), "--results", str(tmp_path / "moved")]) == 0
    assert main(["verify", str(other), str(alone)]) == 2
    other.write_text(other.read_text().replace("missing", "reached", 1))
    assert main(["verify", str(other), str(alone)]) == 1
    for arguments in (["verify"], ["verify", str(other), "--results", "nowhere"], ["stamp"], ["stamp", str(alone)]):
        assert main(arguments) == 2
        assert capsys.readouterr().err.count("error: ") == 1


def test_the_stamp_is_shown_from_any_file(made, capsys):
    for file in FILES:
        assert main(["stamp", str(made / file)]) == 0
        stamp = json.loads(capsys.readouterr().out)
        assert stamp["artifact"] == Path(file).stem


@pytest.fixture(scope="module")
def clones(tmp_path_factory):
    """Two clones in folders of other names, each with the same runs, drawn by a process in another environment."""
    fixed = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    for who in ("AUTHOR", "COMMITTER"):
        fixed |= {f"GIT_{who}_NAME": "x", f"GIT_{who}_EMAIL": "x", f"GIT_{who}_DATE": "2026-01-01T00:00:00Z"}
    program = "import sys; from paper_figures.__main__ import main; sys.exit(any(main([name, '--results', 'results/a'])"
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
