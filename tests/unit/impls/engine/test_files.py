"""A file is the old one or the new one at any moment, whoever writes it."""

from __future__ import annotations

import threading
from pathlib import Path

from impls.engine.files import opened_temporary, write_atomically
from paper_figures.files import write_together

OURS, THEIRS = b"ours" * 1000, b"theirs" * 10_000


def test_a_second_writer_waits_for_the_first(tmp_path: Path):
    """Two calls of Snakemake may draw the same figure: neither half a file nor a lost one."""
    path = tmp_path / "figure.svg"
    for write in (lambda: write_atomically(path, THEIRS), lambda: write_together({path: THEIRS})):
        other = threading.Thread(target=write)
        with opened_temporary(path) as file:
            other.start()
            other.join(0.2)
            assert other.is_alive()
            file.write(OURS)
            file.flush()
            Path(file.name).replace(path)
            assert path.read_bytes() == OURS
        other.join()
        assert path.read_bytes() == THEIRS
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_killed_writer_left_is_overwritten(tmp_path: Path):
    (tmp_path / ".a.tmp").write_bytes(THEIRS)
    write_atomically(tmp_path / "a", OURS)
    assert (tmp_path / "a").read_bytes() == OURS
    assert list(tmp_path.iterdir()) == [tmp_path / "a"]
