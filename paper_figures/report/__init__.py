"""The parts of the report, one HTML page with everything that was drawn, and its templates."""
