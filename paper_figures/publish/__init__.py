"""What makes results citable: the blocks of README.md, names of LaTeX macros, the research-object crate."""
