"""The documentation site's settings, tried on a small repository; `make lint` builds the whole site."""

from __future__ import annotations

import ast
import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

pytestmark = pytest.mark.slow("builds documentation")

PAGES = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "config/README.md")
CODE = '''
"""Products per replica: |a| * b, for `Net`s, x_ and *args.

    y = a * x_

Shape legend: R replicas.
"""

import torch


def product(a, b):
    """What `torch.matmul` gives, in
    two lines.

    a: left, [R, B, K];
        it may be *empty*.
    Returns: the product.

    >>> 2 * 3
    6
    """


def scaled(a):
    """As `product`.

    Args:
        a: at least 1 * a.

    Returns:
        The result.
    """


class Net:
    @property
    def size(self):
        """Of each layer: its units."""
'''


@pytest.fixture
def build(root: Path, tmp_path: Path):
    """A function that builds the site of a small repository with the real settings."""
    files = dict.fromkeys(PAGES, "# A page\n") | {f"{package}/__init__.py": "" for package in ("impls", "benchmarks")}
    files |= {"paper_figures/__init__.py": CODE, "docs/index.md": (root / "docs/index.md").read_text()}
    files["docs/page.md"] = "# Links\n\n[the README](../README.md#a-page), [code](../impls/__init__.py)\n"
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    shutil.copy(root / "docs/conf.py", tmp_path / "docs")

    def run() -> subprocess.CompletedProcess:
        command = ["-m", "sphinx", "--quiet", "--fail-on-warning", "--conf-dir", "docs", ".", "build/docs"]
        return subprocess.run([sys.executable, *command], cwd=tmp_path, capture_output=True, text=True)

    return run


def test_docstrings_as_they_are_written_here_become_pages(build, tmp_path: Path):
    result = build()
    assert (result.returncode, result.stderr) == (0, "")
    page = (tmp_path / "build/docs/build/api/paper_figures/index.html").read_text()
    assert "<p>Products per replica: |a| * b, for <code" in page
    assert "y = a * x_\n</pre>" in page
    assert "it may be *empty*." in page and "<li><p>Returns: the product.</p></li>" in page
    assert '<dd class="field-odd"><p><strong>a</strong> – at least 1 * a.</p>' in page
    assert "<p>Of each layer: its units.</p>" in page
    assert "url=docs/index.html" in (tmp_path / "build/docs/index.html").read_text()


def test_the_site_opens_with_the_report_of_the_published_runs(root: Path, tmp_path: Path):
    front_page = runpy.run_path(str(root / "docs/conf.py"))["front_page"]
    front_page(SimpleNamespace(outdir=tmp_path), None)
    (place,) = re.findall('url=(.*)">', (tmp_path / "index.html").read_text())
    report = tmp_path / place
    text = report.read_text()
    (to_pages,) = re.findall('<a href="(.*)">Documentation</a>', text)
    assert (report.parent / to_pages).resolve() == tmp_path / "docs/index.html"
    files = re.findall(r'href="((?:figures|tables)/[^"]+)"', text)
    assert len(files) > 50 and all((report.parent / file).is_file() for file in files)


def test_broken_links_fail_the_build(build, tmp_path: Path):
    targets = ["../README.md#no-such-heading", "no_such_page.md", "../impls/no_such_file.py"]
    with (tmp_path / "docs/page.md").open("a") as page:
        page.write("".join(f"\n[broken]({target})\n" for target in targets))
    result = build()
    assert result.returncode != 0
    warnings = [line for line in result.stderr.splitlines() if "docs/page.md" in line]
    assert len(warnings) == len(targets), result.stderr


def test_no_package_is_left_out(root: Path):
    packages = {path.parent.name for path in root.glob("*/__init__.py")} - {"tests"}
    (written,) = re.findall(r"^autoapi_dirs = (.*)$", (root / "docs/conf.py").read_text(), re.MULTILINE)
    assert set(ast.literal_eval(written)) == packages
