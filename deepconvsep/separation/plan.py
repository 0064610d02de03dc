"""Which sounds a separation has as inputs, and where their stems go."""
import os

from deepconvsep import command, files
from deepconvsep.errors import InputError, UsageError

logger = command.get_logger('separate')

SOUND_FILES = ('.wav', '.flac', '.ogg', '.oga', '.opus', '.mp3', '.aif', '.aiff', '.aifc', '.au', '.caf', '.w64',
               '.rf64')

#: Sounds of kinds that nothing here reads.
UNREADABLE = ('.m4a', '.m4b', '.aac', '.mp4', '.wma', '.webm', '.mka', '.mkv', '.ape', '.wv', '.dsf', '.amr', '.ac3')

#: Of stems; their names end in them.
FORMATS = ('WAV', 'FLAC')


def is_batch(paths):
    """Whether the inputs are more than a single file."""
    return len(paths) > 1 or os.path.isdir(paths[0])


def gather(paths, odir):
    """All input files, folders replaced by the sound files below them, sorted.

    Parameters
    ----------
    paths : list of str
    odir : str
        The output folder; what lies in it is no input of a folder around it.

    Returns
    -------
    dict of str to str
        By path, the name of the song: the file name without extension, after the folders below the given one. Of
        several inputs, those called ``mixture`` have the name of their folder, as in DSD100.

    Raises
    ------
    InputError
        When a path does not exist or a folder holds no sound file.
    UsageError
        When a file is given twice.
    """
    found, names = [], {}
    for path in paths:
        inside = sounds_below(path, odir) if os.path.isdir(path) else [path]
        for sound in inside:
            name, leaf = os.path.split(os.path.relpath(sound, path)) if sound != path else ('', os.path.basename(path))
            leaf = os.path.splitext(leaf)[0]
            if leaf == 'mixture' and is_batch(paths):
                name = name or os.path.basename(os.path.dirname(os.path.abspath(sound)))
            else:
                name = os.path.join(name, leaf)
            names[sound] = name
        if os.path.isdir(path):
            if not inside:
                raise InputError('the folder %s holds no sound file, expected *%s' % (path, ', *'.join(SOUND_FILES)))
            found += inside
        elif os.path.exists(path) or len(paths) > 1:
            found.append(path)
        else:
            raise InputError('cannot read %s: No such file or directory' % path)
    seen = set()
    for path in found:
        real = os.path.realpath(path)
        if real in seen:
            raise UsageError('%s is given twice' % path)
        seen.add(real)
    return {path: names[path] for path in found}


def sounds_below(folder, odir):
    """The visible sound files below a folder and what it links to, sorted, without those in the folder `odir`."""
    found, others = [], []
    for parent, folders, leaves in files.walk(folder):
        folders[:] = [name for name in folders
                      if os.path.realpath(os.path.join(parent, name)) != os.path.realpath(odir)]
        others += [os.path.join(parent, leaf) for leaf in leaves if leaf.lower().endswith(UNREADABLE)]
        found += [os.path.join(parent, leaf) for leaf in leaves if leaf.lower().endswith(SOUND_FILES)]
    if others:
        logger.warning('left out of %s, since they cannot be read: %s%s; convert them to WAV or FLAC', folder,
                       ', '.join(sorted(others)[:5]), ', ...' if len(others) > 5 else '')
    return found


def plan_outputs(inputs, odir, sources, format, stem_names, several):
    """Pair every input of :func:`gather` with its outputs: [(path, [output, ...])].

    Raises
    ------
    UsageError
        When two inputs or two stems would be written to the same place, or an input over itself.
    """
    plan, owner = [], {}
    for path, name in inputs.items():
        outputs = [os.path.join(odir, stem + '.' + format.lower()) for stem in stem_names(name, sources, several)]
        for output in outputs:
            other = owner.setdefault(os.path.normcase(output), path)
            if other != path:
                raise UsageError('%s and %s would both be written to %s: rename one, or separate them into different '
                                 'folders' % (other, path, os.path.dirname(output)))
        for number, output in enumerate(map(os.path.normcase, outputs)):
            if output in map(os.path.normcase, outputs[:number]):
                raise UsageError('two stems of %s, of the sources %s, would both be written to %s: leave out '
                                 '--accompaniment, or name the sources of the model otherwise'
                                 % (path, ', '.join(sources), outputs[number]))
        plan.append((path, outputs))
    places = {os.path.realpath(path): path for path in inputs}
    for _, outputs in plan:
        for output in outputs:
            if os.path.realpath(output) in places:
                raise UsageError('%s is an input and would be overwritten: choose another output folder' % output)
    return plan


def refuse_existing(plan, overwrite=False):
    """Raise InputError when an output is there already; with `overwrite`, when it is a folder."""
    folders = [output for _, outputs in plan for output in outputs if os.path.isdir(output)]
    if folders:
        raise InputError('%s is a folder, expected to write a stem there: give another folder' % folders[0])
    if overwrite:
        return
    existing = [output for _, outputs in plan for output in outputs if os.path.lexists(output)]
    if existing:
        raise InputError('%s exists%s: give --overwrite or another folder'
                         % (existing[0], ' and so do %d more' % (len(existing) - 1) if len(existing) > 1 else ''))
