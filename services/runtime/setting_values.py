"""How single settings are read and refused: every error names the variable, its value and what is allowed."""

from collections.abc import Container, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, get_args, get_origin

import msgspec

from contracts.enums import Regime
from contracts.ids import Symbol, is_symbol, is_token
from contracts.values import is_exact

PORT_MAX = 65_535
COUNT_MAX = 10**9
TABLES = frozenset({"sectors", "waivers"})
"""Limits with parts of their own: only the file can hold them."""
_SHOWN_CHARS = 80
_VERSION_PATTERN_TOLD = "letters, digits, dots and dashes (for example a commit id)"


class SettingsError(Exception):
    """A setting cannot be used; the process must not start on a guess."""

    def __init__(self, name: str, value: str, allowed: str) -> None:
        """Say which setting, what was given, what is allowed."""
        super().__init__(f"{name} is {value}; allowed is {allowed}")
        self.name = name


class Secret(msgspec.Struct, frozen=True):
    """A text that shows itself only to who asks for it by name."""

    value: str

    def __repr__(self) -> str:
        """Hide the text in logs and tracebacks."""
        return "Secret(***)"

    __str__ = __repr__


class Source:
    """One table of the settings file with the environment over it."""

    def __init__(self, environ: Mapping[str, str], table: Mapping[str, Any]) -> None:
        """Read from both; an environment variable that is set wins."""
        self._environ = environ
        self._table = table

    def text(self, variable: str, key: str) -> str | None:
        """Read a text; an empty one counts as not given."""
        given = self._environ.get(variable) or self._table.get(key)
        return None if given in {None, ""} else str(given).strip()

    def exact(self, variable: str, key: str) -> str:
        """Read a word letter by letter as it was given; TOML's own true and false count as those words."""
        if variable in self._environ:
            return self._environ[variable]
        given = self._table.get(key, "")
        return str(given).lower() if isinstance(given, bool) else str(given)

    def limit(self, variable: str, key: str) -> Any:
        """Read a limit as it was given; an empty one is an error, because it could mean nothing or everything."""
        given = self._environ.get(variable, self._table.get(key))
        if isinstance(given, str) and not given.strip():
            raise SettingsError(variable, "empty", "a value, or leave it out to keep the default")
        return given

    def token(self, variable: str, key: str, default: str) -> str:
        """Read a word that may stand in a NATS subject."""
        text = self.text(variable, key) or default
        if not is_token(text):
            raise SettingsError(variable, repr(text), "1 to 64 letters, digits, _ or -")
        return text

    def port(self, variable: str, key: str, default: int) -> int:
        """Read a TCP port."""
        text = self.text(variable, key) or str(default)
        if not (text.isascii() and text.isdigit() and 0 < int(text) <= PORT_MAX):
            raise SettingsError(variable, repr(text), f"a port from 1 to {PORT_MAX}")
        return int(text)

    def count(self, variable: str, key: str, default: int) -> int:
        """Read a whole number from one up."""
        text = self.text(variable, key) or str(default)
        if not (text.isascii() and text.isdigit() and 0 < int(text) <= COUNT_MAX):
            raise SettingsError(variable, repr(text), f"a whole number from 1 to {COUNT_MAX}")
        return int(text)

    def choice(self, variable: str, key: str, allowed: Sequence[str], default: str) -> str:
        """Read one of a few words, in any case."""
        text = (self.text(variable, key) or default).lower()
        if text not in allowed:
            raise SettingsError(variable, repr(text), f"one of {', '.join(allowed)}")
        return text

    def version(self, variable: str, base: str) -> str:
        """Add the build's own mark to a version, in the form of semantic versioning."""
        build = self._environ.get(variable, "").strip()
        if not build:
            return base
        if not all(c.isascii() and (c.isalnum() or c in ".-") for c in build):
            raise SettingsError(variable, repr(build), _VERSION_PATTERN_TOLD)
        return f"{base}+{build}"

    def database(self, variable: str, key: str) -> Secret | None:
        """Read the URL of a PostgreSQL database; one that cannot be read is never shown, it may hold a password."""
        text = self.text(variable, key)
        if text is None:
            return None
        import psycopg.conninfo  # noqa: PLC0415 - half of what a command needs to start, and few set a URL

        try:
            psycopg.conninfo.conninfo_to_dict(text)
        except (psycopg.Error, UnicodeError):
            raise SettingsError(variable, "not readable", "postgresql://user:password@host:port/database") from None
        return Secret(text)

    def refuse_unknown(self, table: str, known: Container[str]) -> None:
        """Raise on a key nobody reads: a misspelt limit must not be taken for a set one."""
        for key in self._table:
            if key not in known:
                raise SettingsError(f"[{table}] {key}", "unknown", "a name from the documentation")


def limit_value(name: str, given: Any, kind: Any) -> Any:
    """Read one limit by the type of its field: an amount, a count, yes or no, words, or a table of a file."""
    plain = next((one for one in get_args(kind) if one in {Decimal, int, bool}), kind)
    if plain is Decimal:
        return _amount(name, str(given))
    if plain is bool:
        return _yes_or_no(name, str(given))
    if plain is int:
        return _count(name, str(given))
    if name in TABLES:
        return _table(name, given, kind)
    lists = (one for one in (kind, *get_args(kind)) if get_origin(one) is tuple)
    is_of_regimes = any(Regime in get_args(one) for one in lists)
    return _regimes(name, given) if is_of_regimes else _symbols(name, given)


def _yes_or_no(name: str, text: str) -> bool:
    word = text.strip().lower()
    if word not in {"true", "false"}:
        raise SettingsError(name, repr(text), "true or false")
    return word == "true"


def _table(name: str, given: Any, kind: Any) -> Any:
    try:
        return msgspec.convert(given, kind)
    except msgspec.ValidationError as error:
        raise SettingsError(name, repr(given)[:_SHOWN_CHARS], f"a table of the file ({error})") from error


def _amount(name: str, text: str) -> Decimal:
    try:
        amount = Decimal(text.strip())
    except InvalidOperation:
        amount = Decimal("NaN")
    if not is_exact(amount) or amount < 0:
        raise SettingsError(name, repr(text), "a number from 0 up, with at most nine decimals")
    return amount


def _count(name: str, text: str) -> int:
    digits = text.strip()
    if not (digits.isascii() and digits.isdigit() and int(digits) <= COUNT_MAX):
        raise SettingsError(name, repr(text), f"a whole number from 0 to {COUNT_MAX}")
    return int(digits)


def _words(name: str, given: Any, told: str) -> tuple[str, ...]:
    words = given.split(",") if isinstance(given, str) else given
    if not isinstance(words, list | tuple):
        raise SettingsError(name, repr(given), f"{told} separated by commas")
    return tuple(str(word).strip().upper() for word in words)


def _regimes(name: str, given: Any) -> tuple[Regime, ...]:
    words = _words(name, given, "regimes")
    for word in words:
        if word not in Regime:
            raise SettingsError(name, repr(word)[:_SHOWN_CHARS], f"of {', '.join(Regime)}, separated by commas")
    return tuple(dict.fromkeys(Regime(word) for word in words))


def _symbols(name: str, given: Any) -> tuple[Symbol, ...]:
    symbols = tuple(Symbol(word) for word in _words(name, given, "symbols"))
    for symbol in symbols:
        if not is_symbol(symbol):
            raise SettingsError(name, repr(symbol), "symbols such as AAPL or BRK.B, separated by commas")
    return symbols
