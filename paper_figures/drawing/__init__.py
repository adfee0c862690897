"""Code shared by tables and figures: panels, axes, sizes, captions, LaTeX, and the files of a drawing."""
