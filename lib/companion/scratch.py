"""Folders for half-made things: gone when their owner ends; if it was killed, with the next one."""

import fcntl
import os
import shutil
import tempfile
from contextlib import ExitStack, contextmanager
from pathlib import Path

LONGEST = 60  # bytes: a socket's whole path may have 107, of which ours take 40


def short_place():
    """A place for sockets, which must have a short path."""
    folder = tempfile.gettempdir()
    short = folder if len(os.fsencode(folder)) <= LONGEST else "/tmp"
    return Path(short, f"companion-{os.getuid()}")


@contextmanager
def fresh_folder(place):
    """A new folder in `place` for the length of the block; abandoned ones there are removed."""
    place.mkdir(parents=True, exist_ok=True)
    with ExitStack() as held:
        with locked(place):
            remove_abandoned(place)
            folder = Path(tempfile.mkdtemp(dir=place))
            held.enter_context(locked(folder))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def locked(folder):
    """Hold a folder until the end of the block, or of this process, however it ends."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def remove_abandoned(place):
    """Remove the folders in `place` that no running process holds."""
    for folder in place.iterdir():
        try:
            handle = os.open(folder, os.O_RDONLY)
        except FileNotFoundError:  # its owner was quicker
            continue
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
        except BlockingIOError:
            pass
        finally:
            os.close(handle)
