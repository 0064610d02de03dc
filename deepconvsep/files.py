"""Files that are either whole or not there.

Everything the project writes goes first to a hidden temporary name in the same folder and is renamed
when it is complete: a run that is killed leaves no half-written file that a later run takes for finished.
"""
import contextlib
import errno
import hashlib
import json
import os
import re
import secrets
import stat

from deepconvsep.errors import InputError

#: The folder of the project, with the scripts beside the package.
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


@contextlib.contextmanager
def atomic_path(path):
    """Give a temporary path to write to, and rename it to `path` on success.

    Parameters
    ----------
    path : str
        The file to appear. Its folder must exist.

    Yields
    ------
    str
        A fresh, empty file in the same folder, ``.<name>.<random>.tmp``. It is removed when the block raises.

    Examples
    --------
    >>> import os, tempfile
    >>> folder = tempfile.mkdtemp()
    >>> with atomic_path(os.path.join(folder, 'a.txt')) as temporary:
    ...     _ = open(temporary, 'w').write('whole')
    >>> os.listdir(folder)
    ['a.txt']
    """
    folder, name = os.path.split(os.path.abspath(path))
    temporary = os.path.join(folder, '.%s.%s.tmp' % (name[:80], secrets.token_hex(4)))
    try:
        # with the rights that any new file gets
        os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
    except OSError as error:
        raise OSError(error.errno, error.strerror, path) from error   # rather than the temporary name
    try:
        yield temporary
        sync(temporary)
        os.replace(temporary, path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        if isinstance(error, OSError) and error.errno and error.filename in (None, temporary):
            raise OSError(error.errno, error.strerror, path) from error   # the file that was to be
        raise


def sync(path):
    """Have the system put a file on the disk, which may show only now to be full."""
    with open(path, 'r+b') as written:   # Windows flushes only what may be written to
        os.fsync(written.fileno())


def remove_leftovers(folder, names):
    """Remove the temporary files that killed runs left in `folder` of the files `names`; none may be running."""
    names = {name[:80] for name in names}
    for entry in os.listdir(folder):
        match = re.fullmatch(r'\.(.+)\.\w{8}\.tmp', entry, re.DOTALL)
        if match and match.group(1) in names:
            os.unlink(os.path.join(folder, entry))


def make_folder(path):
    """Create a folder and its parents, and check that it can be written to.

    Raises
    ------
    InputError
        When `path` is a file, cannot be created or cannot be written to.
    """
    try:
        os.makedirs(path, exist_ok=True)
    except FileExistsError:
        raise InputError('%s is a file, expected a folder: choose another name' % path) from None
    except OSError as error:
        raise InputError('cannot create the folder %s: %s' % (path, error.strerror)) from error
    except RecursionError:
        raise InputError('cannot create the folder %.40s...: it is nested too deep' % path) from None
    if not os.access(path, os.W_OK | os.X_OK):
        raise InputError('cannot write into the folder %s: permission denied' % path)


def walk(path):
    """Walk a folder and what it links to, visible, sorted, each folder once: links may make a loop.

    Yields
    ------
    folder : str
    names : list of str
        Its sub-folders; those that are taken out of this list are not walked.
    leaves : list of str
        Its files.
    """
    visited = set()
    for parent, names, leaves in os.walk(path, followlinks=True):
        real = os.path.realpath(parent)
        if real in visited:
            names[:] = []
            continue
        visited.add(real)
        names[:] = sorted(name for name in names if not name.startswith('.'))
        yield parent, names, sorted(leaf for leaf in leaves if not leaf.startswith('.'))


def open_regular(path):
    """Open a file to read its bytes; OSError for a pipe or a device, which would be waited for or has no end."""
    source = open(path, 'rb', opener=lambda name, flags: os.open(name, flags | getattr(os, 'O_NONBLOCK', 0)))
    if not stat.S_ISREG(os.fstat(source.fileno()).st_mode):
        source.close()
        raise OSError(errno.EINVAL, 'not a regular file', path)
    return source


#: How a Git LFS pointer begins: the text that stands in a checkout for a large file that was not fetched.
LFS_POINTER = b'version https://git-lfs.github.com/spec/'


def damage(path, advice):
    """What to do about a file that cannot be read as what it should be: `advice`, or to fetch what it points to."""
    try:
        with open_regular(path) as source:
            start = source.read(len(LFS_POINTER))
    except OSError:
        start = b''
    return 'it is a Git LFS pointer in place of the file: run "git lfs pull" there' if start == LFS_POINTER else advice


def write_json(path, value):
    """Write `value` as indented JSON with sorted keys, atomically. NaN and infinity are refused (ValueError)."""
    text = json.dumps(value, indent=1, sort_keys=True, allow_nan=False) + '\n'
    with atomic_path(path) as temporary, open(temporary, 'w', encoding='utf-8') as out:
        out.write(text)


#: No JSON file of the project is nearly as large: it would take many times as much memory.
MAX_JSON = 1 << 26


def read_json(path, what='a JSON file'):
    """Read a JSON object.

    Raises
    ------
    InputError
        When the file is missing, unreadable, too large, not JSON, or not an object.
    """
    try:
        with open_regular(path) as source:
            text = source.read(MAX_JSON + 1)
        if len(text) > MAX_JSON:
            raise InputError('%s is larger than %d MB, expected %s: restore or remove it'
                             % (path, MAX_JSON >> 20, what))
        value = json.loads(text.decode('utf-8'))
    except InputError:
        raise
    except OSError as error:
        raise InputError('cannot read %s: %s' % (path, error.strerror)) from error
    except (ValueError, RecursionError):
        raise InputError('%s is not JSON, expected %s: %s'
                         % (path, what, damage(path, 'restore or remove it'))) from None
    if not isinstance(value, dict):
        raise InputError('%s holds a JSON %s, expected %s: restore or remove it' % (path, type(value).__name__, what))
    return value


def sha256(path):
    """SHA-256 of a file, as hexadecimal digits."""
    digest = hashlib.sha256()
    with open_regular(path) as source:
        for block in iter(lambda: source.read(1 << 20), b''):
            digest.update(block)
    return digest.hexdigest()
