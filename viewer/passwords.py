"""Hashes and judges passwords (argon2id). Keeps none."""

from __future__ import annotations

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from casework.errors import Invalid

MIN_LENGTH = 12
MAX_LENGTH = 256

_HASHER = PasswordHasher()  # 64 MiB, t = 3, p = 4: above OWASP's least (19 MiB, t = 2, p = 1)

_REFUSED = frozenset(
    {
        "123456789012", "1234567890123", "12345678901234", "123456123456", "qwertyuiop12",
        "qwertyuiop123", "qwertyuiopas", "1q2w3e4r5t6y", "1qaz2wsx3edc", "password1234",
        "passwordpassword", "password12345", "password123456", "passord12345", "passordpassord",
        "passord123456", "administrator", "administrator1", "adminadminadmin", "iloveyou1234",
        "letmeinletmein", "welcome12345", "velkommen123", "velkommen1234", "sommer202512",
        "abcdefghijkl", "abcdefghijklm", "abcd12345678", "qwerty123456", "qwerty1234567",
        "changemechangeme", "changeme1234", "trustno1trustno1", "lysbrolysbro", "lysbro123456",
        "hospital12345", "sykehus12345", "radiology123", "radiologi123", "hemmelig1234",
    }
)  # fmt: skip


def hash_password(password: str) -> str:
    """Return the argon2id hash of a password."""
    return _HASHER.hash(password)


def verify(password_hash: str, password: str) -> bool:
    """Tell whether a password belongs to a hash."""
    try:
        return _HASHER.verify(password_hash, password[:MAX_LENGTH])
    except (VerificationError, InvalidHashError):
        return False


def needs_rehash(password_hash: str) -> bool:
    """Tell whether a hash was made with weaker parameters than today's."""
    return _HASHER.check_needs_rehash(password_hash)


def require_acceptable(password: str, *, email: str = "") -> None:
    """Raise Invalid unless a password is long enough and not one that everybody tries."""
    plain = password.casefold()
    if len(password) < MIN_LENGTH:
        raise Invalid(
            f"The password is too short. Use at least {MIN_LENGTH} characters.", code="weak"
        )
    if len(password) > MAX_LENGTH:
        raise Invalid(
            f"The password is too long. Use at most {MAX_LENGTH} characters.", code="weak"
        )
    name = email.partition("@")[0].casefold()
    if plain in _REFUSED or len(set(plain)) < 4 or plain in {email.casefold(), name * 2}:
        raise Invalid("That password is easily guessed. Choose another.", code="weak")
