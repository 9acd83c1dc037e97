"""Ed25519 signatures under what audit vouches for; the key is in the home's credentials.

Whoever can read the key can sign a false record. What stands against that are copies of the checkpoints, and of the
public key, on another machine.
"""

from pathlib import Path

from msgspec.structs import replace
from nacl.exceptions import BadSignatureError
from nacl.signing import SigningKey, VerifyKey

from contracts.audit import Signable
from contracts.codec import encode
from services.runtime.keys import write_private

PUBLIC_KEY_HEX_CHARS = 64


class KeyFaultError(Exception):
    """A signing key is not what it should be: half of the pair is missing, or the halves do not belong together."""


class Signer:
    """Signs with one key."""

    def __init__(self, key: SigningKey) -> None:
        """Hold the key."""
        self._key = key
        self.public_key: str = key.verify_key.encode().hex()

    def sign[T: Signable](self, unsigned: T) -> T:
        """Put our key and our signature under it."""
        stamped = replace(unsigned, public_key=self.public_key, signature="")
        return replace(stamped, signature=self._key.sign(encode(stamped)).signature.hex())


def is_signed_by(signed: Signable, public_key: str) -> bool:
    """Say whether the holder of a key (hex) signed exactly this."""
    if signed.public_key != public_key:
        return False
    try:
        body = encode(replace(signed, signature=""))
        VerifyKey(bytes.fromhex(public_key)).verify(body, bytes.fromhex(signed.signature))
    except (BadSignatureError, ValueError):  # nacl raises ValueError on a signature or key of a wrong length
        return False
    return True


def key_path(home: Path) -> Path:
    """Name the file that holds a home's signing key."""
    return home / "credentials" / "checkpoint.key"


def public_key_path(home: Path) -> Path:
    """Name the file that holds the public half; copy it to where the record is judged."""
    return home / "credentials" / "checkpoint.pub"


def signer_of(home: Path) -> Signer:
    """Read a home's signing key, or make one where there has never been one.

    Raises `KeyFaultError` when only half of the pair is there: a new key would quietly disown the old checkpoints.
    """
    secret, public = key_path(home), public_key_path(home)
    if not secret.exists() and not public.exists():
        key = SigningKey.generate()
        write_private(secret, key.encode().hex() + "\n")
        write_private(public, key.verify_key.encode().hex() + "\n")
    if not secret.exists() or not public.exists():
        missing = public if secret.exists() else secret
        raise KeyFaultError(f"{missing} is missing: restore it, or move both checkpoint keys away to begin anew")
    signer = Signer(SigningKey(_hex_in(secret)))
    if signer.public_key != _hex_in(public).hex():
        raise KeyFaultError(f"{public} is not the public half of {secret}")
    return signer


def trusted_key(given: str | None, home: Path) -> str:
    """Give the public key (hex) against which to judge: the one given as hex or as a file, else the home's own."""
    if given is not None and len(given) == PUBLIC_KEY_HEX_CHARS and not Path(given).exists():
        return _hex(given, "the public key").hex()
    path = public_key_path(home) if given is None else Path(given)
    if not path.exists():
        raise KeyFaultError(f"there is no public key at {path}")
    return _hex_in(path).hex()


def _hex_in(path: Path) -> bytes:
    return _hex(path.read_text().strip(), str(path))


def _hex(text: str, what: str) -> bytes:
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if len(key) * 2 != PUBLIC_KEY_HEX_CHARS:
        raise KeyFaultError(f"{what} is not a key of {PUBLIC_KEY_HEX_CHARS} hexadecimal digits")
    return key
