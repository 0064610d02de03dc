"""The exceptions that a user may meet, and nothing else.

Every text is one line: what was got, what was expected, what to do about it.
:func:`deepconvsep.command.run` prints it and turns it into an exit code.
"""


class InputError(ValueError):
    """An input that cannot be used: a file, a folder, a value (exit code 1)."""


class UsageError(InputError):
    """A command line that makes no sense (exit code 2)."""
