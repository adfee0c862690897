"""A campaign's folder in one .tar.gz, or in a few pieces of one: for machines that keep nothing.

The order is fixed: every record with its curves, then as many checkpoints as fit, those of the plan's first jobs first.
A checkpoint is added only if it would fit uncompressed, because trained numbers hardly compress: so the pack never
exceeds its maximum size.
"""

from __future__ import annotations

import gzip
import io
import os
import shutil
import tarfile
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from impls.campaign.job_list import Job
from impls.campaign.job_state import SET_ASIDE
from impls.engine.files import temporary_of, write_atomically
from impls.engine.run_folder import CHECKPOINT, CURVES, RECORD
from impls.errors import UserError

MIB = 2**20
COUNT = "number-of-files"  # the last member: an archive without it was cut off
END_BYTES = 4096  # more than the compressed end of a tar file, with its last member
HEADER_BYTES = 2048  # more than the header and padding of one file in it
GROWTH = 1000  # noise grows by less than one part in this many when it is compressed


class Packed(NamedTuple):
    """What a pack has, and which checkpoints it has no room for, with their sizes in bytes."""

    size: int
    files: int
    left_out: list[tuple[str, int]]


def pack(
    out: Path,
    file: Path,
    jobs: Iterable[Job],
    *,
    checkpoints: bool = True,
    file_bytes: float = 16 * MIB,
    most_files: int = 1,
) -> Packed:
    """Write the campaign in `out` into `file`, or into `file.1-of-N` and so on where it is cut.

    Raises:
        UserError: the records and curves alone are too large, or the file cannot be written.
    """
    room = int(file_bytes) * most_files - END_BYTES
    content, left_out, count = io.BytesIO(), [], 0
    with (
        gzip.GzipFile(fileobj=content, mode="wb", compresslevel=1, mtime=0) as stream,
        tarfile.open(fileobj=stream, mode="w") as archive,
    ):
        for record in sorted(out.glob("**/" + RECORD)):
            place = record.parent.relative_to(out)
            if place.parts[0] != SET_ASIDE:
                for name, result in _result(record.parent):
                    _add(archive, f"{place.as_posix()}/{name}", result)
                    count += 1
        stream.flush()
        if content.tell() > room:
            raise UserError(
                f"the records and curves of {out} take {content.tell() / MIB:.1f} MiB, and {file} may have "
                f"{room / MIB:.1f}: give more with --pack-mib or --pack-files"
            )
        for folder in dict.fromkeys(job.folder for job in jobs) if checkpoints else ():
            path = out / folder / CHECKPOINT
            if not path.is_file():
                continue
            size = path.stat().st_size
            if content.tell() + size + size // GROWTH + HEADER_BYTES > room:
                left_out.append((folder, size))
                continue
            _add(archive, f"{folder}/{CHECKPOINT}", path.read_bytes())
            count += 1
            stream.flush()
        _add(archive, COUNT, str(count).encode())
    return Packed(content.tell(), _write(file, content.getvalue(), int(file_bytes)), left_out)


def unpack(file: Path, out: Path) -> None:
    """Make the folder `out` of what `pack` wrote; it is whole or not there.

    Raises:
        UserError: the file is missing, in part or damaged, or `out` holds something already.
    """
    if out.exists() and any(out.iterdir()):
        raise UserError(f"{out} holds something already: unpack {file} into a new folder, or --resume {out}")
    temporary = temporary_of(out)
    shutil.rmtree(temporary, ignore_errors=True)  # what a killed call has left
    try:
        # All of it first, with every checksum: `tarfile` takes a damaged header for the end of the archive.
        content = gzip.decompress(_read(file))
        with tarfile.open(fileobj=io.BytesIO(content), mode="r:") as archive:
            count = 0
            for member in archive:
                if member.isfile() and Path(member.name).name in (RECORD, CURVES, CHECKPOINT):
                    _extract(archive, member, temporary)
                    count += 1
                elif member.name == COUNT:
                    last = archive.extractfile(member)
                    if last is not None and last.read() == str(count).encode():
                        break
            else:
                raise tarfile.ReadError("its end is missing")
        out.parent.mkdir(parents=True, exist_ok=True)
        temporary.mkdir(exist_ok=True)
        os.replace(temporary, out)
    except (tarfile.TarError, EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise UserError(f"{file} is not what --pack wrote, or is damaged ({error})") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _result(folder: Path) -> list[tuple[str, bytes]]:
    """Record and curves that belong together; nothing while a training replaces them."""
    try:
        record, curves = (folder / RECORD).read_bytes(), (folder / CURVES).read_bytes()
        return [(RECORD, record), (CURVES, curves)] if (folder / RECORD).read_bytes() == record else []
    except FileNotFoundError:
        return []


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    archive.addfile(info, io.BytesIO(content))


def _write(file: Path, content: bytes, file_bytes: int) -> int:
    """Write the content, cut where it is longer than one file may be; returns into how many."""
    file.parent.mkdir(parents=True, exist_ok=True)
    cuts = range(0, len(content), file_bytes)
    names = [file] if len(cuts) == 1 else [_cut(file, i, len(cuts)) for i in range(1, len(cuts) + 1)]
    for path, start in zip(names, cuts, strict=True):
        write_atomically(path, content[start : start + file_bytes])
    for path in {file, *file.parent.glob(f"{file.name}.*-of-*")} - set(names):  # of an earlier pack
        path.unlink(missing_ok=True)
    return len(names)


def _extract(archive: tarfile.TarFile, member: tarfile.TarInfo, folder: Path) -> None:
    """Write a file of an archive into the folder. (The filters of `tarfile` need Python 3.11.4; Debian 12 has 3.11.2.)

    Raises:
        tarfile.ReadError: the file's name leads out of the folder, or it has no content.
    """
    place = folder / member.name
    content = archive.extractfile(member)
    if content is None or not place.resolve().is_relative_to(folder.resolve()):
        raise tarfile.ReadError(f"{member.name} is not a file of a pack")
    place.parent.mkdir(parents=True, exist_ok=True)
    with content, place.open("wb") as file:
        shutil.copyfileobj(content, file)


def _read(file: Path) -> bytes:
    """The content, put together again where it was cut; `file` may also be one of the pieces."""
    if file.is_file() and "-of-" not in file.suffix:
        return file.read_bytes()
    whole = file.with_suffix("") if "-of-" in file.suffix else file
    pieces = list(whole.parent.glob(f"{whole.name}.*-of-*"))
    if not pieces:
        raise UserError(f"there is no file {file}")
    count = int(pieces[0].name.rsplit("-", 1)[1])
    names = [_cut(whole, i, count) for i in range(1, count + 1)]
    missing = [path.name for path in names if not path.is_file()]
    if missing or len(pieces) != count:
        raise UserError(f"{whole} is cut into {count} files, and not all are there: {', '.join(missing) or pieces}")
    return b"".join(path.read_bytes() for path in names)


def _cut(file: Path, number: int, count: int) -> Path:
    return file.with_name(f"{file.name}.{number}-of-{count}")
