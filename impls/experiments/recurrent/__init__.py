"""Recurrent nets whose truncated backpropagation goes on with a synthetic gradient (paper, section 3.2)."""
