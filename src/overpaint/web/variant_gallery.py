"""The variants of an input: one of each kind, all of a kind, and any of them closely."""

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from overpaint.report.plots.overview import variant_counts
from overpaint.report.plots.variant_kinds import ShownVariant, accepted_kinds, flipped_by_class
from overpaint.web.chosen import ChosenInput
from overpaint.web.pictures import show
from overpaint.web.view import Arrays, InputView, Region

CHOSEN = "variant.chosen"
"""Where the page remembers which variant is looked at closely."""


def show_variants(
    view: InputView,
    image: ChosenInput,
    arrays: Arrays,
    region: Region,
    names: Sequence[str],
    target: int,
    done: bool,
) -> None:
    """Shows the variants, accepted and flipped apart, and one of them closely.

    Args:
        view: How inputs of the kind are shown.
        image: The input.
        arrays: The variants, as `overpaint.pipeline.writer.variant_arrays` returns them.
        region: The region that was repainted.
        names: The classes' names.
        target: The explained class.
        done: Whether the search is; only then one can be chosen, as until then they change.
    """
    counted = ~arrays["duplicate"]
    kept = int((arrays["accepted"] & counted).sum())
    st.markdown(f"**{kept} of {int(counted.sum())}** different variants keep the class **{names[target]}**.")
    view.show_together(image, arrays, region, names, variant_counts(arrays, names, names[target]))
    st.caption(f"Under each: its number · the class that it is taken for · the score of {names[target]}.")
    accepted, flipped = accepted_kinds(image.array, region, arrays, names), flipped_by_class(arrays, names)
    cards = Cards(view, image, arrays, region, names)
    kinds = [*accepted, *flipped]
    chosen: int = st.session_state.get(CHOSEN, -1)
    if kinds and chosen not in {member for kind in kinds for member in kind.members}:
        chosen = kinds[0].index
    for title, shown in (
        ("Accepted, one of each kind", accepted),
        ("Flipped, by the class they are taken for", flipped),
    ):
        st.markdown(f"**{title}**")
        if shown:
            cards.show([kind.index for kind in shown], chosen, "kind", done)
        else:
            st.caption("none")
    if done and kinds:
        _show_closer(chosen, kinds, cards)


@dataclass(frozen=True)
class Cards:
    """Variants side by side, each with a button that looks at it closely.

    Attributes:
        view: How inputs of the kind are shown.
        image: The input.
        arrays: The variants.
        region: The region that was repainted.
        names: The classes' names.
    """

    view: InputView
    image: ChosenInput
    arrays: Arrays
    region: Region
    names: Sequence[str]

    def show(self, indices: Sequence[int], chosen: int, key: str, can_choose: bool) -> None:
        """Shows some of the variants."""
        with st.grid(min_column_width=max(100, self.view.thumbnail_width)):
            for index in indices:
                answer = self.names[int(self.arrays["predictions"][index])]
                with st.container(gap="xsmall"):
                    picture = self.view.thumbnail(self.arrays["images"][index], self.image.array, self.region)
                    show(picture, f"variant {index}, taken for {answer}")
                    st.button(
                        f"{index}: {answer} · {self.arrays['confidences'][index]:.0%}",
                        key=f"variant.{key}.{index}",
                        help=f"Look closely at variant {index}.",
                        on_click=_choose,
                        args=(index,),
                        type="primary" if can_choose and index == chosen else "secondary",
                        disabled=not can_choose,
                        width="stretch",
                    )


def _choose(index: int) -> None:
    st.session_state[CHOSEN] = index


def _show_closer(chosen: int, kinds: Sequence[ShownVariant], cards: Cards) -> None:
    """Shows a variant in full size, its difference, the way to it, and on demand all that it belongs to."""
    st.markdown(f"**Variant {chosen}** closely")
    word = cards.view.word
    way = st.slider(f"From the {word} (0) to the variant (1)", 0.0, 1.0, 1.0, 0.05, key="morph", persist_state="page")
    cards.view.show_closely(cards.image, cards.arrays["images"][chosen], cards.region, way, chosen)
    members = next(kind.members for kind in kinds if chosen in kind.members)
    if len(members) == 1:
        st.caption(f"Variant {chosen} is the only one of its kind.")
    elif st.checkbox(f"Show all variants of its kind ({len(members)})", key="variant.members", persist_state="page"):
        cards.show(members, chosen, "member", can_choose=True)
