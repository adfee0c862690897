"""The paper's tables and figures, drawn from files under results/ alone; needs neither torch nor jax (see `--help`)."""
