"""Tests that share costly fixtures run in one process when `make test` runs two."""

import os

import pytest


@pytest.mark.skipif("PYTEST_XDIST_WORKER" not in os.environ, reason="the tests run in a single process")
def test_the_tests_of_a_file_are_one_group(request):
    """pytest-xdist appends the group to the name of a test. Without groups a fixture is made once per process."""
    assert request.node.nodeid.endswith(f"@{__file__}")
