"""Fixtures of the tests of data."""

import pytest

from tests.support.http_server import Server


@pytest.fixture
def empty_cache(tmp_path, monkeypatch):
    """No folder of data, a cache of downloads that is empty, and no proxy before the server of the tests."""
    monkeypatch.delenv("DNI_DATA_DIR", raising=False)
    monkeypatch.setenv("DNI_CACHE_DIR", str(tmp_path / "cache"))
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "127.0.0.1")


@pytest.fixture
def server():
    server = Server()
    yield server
    server.close()
