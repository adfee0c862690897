"""Packing a campaign's folder into one file, for machines that keep no files."""

from __future__ import annotations

import tarfile
from pathlib import Path

import numpy as np
import pytest

from impls.campaign.archive import pack, unpack
from impls.campaign.job_list import Job, load_campaign
from impls.errors import UserError
from tests.support.campaign_lists import VALID

RESULT, CHECKPOINT = ("run.json", "curves.parquet"), "checkpoint.npz"


@pytest.fixture
def jobs() -> list[Job]:
    return load_campaign(VALID)


@pytest.fixture
def out(tmp_path: Path, jobs: list[Job]) -> Path:
    """A folder with a result, two checkpoints that do not compress, and what is not packed."""
    folder = tmp_path / "out"
    noise = np.random.default_rng(0)
    for name in RESULT:
        write(folder / jobs[0].folder / name, name.encode() * 50)
    write(folder / jobs[0].folder / "parameters.npz", b"p")
    write(folder / jobs[3].folder / CHECKPOINT, noise.bytes(30_000))
    write(folder / jobs[4].folder / CHECKPOINT, noise.bytes(50_000))
    write(folder / "set-aside" / "then" / jobs[0].folder / "run.json", b"old")
    write(folder / "set-aside" / "then" / jobs[0].folder / "curves.parquet", b"old")
    write(folder / "logs" / "a.log", b"text")
    return folder


def write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_pack_is_what_it_was_made_of(tmp_path, out, jobs):
    packed = pack(out, tmp_path / "a.tar.gz", jobs)
    assert (packed.files, packed.left_out) == (1, [])
    unpack(tmp_path / "a.tar.gz", tmp_path / "new")
    kept = [*(f"{jobs[0].folder}/{name}" for name in RESULT), *(f"{jobs[i].folder}/{CHECKPOINT}" for i in (3, 4))]
    assert contents(tmp_path / "new") == {name: contents(out)[name] for name in kept}
    with tarfile.open(tmp_path / "a.tar.gz") as archive:  # with any tar, and in the order of worth
        assert archive.getnames() == [*sorted(kept[:2], reverse=True), *kept[2:], "number-of-files"]
    again = pack(tmp_path / "new", tmp_path / "b.tar.gz", jobs)
    assert again == packed
    assert (tmp_path / "a.tar.gz").read_bytes() == (tmp_path / "b.tar.gz").read_bytes()


def test_checkpoints_are_taken_as_far_as_there_is_room(tmp_path, out, jobs):
    packed = pack(out, tmp_path / "a.tar.gz", jobs, file_bytes=50_000)
    assert packed.left_out == [(jobs[4].folder, 50_000)]
    assert (tmp_path / "a.tar.gz").stat().st_size == packed.size <= 50_000
    unpack(tmp_path / "a.tar.gz", tmp_path / "new")
    assert (tmp_path / "new" / jobs[3].folder / CHECKPOINT).is_file()
    assert pack(out, tmp_path / "a.tar.gz", jobs, checkpoints=False).left_out == []
    with pytest.raises(UserError, match=r"take 0\.0 MiB.*--pack-mib or --pack-files"):
        pack(out, tmp_path / "b.tar.gz", jobs, file_bytes=100)
    assert not (tmp_path / "b.tar.gz").exists()


def test_a_pack_that_was_cut_between_two_files_is_not_taken_for_whole(tmp_path, out, jobs):
    pack(out, tmp_path / "a.tar.gz", jobs)
    with tarfile.open(tmp_path / "a.tar.gz") as archive:
        *members, last = archive.getmembers()
        for kept in range(len(members) + 1):
            with tarfile.open(tmp_path / "cut.tar.gz", "w:gz") as cut:
                for member in members[:kept]:
                    cut.addfile(member, archive.extractfile(member))
            with pytest.raises(UserError, match="its end is missing"):
                unpack(tmp_path / "cut.tar.gz", tmp_path / "new")
            assert not (tmp_path / "new").exists()
    assert last.name == "number-of-files"


def test_a_large_checkpoint_that_grows_when_compressed_stays_within_the_size(tmp_path, out, jobs):
    """Noise grows by 5 bytes per block: 6 KB here."""
    noise = np.random.default_rng(1).bytes(20_000_000)
    write(out / jobs[3].folder / CHECKPOINT, noise)
    for room in range(2048, 32_000, 4000):
        packed = pack(out, tmp_path / "a.tar.gz", jobs[3:4], file_bytes=len(noise) + room)
        assert packed.files == 1 and packed.size <= len(noise) + room
    assert packed.size > len(noise)


def test_a_pack_cut_in_pieces_is_whole_again_or_refused(tmp_path, out, jobs):
    file = tmp_path / "a.tar.gz"
    file.write_bytes(b"of an earlier pack")
    packed = pack(out, file, jobs, file_bytes=33_000, most_files=3)
    names = [f"a.tar.gz.{i}-of-3" for i in (1, 2, 3)]
    assert (packed.files, packed.left_out) == (3, [])
    assert sorted(path.name for path in tmp_path.glob("a.tar.gz*")) == names
    assert all((tmp_path / name).stat().st_size <= 33_000 for name in names)
    unpack(file, tmp_path / "new")
    unpack(tmp_path / names[1], tmp_path / "from-a-piece")
    assert contents(tmp_path / "new") == contents(tmp_path / "from-a-piece")
    (tmp_path / names[1]).unlink()
    with pytest.raises(UserError, match=r"cut into 3 files, and not all are there: a\.tar\.gz\.2-of-3"):
        unpack(file, tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_nothing_is_unpacked_over_what_is_there_nor_from_a_damaged_file(tmp_path, out, jobs):
    file = tmp_path / "a.tar.gz"
    pack(out, file, jobs)
    with pytest.raises(UserError, match="holds something already"):
        unpack(file, out)
    packed = file.read_bytes()
    for damaged in (packed[:-30_000], b"", b"no archive"):
        file.write_bytes(damaged)
        with pytest.raises(UserError, match="is not what --pack wrote, or is damaged"):
            unpack(file, tmp_path / "new")
        assert not (tmp_path / "new").exists()
        assert not list(tmp_path.glob(".*tmp"))


def test_a_changed_byte_is_noticed_wherever_it_is(tmp_path, out, jobs):
    """Also in a member's header, and except where it has no meaning, as in a compressed piece's time."""
    pack(out, tmp_path / "a.tar.gz", jobs)
    unpack(tmp_path / "a.tar.gz", tmp_path / "whole")
    packed, refused = (tmp_path / "a.tar.gz").read_bytes(), 0
    for i in range(0, len(packed), 400):
        (tmp_path / "b.tar.gz").write_bytes(packed[:i] + bytes([packed[i] ^ 255]) + packed[i + 1 :])
        try:
            unpack(tmp_path / "b.tar.gz", tmp_path / str(i))
        except UserError:
            refused += 1
        else:
            assert contents(tmp_path / str(i)) == contents(tmp_path / "whole")
    assert refused > 0.95 * len(range(0, len(packed), 400))


@pytest.mark.parametrize("folder", ["..", "/", "a/../.."], ids=["above", "absolute", "by a detour"])
def test_a_file_that_leads_out_of_the_folder_is_refused(tmp_path, folder):
    if folder == "/":
        folder = str(tmp_path)
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as archive:
        archive.addfile(tarfile.TarInfo(f"{folder}/run.json"))
    with pytest.raises(UserError):
        unpack(tmp_path / "a.tar.gz", tmp_path / "new")
    assert not list(tmp_path.rglob("run.json"))
