"""Reads the files of `config/`: YAML that is small, whose keys are given once, and whose content is a mapping."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from impls.errors import UserError, nearest
from impls.sources import ROOT

MOST_BYTES = 1_000_000
MOST_VALUES = 100_000  # after every alias (`*name`) was replaced by what it stands for


def read_yaml(path: Path) -> Mapping[str, Any]:
    """The content of a file of `config/`.

    Raises:
        UserError: the file is missing, too large, not YAML, gives a key twice, or is not a mapping.
    """
    if not path.is_file():
        near = nearest(path.name, [file.name for file in path.parent.glob("*.yaml")])
        hint = f"did you mean {path.parent / near}?" if near else "name a preset, for example config/quick.yaml"
        if (ROOT / path).is_file():
            hint = f"run this in the suite's folder: cd {shlex.quote(str(ROOT))}"
        raise UserError(f"{path}: there is no such file; {hint}")
    if path.stat().st_size > MOST_BYTES:
        raise UserError(f"{path}: has {path.stat().st_size} bytes, and a preset has less than {MOST_BYTES}")
    try:
        root = yaml.compose(path.read_text(encoding="utf-8"), yaml.SafeLoader)
        _check_keys(root, path)
        if _values(root, {}) > MOST_VALUES:
            raise UserError(f"{path}: its aliases stand for more than {MOST_VALUES} values")
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise UserError(f"{path}: not readable as YAML: {error}") from None
    if not isinstance(content, Mapping):
        raise UserError(f"{path}: must be a mapping of keys to values, as in config/quick.yaml")
    return content


def _values(node: yaml.Node | None, known: dict[int, int]) -> int:
    """The number of values that a node stands for, counted once per node: an alias is the node that it names."""
    if id(node) not in known:
        known[id(node)] = 1  # while its parts are counted, so that a node inside itself ends
        known[id(node)] += sum(_values(part, known) for part in _parts(node))
    return known[id(node)]


def _parts(node: yaml.Node | None) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [part for pair in node.value for part in pair]
    return list(node.value) if isinstance(node, yaml.SequenceNode) else []


def _check_keys(root: yaml.Node | None, path: Path) -> None:
    pending, seen = [root], set()
    while pending:
        node = pending.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, yaml.MappingNode):
            lines: dict[str, int] = {}
            for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode) and key.value != "<<"):
                line = key.start_mark.line + 1
                if key.value in lines:
                    raise UserError(f"{path}: line {line} gives {key.value!r} again, after line {lines[key.value]}")
                lines[key.value] = line
        pending += _parts(node)
