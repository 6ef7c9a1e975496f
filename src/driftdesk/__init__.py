"""driftdesk: drift against bands, a preview of the orders, runs from start to fill.

The names below are the public face: what pages and notebooks use, and all that they use beside `driftdesk.figures`.
They load when first asked for, so that a command which needs no backend does not wait for one.
"""

import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from driftdesk.connect import connect, connect_from_environment, targets_from_environment
    from driftdesk.desk import AccountView, Desk, Mode
    from driftdesk.engine.measures import accuracy
    from driftdesk.engine.plan import MIN_NOTIONAL, Options, RunType, Toward
    from driftdesk.engine.preview import Preview
    from driftdesk.errors import BackendError, DataError, DriftdeskError, InputError, NotFound, PreviewMoved, StateError
    from driftdesk.files import read_holdings, read_portfolio
    from driftdesk.proposal.draft import (
        TypedPortfolio,
        draft_of,
        read_conditions,
        read_draft,
        typed_of,
        unfit_assets,
        update_of,
        weights_off,
    )
    from driftdesk.proposal.effect import Proposal, propose
    from driftdesk.retry import residual_drift, retry_of
    from driftdesk.tables import read_number
    from driftdesk.translate import to_portfolio
    from driftdesk.whatif import WhatIf, what_if
    from driftdesk.wire.orders import CreateOrder, ReplaceOrder
    from driftdesk.wire.simulation import FaultEntry, FillModelSetting

__all__ = [
    "MIN_NOTIONAL",
    "AccountView",
    "BackendError",
    "CreateOrder",
    "DataError",
    "Desk",
    "DriftdeskError",
    "FaultEntry",
    "FillModelSetting",
    "InputError",
    "Mode",
    "NotFound",
    "Options",
    "Preview",
    "PreviewMoved",
    "Proposal",
    "ReplaceOrder",
    "RunType",
    "StateError",
    "Toward",
    "TypedPortfolio",
    "WhatIf",
    "accuracy",
    "connect",
    "connect_from_environment",
    "draft_of",
    "propose",
    "read_conditions",
    "read_draft",
    "read_holdings",
    "read_number",
    "read_portfolio",
    "residual_drift",
    "retry_of",
    "targets_from_environment",
    "to_portfolio",
    "typed_of",
    "unfit_assets",
    "update_of",
    "weights_off",
    "what_if",
]

__version__ = "0.1.0"

_HOMES: Final = {
    "connect": ("connect", "connect_from_environment", "targets_from_environment"),
    "desk": ("AccountView", "Desk", "Mode"),
    "engine.measures": ("accuracy",),
    "engine.plan": ("MIN_NOTIONAL", "Options", "RunType", "Toward"),
    "engine.preview": ("Preview",),
    "errors": (
        "BackendError",
        "DataError",
        "DriftdeskError",
        "InputError",
        "NotFound",
        "PreviewMoved",
        "StateError",
    ),
    "files": ("read_holdings", "read_portfolio"),
    "proposal.draft": (
        "TypedPortfolio",
        "draft_of",
        "read_conditions",
        "read_draft",
        "typed_of",
        "unfit_assets",
        "update_of",
        "weights_off",
    ),
    "proposal.effect": ("Proposal", "propose"),
    "retry": ("residual_drift", "retry_of"),
    "tables": ("read_number",),
    "translate": ("to_portfolio",),
    "whatif": ("WhatIf", "what_if"),
    "wire.orders": ("CreateOrder", "ReplaceOrder"),
    "wire.simulation": ("FaultEntry", "FillModelSetting"),
}


def __getattr__(name: str) -> object:
    for home, names in _HOMES.items():
        if name in names:
            value: object = getattr(importlib.import_module(f"driftdesk.{home}"), name)
            globals()[name] = value
            return value
    raise AttributeError(f"module 'driftdesk' has no attribute {name!r}")


class _Face(ModuleType):
    """Importing `driftdesk.connect` would bind that module over the public function of the same name."""

    def __setattr__(self, name: str, value: object) -> None:
        if not (name in __all__ and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Face
