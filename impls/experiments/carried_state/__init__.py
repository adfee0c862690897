"""Copy and Repeat Copy with the core's state carried from one sequence to the next: an ablation."""
