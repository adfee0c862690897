"""BP(lambda): backpropagated and synthetic gradients mixed."""
