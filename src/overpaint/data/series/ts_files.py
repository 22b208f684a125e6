"""Reads ``.ts`` files, the format of the UEA and UCR archives."""

import re
from collections.abc import Iterator

import numpy as np

from overpaint.core.errors import OverpaintError
from overpaint.data.series.content import Case, SeriesContent, as_label, as_values, read_text

STAMPED = re.compile(r"\(([^()]*),([^(),]*)\)")
"""A value with the time before it; the time is of no account."""


def read_ts(path: str) -> SeriesContent:
    """Reads a ``.ts`` file.

    Lines that begin with ``#`` are comments; then come tags, whose words count in any case; then ``@data`` and a line
    for each series: its values, with ``,`` between them and ``:`` between channels, and behind a last ``:`` its class
    as it is written. A tag that is absent has no say: the numbers of channels and steps are those of the lines, and the
    last part is the class unless ``@classLabel false`` says that there is none. With ``@timeStamps true`` a value is
    ``(time,value)``; the values are taken in their order.

    Raises:
        OverpaintError: If the file is none of these, or its target is a number to predict.
    """
    tags: dict[str, str] = {}
    cases: list[Case] = []
    labels: list[str] = []
    in_data = False
    for number, line in _lines(path):
        where = f"{path}, line {number}"
        if in_data:
            case, label = _case(line, tags, where)
            if cases and len(case) != len(cases[0]):
                raise OverpaintError(f"{where} has {len(case)} channels, the lines before have {len(cases[0])}")
            cases.append(case)
            labels += label
        elif line.lower() == "@data":
            in_data = True
            _check_tags(tags, path)
        elif line.startswith("@"):
            name, _, value = line[1:].partition(" ")
            tags[name.lower()] = value.strip()
        else:
            raise OverpaintError(f"{where} is neither a tag (@...) nor a comment (#...), and @data has not come yet")
    if not cases:
        raise OverpaintError(f"{path} holds no series{'' if in_data else ': it has no line @data'}")
    return SeriesContent(cases, labels or None)


def _lines(path: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(read_text(path).splitlines(), 1):
        if line.strip() and not line.lstrip().startswith("#"):
            yield number, line.strip()


def _check_tags(tags: dict[str, str], path: str) -> None:
    if tags.get("targetlabel", "false").lower().startswith("true"):
        raise OverpaintError(f"{path} has @targetLabel true: its target is a number, and only classes are learned")


def _says(tags: dict[str, str], name: str) -> bool | None:
    """Returns what a tag says; None where it is absent."""
    return None if name not in tags else tags[name].lower().split()[:1] == ["true"]


def _case(line: str, tags: dict[str, str], where: str) -> tuple[Case, list[str]]:
    """Returns a line's series, and its class in a list, which is empty where it has none."""
    stamped = _says(tags, "timestamps") is True
    parts = re.split(r":(?![^(]*\))", line) if stamped else line.split(":")  # a time can hold colons
    labelled = _says(tags, "classlabel") is not False
    if labelled and len(parts) < 2:
        raise OverpaintError(f"{where} has no class behind a last ':'; @classLabel false says that there is none")
    channels = parts[:-1] if labelled else parts
    values = [as_values(_words(channel, stamped, where), where) for channel in channels]
    lengths = {len(channel) for channel in values}
    if len(lengths) > 1:
        raise OverpaintError(f"{where}: its channels have different lengths ({', '.join(map(str, sorted(lengths)))})")
    return np.stack(values), [as_label(parts[-1])] if labelled else []


def _words(channel: str, stamped: bool, where: str) -> list[str]:
    if not stamped:
        return channel.split(",")
    found = STAMPED.findall(channel)
    if STAMPED.sub("", channel).strip(", "):
        raise OverpaintError(f"{where} is not made of (time,value), as @timeStamps true says")
    return [value for _, value in found]
