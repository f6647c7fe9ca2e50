"""Where the commands of actions are recorded, on the machine that they run on."""

import contextlib
import os
import stat
import tempfile
import uuid
from pathlib import Path

from ..core.message import Message, message, text
from ..exceptions import ConfigurationError

_ID = "id"


def directory(configured: str) -> Path:
    """The directory of all records; it is made where there is none, and is nobody else's to read.

    :param configured: the setting ACTIONS_DIRECTORY
    :raises ConfigurationError: it cannot be made, or is not the worker's alone
    """
    path = Path(configured) if configured else _default()
    try:
        with contextlib.suppress(FileExistsError):
            path.mkdir(mode=0o700)
        why = _unsafe(path.lstat())
    except OSError as error:
        raise _unusable(path, error) from error
    if why is not None:
        raise _unusable(path, why)
    return path


def place(records: Path) -> str:
    """What tells one directory of records from every other: of another machine, of another
    container, or of the same name after it was lost.

    Where the place is another one than when a command was begun, a record that is not there says
    nothing: the end of that command is not known.

    :raises ConfigurationError: it cannot be read or written
    """
    file = records / _ID
    try:
        if not file.exists():
            new = records / f".{uuid.uuid4().hex}"
            with new.open("x") as opened:
                opened.write(uuid.uuid4().hex)
                opened.flush()
                os.fsync(opened.fileno())
            # another worker of this machine may be first
            with contextlib.suppress(FileExistsError):
                os.link(new, file)
            new.unlink()
        return file.read_text()
    except OSError as error:
        raise _unusable(records, error) from error


def _default() -> Path:
    state = os.environ.get("STATE_DIRECTORY", "").partition(":")[0]
    if state:
        return Path(state) / "actions"
    return Path(tempfile.gettempdir()) / f"ukcloud-maintenance-actions-{os.geteuid()}"


def _unsafe(found: os.stat_result) -> Message | None:
    if not stat.S_ISDIR(found.st_mode):
        return message("not_a_directory")
    if found.st_uid != os.geteuid():
        return message("belongs_to_another", owner=found.st_uid, user=os.geteuid())
    mode = stat.S_IMODE(found.st_mode)
    return message("others_may_read_it", mode=f"{mode:04o}") if mode & 0o077 else None


def _unusable(records: Path, why: Message | OSError) -> ConfigurationError:
    if isinstance(why, OSError):
        why = text(why.strerror or str(why))
    return ConfigurationError(
        message("actions_directory_unusable", directory=str(records), why=why)
    )
