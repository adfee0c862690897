"""A few attacks of every kind. `python -m tests.chaos` makes as many as one likes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos.__main__ import ATTACKS, attack

COUNTS = {"damage_drawn_run": 20, "damage_pack": 20, "random_spec": 4, "random_flags": 20}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Also holds the runs without a stop, with which results are compared."""
    return tmp_path_factory.mktemp("chaos")


@pytest.mark.slow("starts trainings")
@pytest.mark.parametrize("name", ATTACKS)
def test_every_attack_ends_well(name: str, place: Path) -> None:
    assert [problem for number in range(COUNTS.get(name, 1)) if (problem := attack(name, number, place))] == []
