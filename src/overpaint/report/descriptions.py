"""What a method, a metric or a probe does, in a line: the first one of its class' docstring."""

import inspect


def description(part: object) -> str:
    """Returns the first line of the docstring of a part's class, without the signs of markup."""
    text = inspect.getdoc(type(part)) or ""
    return text.partition("\n")[0].replace("`", "")
