"""Finds a data set's original files: in $DNI_DATA_DIR, in the download cache, or at one of two addresses."""

import os
import textwrap
from dataclasses import dataclass
from pathlib import Path

import pooch

from impls.errors import UserError

# Advice for a file that was found but cannot be used. Downloaded files are checked before they are kept.
REPLACE = "Put an intact copy of the original file there, or unset DNI_DATA_DIR to have it downloaded."
TIMEOUT_SECONDS = 20


@dataclass(frozen=True)
class RemoteFile:
    """A published file: its names, its checksum and its addresses."""

    name: str
    sha256: str
    addresses: tuple[str, ...]  # tried in this order
    other_names: tuple[str, ...] = ()  # further names under which $DNI_DATA_DIR may hold it, e.g. uncompressed

    @property
    def names(self) -> tuple[str, ...]:
        """All names under which $DNI_DATA_DIR may hold it, the published one first."""
        return (self.name, *self.other_names)


def data_directory() -> Path | None:
    """The folder named by $DNI_DATA_DIR, or None if it is unset or empty."""
    value = os.environ.get("DNI_DATA_DIR")
    return Path(value).expanduser().absolute() if value else None


def cache_directory() -> Path:
    """The folder that keeps downloads: $DNI_CACHE_DIR, or this user's cache folder for dni-benchmark."""
    value = os.environ.get("DNI_CACHE_DIR")
    return Path(value).expanduser().absolute() if value else Path(pooch.os_cache("dni-benchmark"))


def locate(file: RemoteFile, folder: str) -> Path:
    """The path of a file on this machine. It is downloaded only if $DNI_DATA_DIR is not set.

    folder: the data set's folder inside $DNI_DATA_DIR (where it is optional) and inside the cache.
    Returns: a path to read. A downloaded file has the right sha256; the caller must check a file of $DNI_DATA_DIR.
    Raises: UserError if the file is not in $DNI_DATA_DIR, or if every address fails.
    """
    root = data_directory()
    return download(file, folder) if root is None else find(file.names, folder, root)


def find(names: tuple[str, ...], folder: str, root: Path) -> Path:
    """The first of root/folder/name and root/name that exists.

    names: possible names of the file, first the one used in messages; each may begin with folders.
    Raises: UserError with the paths tried, if none exists.
    """
    candidates = [place / name for place in (root / folder, root) for name in names]
    for path in candidates:
        if path.is_file():
            return path
    listed = "".join(f"\n  {path}" for path in candidates)
    absent = "" if root.is_dir() else f" (there is no folder {root})"
    raise UserError(
        f"{names[0]} is missing{absent}. Paths tried:{listed}\n"
        f"Set DNI_DATA_DIR to a folder that holds {folder}/{names[0]}, or unset it to allow the download."
    )


def read(path: Path, most_bytes: int) -> bytes:
    """The content of a file.

    most_bytes: more than the original has; a larger file is refused without being read.
    Raises: UserError if it is larger, or cannot be read.
    """
    try:
        size = path.stat().st_size
        if size > most_bytes:
            raise UserError(
                f"{path}: too long: it has {size} bytes, and the original less than {most_bytes}. {REPLACE}"
            )
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}). {REPLACE}") from error


def download(file: RemoteFile, folder: str) -> Path:
    """The path of a file in the cache, downloaded from the first address whose file has the right sha256.

    Raises: UserError with the reason for each address, if all fail.
    """
    target = cache_directory() / folder
    failures = []
    for address in file.addresses:
        try:
            return Path(
                pooch.retrieve(
                    address,
                    known_hash=f"sha256:{file.sha256}",
                    fname=file.name,
                    path=target,
                    downloader=pooch.HTTPDownloader(timeout=TIMEOUT_SECONDS),
                )
            )
        # Network errors and an unwritable cache raise OSError, a wrong sha256 raises ValueError.
        except (OSError, ValueError) as error:
            reason = textwrap.shorten(str(error), 240, placeholder=" ...")
            failures.append(f"\n  {address}: {type(error).__name__}: {reason}")
    raise UserError(
        f"{file.name} could not be downloaded into {target}:{''.join(failures)}\n"
        "Check the network and the cache folder (DNI_CACHE_DIR moves it); or fetch the file by other means and set "
        f"DNI_DATA_DIR to a folder that holds {folder}/{file.name}; or use the embedded stand-in: it needs no network."
    )
