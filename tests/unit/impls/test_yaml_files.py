"""Configuration that would silently mean something else, or take all memory, is refused in one line."""

from __future__ import annotations

import pytest

from impls.errors import UserError
from impls.yaml_files import read_yaml

BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 12)
)
REFUSED = {
    "a key twice": ("replicas: 1\nfeedforward:\nreplicas: 2\n", "line 3 gives 'replicas' again, after line 1"),
    "a key twice, further in": ("a:\n  - b: 1\n    c: 2\n    b: 3\n", "line 4 gives 'b' again, after line 2"),
    "a key twice on one line": ("cells: {depth: [3], depth: [4]}\n", "line 1 gives 'depth' again, after line 1"),
    "aliases of aliases": (BOMB, "aliases stand for more than 100000 values"),
    "deep nesting": ("[" * 5000, "not readable as YAML"),
    "no mapping": ("- a\n", "must be a mapping"),
    "not YAML": ("a: [", "not readable as YAML"),
    "much text": ("a: " + "x" * 2_000_000, "has 2000003 bytes"),
    "a command": ("a: !!python/object/apply:os.system [ls]\n", "not readable as YAML"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_it_is_refused_in_one_line(case, tmp_path):
    content, message = REFUSED[case]
    (tmp_path / "a.yaml").write_text(content)
    with pytest.raises(UserError, match=message):
        read_yaml(tmp_path / "a.yaml")


def test_aliases_and_merged_keys_are_allowed(tmp_path):
    (tmp_path / "a.yaml").write_text("a: &a {x: 1, y: 2}\nb: *a\nc:\n  <<: *a\n  x: 3\n")
    assert read_yaml(tmp_path / "a.yaml")["c"] == {"x": 3, "y": 2}


def test_an_alias_inside_itself_ends(tmp_path):
    (tmp_path / "a.yaml").write_text("a: &a [*a]\n")
    assert list(read_yaml(tmp_path / "a.yaml")) == ["a"]
