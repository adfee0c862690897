"""What each file of a drawing says about its origin, and how it is read back."""

import io
import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from PIL import Image

from paper_figures.cli import main
from paper_figures.drawing import style
from paper_figures.provenance import embedding, stamps
from tests.support.stamped_drawings import FIGURE, FIGURE_SUFFIXES, FILES, TABLE, TABLE_SUFFIXES


def test_every_file_carries_the_whole_stamp_and_other_readers_find_it(made):
    for drawing, suffixes in ((FIGURE, FIGURE_SUFFIXES), (TABLE, TABLE_SUFFIXES)):
        contents = {suffix: (made / drawing).with_suffix(suffix).read_bytes() for suffix in suffixes}
        record = json.loads(contents[".json"])
        assert record["stamp"]["runs"] and record["stamp"]["data"] and record["stamp"]["versions"]["matplotlib"]
        assert stamps.is_whole(record["stamp"])
        for suffix, content in contents.items():
            expected = None if suffix == ".csv" else record["stamp"]
            assert embedding.read_stamp(suffix, content) == expected, suffix
            if suffix != ".json":
                assert record["files"][suffix] == stamps.sha256(content)
        assert embedding.seal_is_whole(contents[".json"])
        if drawing == FIGURE:
            figure, stamp, line = contents, record["stamp"], stamps.one_line(record["stamp"])
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
    for suffix, content in embedding.with_record(written, odd, stamp).items():
        read = embedding.read_stamp(suffix, content)
        assert (read["artifact"], read["runs"][0]["path"]) == (odd, odd), suffix


def test_the_stamp_is_shown_from_any_file(made, capsys):
    for file in FILES:
        assert main(["stamp", str(made / file)]) == 0
        stamp = json.loads(capsys.readouterr().out)
        assert stamp["artifact"] == Path(file).stem


@pytest.mark.parametrize("suffix", [".md", ".html", ".tex"])
def test_a_file_of_version_0_1_0_with_a_seal_is_read(made, suffix):
    stamp = embedding.read_stamp(".json", (made / TABLE).with_suffix(".json").read_bytes())
    content = embedding.with_comment(suffix, "text\n", stamp)
    end = b"-->" if suffix != ".tex" else b""
    seal = b"Seal: " + b"0" * 64 + b"\n"
    sealed = content.removesuffix(end + b"\n") + (b"% " + seal if suffix == ".tex" else seal + end + b"\n")
    assert embedding.read_stamp(suffix, sealed) == stamp
