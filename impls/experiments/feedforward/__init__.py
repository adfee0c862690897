"""Feed-forward nets with a decoupled neural interface between every two layers (paper, section 3.1, figure 2)."""
