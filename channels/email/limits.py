"""Limits on what is read of one mail. Beyond a limit the mail is still taken, with a warning in plain words.

Where a limit has a precedent it stands beside it. Everything is counted before it is decoded or copied.
"""

from __future__ import annotations

import msgspec


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How much of one mail is looked at; sizes in bytes or characters as the name says."""

    header_bytes_max: int = 262_144  # of one part; Postfix reads 102,400 of a header, Exim 1 MB of all
    headers_bytes_max: int = 1_048_576  # of all parts together
    headers_max: int = 1_000  # fields of one part
    field_bytes_max: int = 65_536  # one header field; a To of 500 people has 30,000
    delimiter_lines_max: int = 400_000  # lines beginning with "--" that are compared with the boundaries
    parts_max: int = 1_000
    depth_max: int = 40  # Cyrus and Dovecot stop at 100; nobody's mail program goes beyond 10
    nested_max: int = 3  # mails in mails that are opened in search of words
    addresses_max: int = 500  # of one header field
    references_max: int = 100
    text_chars_max: int = 1_000_000  # of the body as text
    split_chars_max: int = 100_000  # in which new words are told from quoted ones; people write less than 20,000
    html_chars_max: int = 1_000_000
    html_tags_max: int = 20_000  # a long newsletter has 5,000
    html_depth_max: int = 150  # beyond it selectolax reads: lxml gives up at 256, Python's recursion at 1,000
    bounce_bytes_max: int = 131_072  # read by the bounce detectors
    bounce_lines_max: int = 1_500  # which try fifty patterns on each


DEFAULT = Limits()
