"""Works through a list of paper-scale cells in a given time: `python -m impls campaign`, docs/campaign.md."""
