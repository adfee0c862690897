"""Copy and Repeat Copy: sizes of their sequences, by level of the curriculum (paper: "Recurrent neural networks")."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from impls.engine.curves import Event
from impls.engine.state import Leaves


class CopyTasks:
    """The part of the recurrent spec that Copy and Repeat Copy alone use.

    A `level` is an integer, or an array of integers of any framework.
    """

    if TYPE_CHECKING:
        dataset: str
        levels: int
        character_bits: int
        repeats_step: str
        solved_unit: str

    def level_size(self, level: Any) -> tuple[Any, Any]:
        """(length N, repeats R) of the sequences at `level`; if sizes are drawn, of the largest ones.

        Copy: N = 1, 2, 3, ..., R = 1. Repeat Copy: N and R grow by one in turn, starting from 1 and 1.
        """
        if self.dataset == "repeat_copy":
            return (level + 1) // 2 + 1, level // 2 + 1
        return level + 1, 0 * level + 1

    @property
    def pause(self) -> int:
        """Time steps between the characters that are read and those that are written."""
        return 2 if self.dataset == "repeat_copy" and self.repeats_step == "own" else 1

    def time_steps(self, length: Any, repeats: Any) -> Any:
        """Of a sequence: N characters, a stop symbol, in Repeat Copy R, then N * R characters, a stop symbol."""
        return length + self.pause + length * repeats + 1

    def task_length(self, level: Any) -> Any:
        """The paper's T_task of `level`: N * R + 3."""
        length, repeats = self.level_size(level)
        return length * repeats + 3

    def bits_of_a_guess(self, level: Any) -> Any:
        """Error of a blank net per `solved_unit`: it guesses every bit, and knows when a sequence ends."""
        length, repeats = self.level_size(level)
        return self.character_bits * (length * repeats if self.solved_unit == "sequence" else 1 + 0 * level)

    @cached_property
    def memory(self) -> int:
        """Time steps of the longest sequence."""
        return self.time_steps(*self.level_size(self.levels - 1))

    def events(self, leaves: Leaves) -> list[Event]:
        """copy, repeat_copy: the T_task of every level solved, at the iteration of the promotion."""
        if self.dataset == "ptb":
            return []
        found = []
        for replica, promoted_at_L in enumerate(leaves["task.promoted_at"]):
            found.append(Event(replica, 0, "curriculum", "max_solved_task_length", 0))
            for level in np.flatnonzero(promoted_at_L):
                solved = self.task_length(int(level))
                found.append(Event(replica, int(promoted_at_L[level]), "curriculum", "max_solved_task_length", solved))
        return found
