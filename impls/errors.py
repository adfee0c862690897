"""The one exception that the command line turns into a message instead of a traceback."""


class UserError(Exception):
    """Something outside the code is wrong; the message says what, and what to do about it."""
