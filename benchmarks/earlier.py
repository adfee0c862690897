"""The results of an earlier call of a command, which a flag such as `--resume` reads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from impls.errors import UserError


def read_earlier(file: Path, command: str, key: str, flag: str = "--resume") -> dict[str, Any]:
    """The object in a JSON file that `command` wrote; `key` is an entry of each of its files, `flag` what asked for it.

    Raises:
        UserError: there is no such file, or another command wrote it.
    """
    try:
        found = json.loads(file.read_text())
    except FileNotFoundError:
        raise UserError(f"{flag}: there is no {file} of an earlier call; leave the flag out to begin.") from None
    except ValueError as error:
        raise UserError(f"{flag}: {file} is not a file of {command}: {error}") from None
    if not isinstance(found, dict) or key not in found:
        raise UserError(f"{flag}: {file} is not a file of {command}: it has no {key!r}")
    return found
