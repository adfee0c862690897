"""What every table in LaTeX must keep to."""

import re


def assert_braces_match(tex):
    """As many braces are opened as closed, not counting printed ones."""
    bare = re.sub(r"\\\\|\\[{}]", "", tex)
    assert bare.count("{") == bare.count("}")
