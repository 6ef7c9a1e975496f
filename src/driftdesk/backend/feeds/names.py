"""Names and listing exchanges of well-known symbols, shared by all feeds: for people to read, nothing more."""

from typing import Final

from driftdesk.backend.feeds.base import AssetInfo
from driftdesk.engine.snapshot import Symbol

_KNOWN: Final = {
    "AAPL": ("Apple", "NASDAQ"),
    "AGG": ("iShares Core U.S. Aggregate Bond ETF", "ARCA"),
    "AMD": ("Advanced Micro Devices", "NASDAQ"),
    "AMZN": ("Amazon", "NASDAQ"),
    "BAC": ("Bank of America", "NYSE"),
    "BND": ("Vanguard Total Bond Market ETF", "NASDAQ"),
    "BNDX": ("Vanguard Total International Bond ETF", "NASDAQ"),
    "EFA": ("iShares MSCI EAFE ETF", "ARCA"),
    "GE": ("GE Aerospace", "NYSE"),
    "GLD": ("SPDR Gold Shares", "ARCA"),
    "GM": ("General Motors", "NYSE"),
    "GOOG": ("Alphabet, class C", "NASDAQ"),
    "IEF": ("iShares 7-10 Year Treasury Bond ETF", "NASDAQ"),
    "IWM": ("iShares Russell 2000 ETF", "ARCA"),
    "JNJ": ("Johnson & Johnson", "NYSE"),
    "JPM": ("JPMorgan Chase", "NYSE"),
    "MA": ("Mastercard", "NYSE"),
    "META": ("Meta Platforms", "NASDAQ"),
    "MSFT": ("Microsoft", "NASDAQ"),
    "NVDA": ("NVIDIA", "NASDAQ"),
    "PDBC": ("Invesco Optimum Yield Diversified Commodity Strategy ETF", "NASDAQ"),
    "PFE": ("Pfizer", "NYSE"),
    "QQQ": ("Invesco QQQ Trust", "NASDAQ"),
    "SBUX": ("Starbucks", "NASDAQ"),
    "SCHD": ("Schwab U.S. Dividend Equity ETF", "ARCA"),
    "SPY": ("SPDR S&P 500 ETF", "ARCA"),
    "T": ("AT&T", "NYSE"),
    "TIP": ("iShares TIPS Bond ETF", "ARCA"),
    "TLT": ("iShares 20+ Year Treasury Bond ETF", "NASDAQ"),
    "TSLA": ("Tesla", "NASDAQ"),
    "VNQ": ("Vanguard Real Estate ETF", "ARCA"),
    "VTI": ("Vanguard Total Stock Market ETF", "ARCA"),
    "VWO": ("Vanguard FTSE Emerging Markets ETF", "ARCA"),
    "VXUS": ("Vanguard Total International Stock ETF", "NASDAQ"),
    "WMT": ("Walmart", "NYSE"),
    "XOM": ("Exxon Mobil", "NYSE"),
}


def asset_info(symbol: Symbol) -> AssetInfo:
    """What is known of `symbol`; an unfamiliar one is called by its symbol and counted to NYSE."""
    name, exchange = _KNOWN.get(symbol, (str(symbol), "NYSE"))
    return AssetInfo(symbol, name, exchange)
