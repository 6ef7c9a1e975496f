"""The simulated exchange, set from the sidebar: how it fills orders, and what it shall do wrong on purpose."""

from typing import Any

import state
import streamlit as st

from driftdesk import FaultEntry, FillModelSetting, InputError, read_number

# What is asked for beside each model; the name of the field, and what a person reads.
FIELDS = {
    "immediate": {},
    "spread": {"spread_bps": "Spread, bp", "slippage_bps": "Slippage, bp"},
    "participation": {
        "spread_bps": "Spread, bp",
        "slippage_bps": "Slippage, bp",
        "participation_percent": "Share of volume, %",
        "minute_volume": "Shares traded a minute",
        "seed": "Seed",
    },
    "next_open": {},
}
MODELS = {
    "immediate": "Immediately",
    "spread": "At bid and ask",
    "participation": "In parts, by volume",
    "next_open": "At the next open",
}
KINDS = {
    "reject": "Reject an order",
    "fill_part": "Fill only a part",
    "delay": "Delay a fill",
    "time_out": "Take it, no answer",
    "lose": "Lose it, no answer",
    "disconnect": "Cut the streams",
}
VALUES = {"fill_part": "Part, 0 to 1", "delay": "Seconds"}
WHOLE = ("seed",)


def show() -> None:
    """Draw the controls; nothing is read while they are closed."""
    with st.expander("Exchange", icon=":material/tune:", on_change="rerun", key="exchange_controls") as box:
        if box.open:
            with state.sentences():
                _fill_model(state.desk().simulation)
                _faults(state.desk().simulation)


def _fill_model(simulation: Any) -> None:
    used = simulation.fill_model()
    name = str(st.selectbox("Orders are filled", list(MODELS), list(MODELS).index(used.name), format_func=MODELS.get))
    with st.form(f"fill_model_{used!r}_{name}", border=False):
        typed = {
            field: st.text_input(label, f"{getattr(used, field)}", key=f"{field}_{name}_{used!r}", autocomplete="off")
            for field, label in FIELDS[name].items()
        }
        if st.form_submit_button("Fill so from now on", key="use_fill_model", width="stretch"):
            numbers = {
                field: read_number(text or "", FIELDS[name][field], field=field) for field, text in typed.items()
            }
            whole = {field: _whole(numbers[field], FIELDS[name][field]) for field in WHOLE if field in numbers}
            simulation.set_fill_model(FillModelSetting(name=name, **{**numbers, **whole}))
            state.say(f"Orders are filled from now on: {MODELS[name].lower()}.")
            _done()
    if used.name == name:
        st.caption("This is how orders are filled now.")


def _faults(simulation: Any) -> None:
    st.markdown("**Faults on purpose**")
    script = simulation.faults()
    for fault in script:
        st.caption(state.plain(_fault_text(fault)))
    if script:
        if st.button("Clear the faults", icon=":material/delete:", key="clear_faults", width="stretch"):
            simulation.set_faults()
            _done()
    else:
        st.caption("None: the exchange does what it should.")
    kind = str(st.selectbox("Next fault", list(KINDS), format_func=KINDS.get, key="fault_kind"))
    # The form is another one once its fault is in the script: a second click on the old one reaches nothing.
    with st.form(f"fault_{len(script)}_{kind}", border=False):
        symbol = value = ""
        if kind != "disconnect":
            symbol = st.text_input("Symbol", placeholder="any", key=f"fault_symbol_{kind}", autocomplete="off") or ""
        if kind in VALUES:
            value = st.text_input(VALUES[kind], key=f"fault_value_{kind}", autocomplete="off") or ""
        times = st.text_input("Times", "1", placeholder="until cleared", key=f"fault_times_{kind}", autocomplete="off")
        if st.form_submit_button("Add the fault", key=f"add_fault_{len(script)}", width="stretch"):
            fault = FaultEntry(
                kind=kind,
                symbol=symbol.strip().upper() or None,
                value=read_number(value, VALUES[kind]) if kind in VALUES else None,
                times=_whole(read_number(times, "Times"), "Times") if (times or "").strip() else None,
            )
            simulation.set_faults(*script, fault)
            _done()


def _whole(number: Any, what: str) -> int:
    if number != int(number):
        raise InputError(f"{what} is {number}, which is not a whole number.")
    return int(number)


def _fault_text(fault: Any) -> str:
    """``Fill only a part, 0.5, VTI, twice``."""
    left = "until cleared" if fault.times is None else "once" if fault.times == 1 else f"{fault.times} times"
    parts = (KINDS.get(fault.kind, fault.kind), fault.value, fault.symbol or "any symbol", left)
    return ", ".join(f"{part}" for part in parts if part is not None)


def _done() -> None:
    state.refresh()
    st.rerun()
