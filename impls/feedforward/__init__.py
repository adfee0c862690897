"""Feed-forward nets with a decoupled neural interface between every pair of layers (paper, section 3.1 and figure 2)."""
