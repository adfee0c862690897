"""The one exception that the command line turns into a message instead of a traceback."""


class FigureError(Exception):
    """A file under results/ (or the folder given) is not usable; the message names it and says what to do."""
