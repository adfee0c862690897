"""Repeat Copy with one choice about the task changed after the other: an ablation."""
