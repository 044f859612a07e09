"""Where a workspace's large values, snapshots and old records lie, as its configuration says."""

from __future__ import annotations

from pathlib import Path

from router.shell.shelf import Place, Shelf
from router.shell.store.files import BlobFolder, BlobPlace
from router.shell.store.objects import BlobObjects
from skills.model import WorkspaceConfig
from skills.store_model import Objects

FOLDER = "archive"  # in the data directory
BLOBS = "blobs"  # likewise


def place_of(objects: Objects, folder: Path) -> Place:
    """A place as a workspace names it; `folder`: where it is if it names none."""
    return Place(
        folder=objects.folder or ("" if objects.url else str(folder)),
        url=objects.url.reveal() if objects.url else "",
        endpoint=objects.endpoint or "",
        region=objects.region or "",
        access_key=objects.access_key.reveal() if objects.access_key else "",
        secret_key=objects.secret_key.reveal() if objects.secret_key else "",
    )


def shelf_of(config: WorkspaceConfig, data: Path) -> Shelf:
    """The shelf of a workspace's snapshots and archive. Raises ConfigError."""
    return Shelf.at(place_of(config.archive, data / FOLDER), config.workspace)


async def blobs_of(config: WorkspaceConfig, data: Path) -> BlobPlace:
    """The place of a workspace's mails and files over 256 kB. Raises ConfigError where S3 does not take them."""
    if config.blobs.url is not None:
        return await BlobObjects.at(place_of(config.blobs, data / BLOBS), config.workspace)
    return BlobFolder(Path(config.blobs.folder) if config.blobs.folder else data / BLOBS)


def may_trim(config: WorkspaceConfig) -> bool:
    """Whether records may leave the store: not when the nodes of a `store.url` would each archive them for itself."""
    return config.store.embedded or not config.archive.embedded
