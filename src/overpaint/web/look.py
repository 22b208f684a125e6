"""The maps of an input as the page keeps them: how they are made, watched, ended and made again."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

import overpaint as op
from overpaint.core.choices import ChannelMode
from overpaint.core.errors import OverpaintError
from overpaint.core.protocols import SaliencyMethod
from overpaint.inpainting.region import RegionRule
from overpaint.perturbation.method import ImageMaps, relative_errors
from overpaint.web.choose import Question
from overpaint.web.commands import Recipe
from overpaint.web.forms import make_method
from overpaint.web.jobs import Job
from overpaint.web.visitor import Visitor

NAME = "Look"
NEVER = 1e-6
"""A ``stop_at`` so small that sampling goes on to its end, in rounds."""


@dataclass
class Look:
    """The maps of an image or series, as far as they are there.

    Attributes:
        question: What was asked.
        target: The explained class.
        sections: The settings of the methods.
        channels: Whether channels are explained together or apart.
        maps: What each method has found so far.
        explanation: The explanation by the methods that are done; None: none is.
        decisive: The explanation with the decisive region; None: it was not searched.
    """

    question: Question
    target: int
    sections: dict[str, dict[str, Any]]
    channels: ChannelMode = "joint"
    maps: dict[str, ImageMaps] = field(default_factory=dict)
    explanation: op.Explanation | None = None
    decisive: op.Explanation | None = None

    def explain(self, methods: Mapping[str, SaliencyMethod] | None = None, **settings: Any) -> op.Explanation:
        """Explains the input by methods, whose maps are taken where they are there.

        Args:
            methods: The methods; None: those that are done.
            settings: Further arguments of `overpaint.explain`.
        """
        if methods is None:
            assert self.explanation is not None
            methods = self.explanation.runner.methods
        return op.explain(
            self.question.model.classifier,
            self.question.image.pixels,
            [self.target],
            methods,
            channels=self.channels,
            earlier=self.explanation,
            **settings,
        )


def explained_look(visitor: Visitor, question: Question) -> Look | None:
    """Returns a visitor's maps of the input that is chosen; None where there are none yet."""
    _, look = visitor.results.get(NAME, (None, None))
    if look is None or look.explanation is None or not look.question.image.same_as(question.image):
        return None
    found: Look = look
    return found


def try_rounds(name: str, section: dict[str, Any], built: dict[str, SaliencyMethod]) -> None:
    """Lets a method work in rounds, unless its other settings forbid it."""
    try:
        built[name] = make_method(name, section | {"stop_at": NEVER})
    except OverpaintError:
        return
    section["stop_at"] = NEVER


def explain_look(look: Look, methods: Mapping[str, SaliencyMethod], job: Job[Look]) -> None:
    """The work: one method after the other, each shown as soon as it has something."""
    job.found, question = look, look.question
    done: dict[str, SaliencyMethod] = {}
    with question.model.turns.turn():
        for number, (name, method) in enumerate(methods.items()):
            rounds = Rounds(look, job)

            def on_queries(now: int, planned: int, start: int = number, called: str = name) -> None:
                rounds.queries += now  # noqa: B023 - called within this turn of the loop
                share = (start + rounds.queries / max(planned, 1)) / len(methods)  # noqa: B023
                job.note(share, f"{called}: {rounds.queries:,} of {planned:,} queries")  # noqa: B023
                question.model.turns.give_way()

            job.note(number / len(methods), f"{name} …")
            if number:
                job.reveal()
            watcher = op.Watcher(on_queries=on_queries, on_maps=rounds.look_at)
            found = look.explain(done | {name: method}, region=RegionRule(method="fraction"), watcher=watcher)
            if rounds.stop_at is not None:
                look.sections[name]["stop_at"] = rounds.stop_at
                method = make_method(name, look.sections[name])
                runner = replace(found.runner, methods={**found.runner.methods, name: method})
                found = replace(found, runner=runner)
                job.enough = False
            done[name], look.explanation = method, found
            saliency = found.rows.explanation.saliency[name]
            look.maps[name] = ImageMaps(
                saliency.maps, saliency.standard_errors, int(saliency.queries[0]), saliency.by_channel
            )


class Rounds:
    """Shows a method's maps round by round, and ends it with the best one where somebody says so.

    Attributes:
        queries: Queries that were asked.
        stop_at: The setting that ends the method at the same round again; None: it was not ended.
    """

    def __init__(self, look: Look, job: Job[Look]) -> None:
        self.look, self.job, self.queries = look, job, 0
        self.stop_at: float | None = None
        self._least = float("inf")

    def look_at(self, name: str, _: int, maps: ImageMaps) -> bool:
        """Takes the maps of a round; True ends the method, at a round whose error is the least so far."""
        self.look.maps[name] = ImageMaps(maps.maps.clone(), maps.standard_errors, maps.queries)
        if maps.standard_errors is None:
            return False
        error = float(relative_errors(maps.maps, maps.standard_errors).max())
        best, self._least = error < self._least, min(error, self._least)
        if self.job.enough and best:
            self.stop_at = float(np.nextafter(np.float32(error), np.float32(np.inf)))
            return True
        return False


def find_decisive(look: Look, job: Job[Look]) -> None:
    """The work: searches the decisive region of the first method's map."""
    job.found, question = look, look.question

    def on_queries(now: int, planned: int) -> None:
        job.note(min(0.95, job.share + now / max(planned, 1)), "asking about fills …")
        question.model.turns.give_way()

    job.note(0.0, "making fills …")
    with question.model.turns.turn():
        look.decisive = look.explain(watcher=op.Watcher(on_queries=on_queries))


def recipe_of(look: Look) -> Recipe:
    """Returns how a look is made again."""
    question, names = look.question, look.question.class_names
    region: dict[str, Any] = {"method": "decisive" if look.decisive is not None else "fraction"}
    done = {name: section for name, section in look.sections.items() if name in look.maps}
    return Recipe(
        question.model.source,
        question.model.weights,
        None,
        question.image.file,
        names[look.target],
        done,
        region=region,
        channels=look.channels,
        size=question.image.size,
    )


def map_of(look: Look) -> Float[Tensor, "*space"]:
    """Returns the first method's map."""
    values: Tensor = next(iter(look.maps.values())).maps[0].cpu()
    return torch.as_tensor(values)
