"""Writes checkpoints so that neither a kill nor a full disk nor a power cut leaves half of one."""

import os
import shutil
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins.io.torch_io import TorchCheckpointIO

from overpaint.core.files import partial_path

LAST, PREVIOUS = "last-", "previous-"
"""How the names begin of the checkpoint that a stopped run goes on from, and of the one before it."""


def previous_checkpoint(path: Path) -> Path:
    """Returns where the checkpoint before ``last-MODEL.ckpt`` is kept."""
    return path.with_name(PREVIOUS + path.name.removeprefix(LAST))


class DurableCheckpointIO(TorchCheckpointIO):
    """Saves a checkpoint beside its place, syncs it to the disk and renames it.

    Lightning's own way stages the file in the temporary folder and copies it across file systems, so that a kill leaves
    an empty checkpoint and a full disk a truncated one. Of checkpoints that begin with `LAST` the one before is kept
    until the next is saved: if the disk damages one, the other is there.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None) -> None:
        """Saves a checkpoint.

        Args:
            checkpoint: Its content.
            path: The file.
            storage_options: None; Lightning's other storages have some.

        Raises:
            OSError: If the disk is full or the folder can't be written to; what was there before stays as it was.
        """
        final = Path(path)
        final.parent.mkdir(parents=True, exist_ok=True)
        partial = partial_path(final)
        try:
            with partial.open("wb") as file:
                torch.save(checkpoint, file)
                file.flush()
                os.fsync(file.fileno())
        except RuntimeError as error:  # torch's writer wraps the file system's error
            raise (error.__context__ if isinstance(error.__context__, OSError) else error) from None
        if final.name.startswith(LAST) and final.exists():
            _keep(final, previous_checkpoint(final))
        partial.replace(final)
        sync_folder(final.parent)


def _keep(path: Path, other: Path) -> None:
    """Puts a second name, or where the file system has none a copy, of ``path`` in the place of ``other``."""
    staged = partial_path(other)
    staged.unlink(missing_ok=True)
    try:
        os.link(path, staged)
    except OSError:  # a file system without hard links
        shutil.copyfile(path, staged)
    staged.replace(other)
    staged.unlink(missing_ok=True)  # a rename between two names of one file leaves both


def sync_folder(folder: Path) -> None:
    """Writes a folder's entries to the disk, where the system can: a rename lasts only then."""
    if os.name != "posix":
        return
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
