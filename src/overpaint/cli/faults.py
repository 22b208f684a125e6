"""Exit statuses and sentences of unforeseen errors."""

import re

WRONG = 2
"""The status of a program that was given something wrong."""

FAULT = 1
"""The status of a program that has a fault of its own."""

NO_MEMORY = re.compile(
    r"can't allocate memory|not enough memory|out of memory|bad_alloc|array is too big", re.IGNORECASE
)
"""What libraries say where there is too little memory."""


def is_fault(error: Exception) -> bool:
    """Tells whether an error is a fault of ours; where memory is short the settings ask for too much."""
    return not (isinstance(error, MemoryError) or NO_MEMORY.search(str(error)))


def sentence(error: Exception) -> str:
    """Returns what a user is told of an error that nothing has foreseen."""
    said = " ".join(str(error).split())[:300]
    if not is_fault(error):
        return (
            f"there is not enough memory ({said or 'none is left'}): smaller images, fewer variants or queries, or a "
            "smaller batch_size need less"
        )
    return (
        f"this is a fault of Overpaint ({type(error).__name__}: {said}); debug=true shows where it happened, which a "
        "report of it should hold"
    )
