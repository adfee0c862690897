"""Fixtures of the tests of drawings."""

import pytest

from tests.support.drawn_figures import collected_figures, draw_figure


@pytest.fixture
def drawn():
    """A list into which figures go that are drawn meanwhile; no image files are written."""
    with collected_figures() as figures:
        yield figures


@pytest.fixture
def draw(tmp_path):
    """draw(artifact[, results], **request) -> (figure, points, caption), of tmp_path; no image files are written."""

    def drawing(artifact, results=tmp_path, **request):
        return draw_figure(artifact, results, **request)

    return drawing


@pytest.fixture(scope="module")
def folder_of(tmp_path_factory):
    """folder_of(scene) -> the results that the function `scene` writes, made once for each test module."""
    folders = {}

    def made(scene):
        if scene not in folders:
            folders[scene] = tmp_path_factory.mktemp(scene.__name__)
            scene(folders[scene])
        return folders[scene]

    return made
