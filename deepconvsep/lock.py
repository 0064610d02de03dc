"""One program at a time where two would be in each other's way: a training of one name, the features of one folder."""
import contextlib
import errno
import fcntl
import json
import os
import socket
import time

from deepconvsep import command
from deepconvsep.errors import InputError

logger = command.get_logger('lock')

#: What file systems answer that have no locks.
_WITHOUT_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.EINVAL)


@contextlib.contextmanager
def hold(path, busy, otherwise):
    """Hold a lock file, which tells the host and the id of this process, and remove it in the end.

    The operating system releases the lock of a process that has ended in whatever way: what such a one left is taken
    over. Where the file system has no locks, the file itself is believed; only processes of the same host can be
    seen to have ended then.

    Parameters
    ----------
    path : str
    busy, otherwise : str
        What the process that holds it does, in the passive voice, and what one can do but wait, for the message.

    Raises
    ------
    InputError
        When another process holds it.
    """
    handle = _open(path, busy, otherwise)
    try:
        os.truncate(handle, 0)
        os.pwrite(handle, json.dumps({'host': socket.gethostname(), 'process': os.getpid(),
                                      'since': time.strftime('%Y-%m-%d %H:%M:%S')}).encode() + b'\n', 0)
        yield
    finally:
        with contextlib.suppress(OSError):
            os.unlink(path)
        os.close(handle)


def _open(path, busy, otherwise):
    """The file, locked by this process."""
    while True:
        try:
            handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise InputError('cannot write %s: %s' % (path, error.strerror)) from error
        owner = _owner(handle)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in _WITHOUT_LOCKS or owner and not _has_ended(owner):
                os.close(handle)
                raise InputError('%s by %s: wait for it, or %s (if there is no such process any more, remove %s)'
                                 % (busy, _describe(owner), otherwise, path)) from error
        if _is(handle, path):
            if owner:
                logger.info('taking over from %s, which has ended', _describe(owner))
            return handle
        os.close(handle)   # its owner removed it meanwhile: not what another process would find


def _owner(handle):
    """Who wrote the file: a dict, empty when it was not written yet, or not by this project."""
    try:
        owner = json.loads(os.pread(handle, 4096, 0))
    except ValueError:
        return {}
    return owner if isinstance(owner, dict) else {}


def _describe(owner):
    return 'process %s on %s since %s' % tuple(owner.get(name, '?') for name in ('process', 'host', 'since'))


def _has_ended(owner):
    process = owner.get('process')
    if owner.get('host') != socket.gethostname() or not isinstance(process, int):
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False


def _is(handle, path):
    """Whether an open file is still what lies at `path`."""
    try:
        return os.path.samestat(os.fstat(handle), os.stat(path))
    except FileNotFoundError:
        return False
