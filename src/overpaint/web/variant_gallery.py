"""The variants of an image: one of each kind, all of a kind, and any of them closely."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import streamlit as st
from jaxtyping import Bool
from numpy.typing import NDArray

from overpaint.report.plots.images import enlarge, map_picture, to_picture
from overpaint.report.plots.variant_kinds import ShownVariant, accepted_kinds, flipped_by_class
from overpaint.web.pictures import SIDE, show

Arrays = Mapping[str, NDArray[Any]]

CHOSEN = "variant.chosen"
"""Where the page remembers which variant is looked at closely."""


def show_variants(
    arrays: Arrays,
    image: NDArray[np.floating[Any]],
    region: Bool[np.ndarray, "height width"],
    names: Sequence[str],
    target: int,
    done: bool,
) -> None:
    """Shows the variants, accepted and flipped apart, and one of them closely.

    Args:
        arrays: The variants, as `overpaint.pipeline.writer.variant_arrays` returns them.
        image: The image.
        region: The region that was repainted.
        names: The classes' names.
        target: The explained class.
        done: Whether the search is; only then one can be chosen, as until then they change.
    """
    counted = ~arrays["duplicate"]
    kept = int((arrays["accepted"] & counted).sum())
    st.markdown(f"**{kept} of {int(counted.sum())}** different variants keep the class **{names[target]}**.")
    st.caption(f"Under each: its number · the class that it is taken for · the score of {names[target]}.")
    accepted, flipped = accepted_kinds(image, region, arrays, names), flipped_by_class(arrays, names)
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
            _show_cards([kind.index for kind in shown], arrays, names, chosen, "kind", done)
        else:
            st.caption("none")
    if done and kinds:
        _show_closer(chosen, kinds, arrays, names, image)


def _show_cards(
    indices: Sequence[int], arrays: Arrays, names: Sequence[str], chosen: int, key: str, can_choose: bool
) -> None:
    """Shows variants side by side, each with a button that looks at it closely."""
    with st.grid(min_column_width=100):
        for index in indices:
            answer = names[int(arrays["predictions"][index])]
            with st.container(gap="xsmall"):
                picture = enlarge(to_picture(arrays["images"][index]), 128)
                show(picture, f"variant {index}, taken for {answer}")
                st.button(
                    f"{index}: {answer} · {arrays['confidences'][index]:.0%}",
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


def _show_closer(
    chosen: int,
    kinds: Sequence[ShownVariant],
    arrays: Arrays,
    names: Sequence[str],
    image: NDArray[np.floating[Any]],
) -> None:
    """Shows a variant in full size, its difference, the way to it, and on demand all that it belongs to."""
    st.markdown(f"**Variant {chosen}** closely")
    variant = arrays["images"][chosen]
    way = st.slider("From the image (0) to the variant (1)", 0.0, 1.0, 1.0, 0.05, key="morph", persist_state="page")
    between = enlarge(to_picture(image + way * (variant - image)), SIDE)
    with st.grid(min_column_width=200):
        show(enlarge(to_picture(image), SIDE), "the image", "image")
        show(between, f"{way:.0%} of the way from the image to variant {chosen}", f"{way:.0%} of the way")
        difference = map_picture((variant - image).mean(0), 1.0)
        show(
            enlarge(difference, SIDE),
            f"difference of variant {chosen} from the image: red is brighter, blue darker",
            "difference, ±1",
        )
    members = next(kind.members for kind in kinds if chosen in kind.members)
    if len(members) == 1:
        st.caption(f"Variant {chosen} is the only one of its kind.")
    elif st.checkbox(f"Show all variants of its kind ({len(members)})", key="variant.members", persist_state="page"):
        _show_cards(members, arrays, names, chosen, "member", can_choose=True)
