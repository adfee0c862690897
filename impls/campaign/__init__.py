"""Trains as many paper-scale cells of a list as a given time allows: `python -m impls campaign`, docs/campaign.md."""
