"""One DNI at a chosen depth, and the quality of its synthetic gradients."""
