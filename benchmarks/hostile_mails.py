"""Mails that hurt other parsers, each made for a size in bytes: for the speed and growth that `make bench` prints."""

from __future__ import annotations

from collections.abc import Callable

_HEAD = b"From: a@example.com\r\nSubject: x\r\n"


def _parts(size: int) -> bytes:
    return (
        _HEAD + b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n' + b"--b\r\n\r\nx\r\n" * (size // 10) + b"--b--"
    )


def _deep(size: int) -> bytes:
    count = size // 60
    return _HEAD + b"".join(
        b'Content-Type: multipart/mixed; boundary="%d"\r\n\r\n--%d\r\n' % (n, n) for n in range(count)
    )


def _html(piece: bytes) -> Callable[[int], bytes]:
    return lambda size: _HEAD + b"Content-Type: text/html\r\n\r\n" + piece * (size // len(piece))


def _field(name: bytes, piece: bytes) -> Callable[[int], bytes]:
    return lambda size: b"From: a@example.com\r\n" + name + b": " + piece * (size // len(piece)) + b"\r\n\r\nbody\r\n"


def _body(piece: bytes) -> Callable[[int], bytes]:
    return lambda size: _HEAD + b"\r\n" + piece * (size // len(piece))


def _many(kind: bytes, content: bytes) -> Callable[[int], bytes]:
    part = b"--b\r\nContent-Type: " + kind + b"\r\n\r\n"

    def made(size: int) -> bytes:
        each = (part + content * (size // 900 // len(content)) + b"\r\n") * 900
        return _HEAD + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + each + b"--b--"

    return made


def _coded(encoding: bytes, start: bytes, piece: bytes, kind: bytes = b"text/plain") -> Callable[[int], bytes]:
    top = _HEAD + b"Content-Type: " + kind + b"\r\nContent-Transfer-Encoding: " + encoding + b"\r\n\r\n" + start
    return lambda size: top + piece * (size // len(piece))


def _mails(size: int) -> bytes:
    letter = b"Content-Type: text/html\r\n\r\n" + b"<p></p>" * (size // 7_000)
    for mark in (b"x", b"y", b"z"):
        part = b"--" + mark + b"\r\nContent-Type: message/rfc822\r\n\r\n" + letter + b"\r\n"
        letter = b"Content-Type: multipart/mixed; boundary=" + mark + b"\r\n\r\n" + part * 10
    return _HEAD + letter


HOSTILE: dict[str, Callable[[int], bytes]] = {
    "mails in mails": _mails,
    "many HTML parts": _many(b"text/html", b"<p>a</p>"),
    "many texts": _many(b"text/plain", b"> a\r\n"),
    "many mails": _many(b"message/rfc822", b"A: b\r\n"),
    "many reports": _many(b"message/delivery-status", b"A: b\r\n\r\n"),
    "padded base64": _coded(b"base64", b"", b"=A"),
    "short lines of uuencode": _coded(b"x-uuencode", b"begin 644 x\r\n", b"\n"),
    "soft line ends": _coded(b"quoted-printable", b"", b"=\r\n"),
    "flowed lines": _coded(b"7bit", b"", b"a \n", b"text/plain; format=flowed"),
    "parts without end": _parts,
    "nested parts": _deep,
    "nested mails": lambda size: _HEAD + b"Content-Type: message/rfc822\r\n\r\n" * (size // 32),
    "open comments in To": _field(b"To", b"("),
    "commas in To": _field(b"To", b"a@b.example,"),
    "quotes in To": _field(b"To", b'"\\'),
    "one long encoded subject": _field(b"Subject", b"=?utf-8?q?a?= "),
    "one encoded word": _field(b"Subject", b"=?utf-8?q?a"),
    "references": _field(b"References", b"<a@b> "),
    "parameters": _field(b"Content-Type", b"text/plain; a*0*=x;"),
    "folds": _field(b"Subject", b"a\r\n "),
    "fields": lambda size: b"A: b\r\n" * (size // 6) + b"\r\nbody",
    "dashes": _body(b"--x\r\n"),
    "dashes in a multipart": lambda size: (
        _HEAD + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n" + b"--x\r\n" * (size // 5)
    ),
    "quote marks": _body(b">"),
    "quoted lines": _body(b"> a\r\n"),
    "On ... wrote": _body(b"On a, b\r\n"),
    "From: Sent: lines": _body(b"From: a\r\nSent: b\r\n"),
    "underscores": _body(b"_" * 40 + b"\r\n"),
    "blank lines": _body(b"\r\n"),
    "one line": _body(b"a"),
    "blanks": _body(b" "),
    "addresses": _body(b"a@b.c "),
    "NULs": _body(b"\0"),
    "open tags": _html(b"<div>"),
    "tables": _html(b"<table><tr><td>"),
    "lists": _html(b"<ul><li>"),
    "misnested": _html(b"<b><p><a><i>"),
    "ampersands": _html(b"&"),
    "less-than signs": _html(b"<"),
    "comments": _html(b"<!--"),
    "attributes": lambda size: _HEAD + b"Content-Type: text/html\r\n\r\n<a " + b"a=1 " * (size // 4) + b">x",
    "wide table": lambda size: (
        _HEAD + b"Content-Type: text/html\r\n\r\n<table><tr><td>" + b"x" * (size // 2) + b"<tr><td>y" * (size // 18)
    ),
    "blockquotes": _html(b"<blockquote>a"),
    "rows": _html(b"<tr><td>a</td><td>b</td></tr>"),
    "breaks": _html(b"<br>"),
    "bounce words": lambda size: (
        b"From: mailer-daemon@example.com\r\nSubject: failure notice\r\n\r\n"
        + b"<a@b.example>: 550 user\r\n" * (size // 25)
    ),
}
