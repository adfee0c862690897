"""What tables and figures share: panels, axes, sizes, captions, LaTeX, and the files of a drawing."""
