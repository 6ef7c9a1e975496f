"""What every page shows beside itself: account, mode, market, instant, price feed, and the simulated clock."""

from datetime import datetime, timedelta

import simulation_controls
import state
import streamlit as st
import widgets

from driftdesk import Mode
from driftdesk.figures import new_york, same_time_later, utc

BADGES = {
    Mode.SIMULATED: ("Simulated", ":material/science:", "blue"),
    Mode.SANDBOX: ("Sandbox", ":material/deployed_code:", "violet"),
    Mode.REMOTE: ("Remote", ":material/lan:", "gray"),
    Mode.LIVE: ("LIVE", ":material/bolt:", "orange"),
    Mode.CONNECTED: ("Brokerages", ":material/account_balance:", "violet"),
}
MINUTE = timedelta(minutes=1)
READ_AGAIN = "The book of all accounts is kept for five minutes; the chosen account is read anew on every page."


def show(title: str) -> None:
    """Draw the sidebar for the page called `title`."""
    with st.sidebar:
        them = state.settle_account()
        for trouble in them.troubles.values():
            st.error(state.plain(trouble), icon=":material/error:")
        st.selectbox(
            "Account",
            list(them.labels),
            key=state.ACCOUNT,
            on_change=state.link_account,
            placeholder="No account yet",
        )
        if title == "Drift":
            st.selectbox(
                "Compare with",
                [state.FOLLOWED, *dict.fromkeys(portfolio.name for portfolio in state.desk().portfolios())],
                key=state.COMPARE,
                bind="query-params",
                help="Measure the account against another portfolio; nothing is changed.",
            )
        clock = state.desk().clock()
        label, icon, colour = BADGES[state.desk().mode]
        if state.desk().mode is Mode.CONNECTED and state.desk().asks_for("orders"):
            label, colour = "REAL MONEY", "orange"
        with st.container(horizontal=True, gap="small"):
            st.badge(label, icon=icon, color=colour, help=state.desk().label)
            market, explained = market_state(clock)
            st.badge(market, icon=":material/schedule:", color="blue" if clock.is_open else "gray", help=explained)
        if len(them.of) + len(them.troubles) > 1:
            st.caption(f"The pages show this account's desk: {state.plain(state.title_of(state.here()))}.")
        widgets.moment(clock.timestamp, "As of ")
        st.caption(state.plain(f"Prices: {clock.feed or 'not named by the backend'}"))
        if state.desk().simulation is not None:
            _advance(clock.timestamp, clock.next_open)
            simulation_controls.show()
        if state.desk().estimates:
            st.button("Read again", icon=":material/refresh:", on_click=state.refresh, help=READ_AGAIN)


def market_state(clock: object) -> tuple[str, str]:
    """Whether the market is open, in a few words, and the instant of the next change with its UTC."""
    if clock.is_open:
        left = span(clock.next_close - clock.timestamp)
        return f"Open, closes in {left}", f"Closes {new_york(clock.next_close)} New York, {utc(clock.next_close)}"
    return (
        f"Closed, opens in {span(clock.next_open - clock.timestamp)}",
        f"Opens {new_york(clock.next_open)} New York, {utc(clock.next_open)}",
    )


def span(length: timedelta) -> str:
    """``2 d 3 h``, ``1 h 12 min`` or ``5 min``, rounded up to the minute."""
    minutes = -(-int(length.total_seconds()) // 60)
    days, hours, rest = minutes // 1440, minutes // 60 % 24, minutes % 60
    if days:
        return f"{days} d {hours} h"
    return f"{hours} h {rest} min" if hours else f"{rest} min"


def _advance(now: datetime, next_open: datetime) -> None:
    st.caption("Advance the simulated clock")
    opening, minute = st.columns(2, gap="small")
    with opening:
        advance_button("Next open", next_open)
    with minute:
        advance_button("1 minute", now + MINUTE)
    day, month = st.columns(2, gap="small")
    with day:
        advance_button("1 day", same_time_later(now, days=1))
    with month:
        advance_button("1 month", same_time_later(now, months=1))
    # Below the buttons: a bar above would push another button under the pointer.
    state.advance_if_asked()


def advance_button(label: str, to: datetime, width: str = "stretch") -> None:
    """A button for one target instant. The instant is part of its key: a second click on a button that has done its
    work reaches nothing, so three quick clicks make one advance (rules.md 11)."""
    st.button(
        label,
        key=f"advance_{label}_{to.isoformat()}",
        on_click=state.ask_to_advance,
        args=(to,),
        disabled=state.advancing(),
        width=width,
        help=f"To {new_york(to)} New York, {utc(to)}",
    )
