"""The blocks of one net in several processes or on several devices: `experiments/unlocked` in real time."""
