"""Two recurrent nets that tick at two rates, the faster one taught by the slower one's synthetic gradient."""
