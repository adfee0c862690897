"""The copy task at a size that fits in minutes, with one choice changed at a time."""
