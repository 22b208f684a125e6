"""Texts of charts in any script: each letter is drawn by a font that has it, or written as an ASCII escape."""

from collections.abc import Sequence
from functools import cache

from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, fontManager
from matplotlib.ft2font import FT2Font
from matplotlib.text import Text

OWN_FONT = "DejaVu Sans"
"""The font that matplotlib brings along."""

UNFIT = ("Last Resort", "cm", "STIXNonUnicode", "STIXSize", "DejaVu")
"""Fonts by the beginning of their names that have boxes or other signs for letters, or no more than `OWN_FONT`."""


@cache
def _letters_of(path: str) -> frozenset[int]:
    """Returns the code points that a font file has; none for one that can't be drawn at any size."""
    try:
        font = FT2Font(path)
        return frozenset(font.get_charmap()) if font.scalable else frozenset()
    except (OSError, RuntimeError):
        return frozenset()


@cache
def own_letters() -> frozenset[int]:
    """Returns the code points of the font that matplotlib brings along."""
    return _letters_of(findfont(FontProperties(family=OWN_FONT)))


@cache
def font_with(letter: str) -> str | None:
    """Returns the name of an installed font that has a letter; None where there is none."""
    for entry in sorted(fontManager.ttflist, key=lambda entry: ("CJK" not in entry.name, entry.name, entry.fname)):
        if not entry.name.startswith(UNFIT) and entry.style == "normal" and ord(letter) in _letters_of(entry.fname):
            return entry.name
    return None


def drawable(text: str) -> tuple[str, Sequence[str]]:
    """Returns a text of which every letter can be drawn, and the fonts that draw it.

    Args:
        text: Any text.

    Returns:
        The text, in which a letter that no installed font has is its ASCII escape; and the names
        of the fonts, the usual one first.
    """
    fonts, letters = [OWN_FONT], []
    for letter in text:
        if ord(letter) in own_letters() or letter in "\n\t":
            letters.append(letter)
        elif (font := font_with(letter)) is not None:
            letters.append(letter)
            fonts.append(font)
        else:
            letters.append(letter.encode("ascii", "backslashreplace").decode())
    return "".join(letters), list(dict.fromkeys(fonts))


def fit_letters(figure: Figure) -> None:
    """Gives each text of a figure the fonts that have its letters."""
    for text in figure.findobj(Text):
        assert isinstance(text, Text)
        said = text.get_text()
        if not said.isascii():
            shown, fonts = drawable(said)
            text.set_text(shown)
            if len(fonts) > 1:
                text.set_fontfamily(fonts)
