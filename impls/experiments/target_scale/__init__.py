"""The scale of the synthetic-gradient model's target: an ablation."""
