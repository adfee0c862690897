"""Is one revision slower than another? Paired timings, their statistics, and the verdict."""
