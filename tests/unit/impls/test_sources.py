"""Which files a training job depends on, and their hash."""

import pytest

from impls import sources
from impls.sources import sources_sha256, training_sources, with_imports


def test_headers_of_experiments_are_no_sources():
    """They contain published results: new results must not change the hash of the code that makes them."""
    used = training_sources("unlock", "torch")
    assert "impls/experiments/feedforward/torch_impl.py" in used  # imported by unlock's twin
    assert [name for name in used if name.startswith("impls/experiments/") and name.endswith("__init__.py")] == []
    assert "impls/data/__init__.py" in used  # it has code


@pytest.mark.parametrize(("content", "counts"), [("", False), ('"""Text."""\n', False), ("x = 1\n", True)])
def test_a_package_counts_if_it_has_code(tmp_path, monkeypatch, content, counts):
    monkeypatch.setattr(sources, "ROOT", tmp_path)
    package = tmp_path / "package"
    package.mkdir()
    (package / "__init__.py").write_text(content)
    (package / "module.py").write_text("")
    (tmp_path / "start.py").write_text("from package import module\n")
    expected = [*(["package/__init__.py"] if counts else []), "package/module.py", "start.py"]
    assert with_imports([tmp_path / "start.py"], ("package",)) == expected


def test_the_hash_changes_with_content_and_with_name(tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "ROOT", tmp_path)
    for name, content in (("a.py", "x"), ("b.py", "x"), ("c.py", "y")):
        (tmp_path / name).write_text(content)
    assert len({sources_sha256([name]) for name in ("a.py", "b.py", "c.py")}) == 3
