"""Writes that move real money: what they change is typed first, and only then can their button be pressed."""

import state
import streamlit as st


def typed(what: str, expected: str, key: str, *, stakes: str = "orders", disabled: bool = False) -> str | None:
    """The text that confirms a write: ``expected``, once a person has typed it, and None until then.

    `what` says what it is, as in "the account number"; `stakes` whether orders move, or a plan that they would follow.
    Nothing is asked for where nothing real moves: the answer is empty text then. Hand it to the function of `state`
    that writes.
    """
    if not state.desk().asks_for(stakes):
        return ""
    text = st.text_input(
        f"This moves real money. Type {what}, **{state.plain(expected)}**, to confirm",
        key=key,
        disabled=disabled,
        autocomplete="off",
        live=True,
    )
    return expected if (text or "").strip() == expected.strip() else None
