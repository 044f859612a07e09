"""From an inbox entry to a `Message`, and from the entry's bytes to the file in it."""

from __future__ import annotations

from channels.webchat.entries import CHAT, address_of
from channels.webchat.packing import Said, unpack
from router.core.errors import PoisonError
from router.core.message import Address, Attachment, Message
from router.core.plain import first_words

UNPROVEN = "Left in the chat's form: nobody has proven that this address is theirs."


def normalise(raw: bytes, meta: bytes) -> Message:  # noqa: ARG001 - the shape of every channel's `normalise`
    """Read an entry as a message. Raises PoisonError if it is none, which `Entries` never made."""
    said, _ = unpack(raw)
    if said.email:
        return Message(
            channel=CHAT,
            from_=Address(address=said.email, name=said.name),
            subject=first_words(said.text),
            text=said.text,
            full_text=said.text,
            warnings=(UNPROVEN,),
        )
    return Message(
        channel=CHAT,
        from_=Address(address=address_of(said.visitor), name=said.name or _alias(said.visitor)),
        subject=first_words(said.file.name if said.file is not None else said.text),
        text=said.text,
        full_text=said.text,
        attachments=_attachments(said),
        message_id=said.client,
        proof=said.proof,
    )


def extract(raw: bytes, part: int) -> tuple[str, str, bytes]:
    """The file that a visitor sent: its safe name, content type and bytes. Raises PoisonError if there is none."""
    said, content = unpack(raw)
    if said.file is None or part != 0:
        raise PoisonError(f"the message has no file {part}")
    return said.file.name, said.file.type, bytes(content)


def _attachments(said: Said) -> tuple[Attachment, ...]:
    file = said.file
    if file is None:
        return ()
    one = Attachment(filename=file.name, content_type=file.type, size=file.size, sha256=file.sha256, part=0)
    return (one,)


def _alias(visitor: str) -> str:
    """What agents call a visitor who gave no name: the same each time, and not enough to guess the id by."""
    return f"Visitor {visitor[:4].upper()}"
