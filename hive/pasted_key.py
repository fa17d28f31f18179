"""What people paste in the place of a public key: one line, or a sentence on how to get it.

Formats: OpenSSH's authorized_keys and known_hosts (sshd(8)), RFC 4716, PEM, PuTTY's PPK
(appendix C of its manual).
"""

from __future__ import annotations

import re
import unicodedata

from hive.errors import InvalidInput

MAX_CHARACTERS = 16 * 1024  # an RSA key of 8192 bits takes 1,400

_CURVES = ("nistp256", "nistp384", "nistp521")
TYPES = (
    "ssh-ed25519",
    "ssh-rsa",
    *(f"ecdsa-sha2-{curve}" for curve in _CURVES),
    "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
)
_KEY = rf"(?:{'|'.join(map(re.escape, TYPES))})\s+AAAA"
# a line of known_hosts: an optional mark, names or patterns or a hash of them, the key
_OF_SERVER = re.compile(rf"(?:@\S+\s+)?(?:\|1\|\S+|(?!#)[^\s=\"']+)\s+{_KEY}")
# what authorized_keys may have there instead
_OPTION = re.compile(r"(?:cert-authority|restrict|pty|user-rc|no-\S+|\S+-forwarding)[,\s]")
_LINE_ENDS = re.compile(r"[\r\n]+")
_BASE64 = re.compile(r"[A-Za-z0-9+/]+={0,2}")
_QUOTES = "\"'`\u2018\u2019\u201c\u201d\u201e\u00ab\u00bb"


def one_line(text: str) -> str:
    """The line that was pasted; InvalidInput says what it is instead and what makes it right."""
    if len(text) > MAX_CHARACTERS:
        raise InvalidInput(
            "This is too long for a public key: more than %(most)s characters.",
            most=MAX_CHARACTERS,
            field="public_key",
        )
    line = text.strip(" \t\r\n\ufeff")
    if not line:
        raise InvalidInput(
            "No public key was given: paste the one line of the file that ends in .pub.",
            field="public_key",
        )
    _refuse_other_formats(line)
    _refuse_what_is_around(line)
    _refuse_several_lines(line)
    _refuse_control_characters(line)
    return line


def _refuse_other_formats(text: str) -> None:
    if text.startswith("PuTTY-User-Key-File-"):
        raise InvalidInput(
            "This is a private key of PuTTY, and it must never leave the client. Print its public"
            " key there with “puttygen FILE.ppk -L”, or open it in PuTTYgen and copy the field at"
            " the top.",
            field="public_key",
        )
    if "PRIVATE KEY" in text:
        raise InvalidInput(
            "This is a private key, and it must never leave the client. Create a new pair there"
            " with ssh-keygen, and paste the file that ends in .pub.",
            field="public_key",
        )
    for beginning, convert in (
        ("---- BEGIN SSH2 PUBLIC KEY", "ssh-keygen -i -f FILE"),
        ("-----BEGIN RSA PUBLIC KEY", "ssh-keygen -i -m PEM -f FILE"),
        ("-----BEGIN PUBLIC KEY", "ssh-keygen -i -m PKCS8 -f FILE"),
    ):
        if text.startswith(beginning):
            raise InvalidInput(
                "This public key has another format. Save it as FILE, and paste what this command"
                " prints: %(command)s",
                command=convert,
                field="public_key",
            )
    if text.startswith(("-----BEGIN", "---- BEGIN")):
        raise InvalidInput(
            "This is not an SSH key: paste the one line of the file that ends in .pub.",
            field="public_key",
        )


def _refuse_what_is_around(text: str) -> None:
    if text[0] in _QUOTES and text[1:].lstrip().startswith(TYPES):
        raise InvalidInput(
            "There are quotation marks around the key: paste it without them.",
            field="public_key",
        )
    if _OF_SERVER.match(text) and not _OPTION.match(text):
        raise InvalidInput(
            "This line is from known_hosts: it holds the key of a server, not yours. Paste the"
            " file that ends in .pub from the directory ~/.ssh of the client.",
            field="public_key",
        )


def _refuse_several_lines(text: str) -> None:
    lines = [line.strip() for line in _LINE_ENDS.split(text)]
    if len(lines) == 1:
        return
    keys = [line for line in lines if line.startswith(TYPES)]
    if len(keys) == 1 and not lines[0].startswith(TYPES):
        raise InvalidInput(
            "There is something before the key, such as a comment: paste only the line that begins"
            " with %(type)s.",
            type=keys[0].split(None, 1)[0],
            field="public_key",
        )
    if len(keys) == 1 and _BASE64.fullmatch(lines[1].partition(" ")[0]):
        raise InvalidInput(
            "The key was broken into %(number)s lines when it was copied: join them into one.",
            number=len(lines),
            field="public_key",
        )
    raise InvalidInput(
        "This is more than one line: give one public key at a time.", field="public_key"
    )


def _refuse_control_characters(line: str) -> None:
    for character in line:
        if unicodedata.category(character) in {"Cc", "Cf", "Zl", "Zp", "Cs"} and character != "\t":
            raise InvalidInput(
                "The key contains a control character (U+%(code)s): copy it again.",
                code=format(ord(character), "04X"),
                field="public_key",
            )
