"""The one kind of error that a user is meant to read."""


class OverpaintError(ValueError):
    """Something the user can mend: one sentence that says what was wrong, where, and what to do.

    The entry points print its text without a traceback and exit with status 2.
    """


class NumericalError(OverpaintError):
    """A part gave numbers that are not finite for an image; where there are others, these are explained all the same.

    Its text names the part and the value.
    """


class OverpaintWarning(UserWarning):
    """Something a user should know of a result; the entry points print it as one line."""
