"""One-line descriptions of methods, metrics and probes: the first line of the class' docstring."""

import inspect


def description(part: object) -> str:
    """Returns the first line of the docstring of a part's class, without the signs of markup."""
    text = inspect.getdoc(type(part)) or ""
    return text.partition("\n")[0].replace("`", "")
