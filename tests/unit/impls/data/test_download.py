"""Where files come from: $DNI_DATA_DIR, the cache, the first address, the second. Loopback only."""

import hashlib
import socket

import pytest

from impls.data.download import RemoteFile, cache_directory, data_directory, download, locate
from impls.errors import UserError

CONTENT = b"the published bytes"
SHA256 = hashlib.sha256(CONTENT).hexdigest()


pytestmark = pytest.mark.usefixtures("empty_cache")


@pytest.fixture
def dead_address():
    """An address at which no server listens."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{unused.getsockname()[1]}/file.gz"


def remote(*addresses):
    return RemoteFile("file.gz", SHA256, addresses, ("file",))


def test_the_first_address_serves_and_then_the_cache(server):
    server.pages["/first"] = server.pages["/second"] = CONTENT
    file = remote(server.address("/first"), server.address("/second"))
    path = locate(file, "mnist")
    assert path == cache_directory() / "mnist" / "file.gz" and path.read_bytes() == CONTENT
    assert locate(file, "mnist") == path
    assert server.asked == ["/first"]


@pytest.mark.parametrize("first", ["absent", "other content", "cut short", "nobody there"])
def test_the_second_address_is_tried(server, dead_address, first):
    server.pages["/second"] = CONTENT
    if first == "other content":
        server.pages["/first"] = b"<html>moved</html>"
    elif first == "cut short":
        server.pages["/first"] = CONTENT[:-1]
    address = dead_address if first == "nobody there" else server.address("/first")
    assert download(remote(address, server.address("/second")), "mnist").read_bytes() == CONTENT
    assert server.asked[-1] == "/second"


def test_both_addresses_fail(server, dead_address, tmp_path):
    server.pages["/second"] = b"something else"
    with pytest.raises(UserError) as caught:
        download(remote(dead_address, server.address("/second")), "mnist")
    message = str(caught.value)
    assert message.startswith("file.gz could not be downloaded into ")
    assert dead_address in message and server.address("/second") in message
    assert "ConnectionError" in message and "does not match the known hash" in message
    assert "set DNI_DATA_DIR to a folder that holds mnist/file.gz" in message and "embedded stand-in" in message
    # No file is kept whose checksum is wrong.
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]


def test_a_damaged_cache_is_fetched_again(server):
    server.pages["/first"] = CONTENT
    cached = cache_directory() / "mnist" / "file.gz"
    cached.parent.mkdir(parents=True)
    cached.write_bytes(CONTENT[:-1])
    assert locate(remote(server.address("/first")), "mnist").read_bytes() == CONTENT
    assert server.asked == ["/first"]


def test_a_cache_that_cannot_be_written(server, tmp_path):
    server.pages["/first"] = CONTENT
    (tmp_path / "cache").write_text("a file where the folder should be")
    with pytest.raises(UserError, match="DNI_CACHE_DIR moves it"):
        locate(remote(server.address("/first")), "mnist")


@pytest.mark.parametrize("place", ["mnist/file.gz", "mnist/file", "file.gz", "file"])
def test_the_data_directory_is_used_without_asking_anyone(server, tmp_path, monkeypatch, place):
    monkeypatch.setenv("DNI_DATA_DIR", str(tmp_path))
    (tmp_path / "mnist").mkdir()
    (tmp_path / place).write_bytes(CONTENT)
    assert locate(remote(server.address("/first")), "mnist") == tmp_path / place
    assert not server.asked


@pytest.mark.parametrize("exists", [True, False])
def test_a_file_missing_from_the_data_directory_is_not_downloaded(server, tmp_path, monkeypatch, exists):
    server.pages["/first"] = CONTENT
    root = tmp_path / "data"
    if exists:
        root.mkdir()
    monkeypatch.setenv("DNI_DATA_DIR", str(root))
    with pytest.raises(UserError) as caught:
        locate(remote(server.address("/first")), "mnist")
    message = str(caught.value)
    for place in ("mnist/file.gz", "mnist/file", "file.gz", "file"):
        assert f"\n  {root / place}\n" in message
    assert (f"there is no folder {root}" in message) is not exists
    assert "Set DNI_DATA_DIR" in message and "unset it to allow the download" in message
    assert not server.asked


def test_folders_from_the_environment(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DNI_DATA_DIR", "data")
    monkeypatch.setenv("DNI_CACHE_DIR", "~/kept")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert data_directory() == tmp_path / "data" and cache_directory() == tmp_path / "kept"
    monkeypatch.setenv("DNI_DATA_DIR", "")
    monkeypatch.delenv("DNI_CACHE_DIR")
    assert data_directory() is None and cache_directory().name == "dni-benchmark"
