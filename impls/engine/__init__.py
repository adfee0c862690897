"""Runs an experiment's step fast: replicas, many steps per launch, checkpoints, run records."""
