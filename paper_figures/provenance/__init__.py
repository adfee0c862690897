"""The stamp that ties a drawing to its code and runs, how files carry it, and whether a file still matches."""
