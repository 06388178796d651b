"""Passwords: hashed with argon2id, judged by length and by how often they are tried."""

import pytest

from casework.errors import Invalid
from viewer import passwords


def test_hash_is_argon2id_above_the_least_that_owasp_asks():
    hashed = passwords.hash_password("a long enough one")
    assert hashed.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert passwords.verify(hashed, "a long enough one")
    assert not passwords.verify(hashed, "a long enough two")
    assert not passwords.needs_rehash(hashed)


def test_verify_says_no_to_what_is_no_hash():
    assert not passwords.verify("nonsense", "a long enough one")


def test_weaker_hash_needs_a_new_one():
    weak = "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$p1n3TJRTV5ExUpYxNqVgzg"
    assert passwords.needs_rehash(weak)


@pytest.mark.parametrize(
    "password",
    [
        "short",
        "elevenchars",
        "password1234",
        "PassWord1234",
        "abababababab",
        "kari@example.org",
        "x" * 257,
    ],
)
def test_refused(password):
    with pytest.raises(Invalid) as refused:
        passwords.require_acceptable(password, email="kari@example.org")
    assert refused.value.code == "weak"


@pytest.mark.parametrize("password", ["correct horse battery", "tolv tegn ok", "åøæ-snø-lys-bro"])
def test_accepted(password):
    passwords.require_acceptable(password, email="kari@example.org")
