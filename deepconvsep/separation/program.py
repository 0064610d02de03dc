"""The command line that the separation scripts share.

A script is a recipe (networks, settings, names of the outputs) applied to :func:`main`.
"""
import dataclasses
import os

from deepconvsep import command, files
from deepconvsep.audio import mixture
from deepconvsep.errors import InputError, UsageError
from deepconvsep.models import known, store
from deepconvsep.separation import page
from deepconvsep.settings import WINDOWS

logger = command.get_logger('separate')

SOUND_FILES = ('.wav', '.flac', '.ogg', '.oga', '.mp3', '.aif', '.aiff', '.aifc', '.au', '.caf', '.w64', '.rf64')

SUBTYPES = ('PCM_16', 'PCM_24', 'FLOAT')


def parser(prog, description, recipe):
    """The flags of a separation script; `recipe` as in :func:`main`."""
    flags = command.Parser(prog=prog, description=description, fromfile_prefix_chars=None)
    flags.add_arg('-i', '--ifile', nargs='+', required=True, metavar='FILE',
                  help='sound files (WAV, FLAC, OGG, MP3, AIFF, ...), or folders with such at any depth, to separate')
    flags.add_arg('-o', '--odir', required=True, metavar='DIR', help='folder for the stems; it is created')
    own = getattr(recipe, 'DEFAULT_MODEL', None)
    flags.add_arg('-m', '--mfile', required=own is None, default=own, metavar='MODEL',
                  help='the model, .pkl (also the original\'s) or .npz, or the name of one of "python -m deepconvsep.models"')
    flags.add_arg('--stereo', action='store_true',
                  help='apply the masks to every channel of the input; otherwise the stems are mono')
    flags.add_arg('--accompaniment', action='store_true', help='also write the mixture without %s' % recipe.SOURCES[0])
    flags.add_arg('--format', type=str.upper, choices=('WAV', 'FLAC'), default='WAV', help='format of the stems')
    flags.add_arg('--subtype', type=str.upper, choices=SUBTYPES, default='PCM_16', help='sample format of the stems')
    flags.add_arg('--window', choices=sorted(WINDOWS), default=None,
                  help='STFT window (default: what lies beside the model; for a model without, the original script\'s)')
    flags.add_arg('--overlap', type=command.non_negative_int, default=None,
                  help='frames that successive windows of the network share (default: likewise)')
    flags.add_arg('--batch_size', type=command.positive_int, default=32, help='windows per call of the network')
    page.add_flags(flags)
    flags.add_arg('--overwrite', action='store_true', help='replace stems that exist')
    flags.add_arg('--quiet', action='store_true', help='no progress, only warnings and errors')
    if hasattr(recipe, 'add_separation_flags'):
        recipe.add_separation_flags(flags)
    return flags


def main(argv, prog, description, recipe):
    """Separate files by the flags `argv`.

    Parameters
    ----------
    argv : list of str or None
    prog, description : str
        For the help.
    recipe : module
        With NETWORKS (tuple of Architecture), LEGACY_SETTINGS (Settings) and, optionally, DEFAULT_MODEL (the name of
        one of :mod:`deepconvsep.models.known`), DEFAULT_NOTE (what is said when it separates) and ``stem_names(name, sources, several)``: the file names of the stems, without
        extension, relative to the output folder.

    Returns
    -------
    int
        0 when every file was separated, else 1.
    """
    flags = parser(prog, description, recipe).parse_args(argv)
    command.enable_default_logging('WARNING' if flags.quiet else 'INFO')
    if flags.format == 'FLAC' and flags.subtype == 'FLOAT':
        raise UsageError('FLAC cannot hold FLOAT: choose --format WAV, or --subtype PCM_16 or PCM_24')
    page.check(flags)
    inputs = gather(flags.ifile, flags.odir)
    if hasattr(recipe, 'DEFAULT_NOTE') and flags.mfile == recipe.DEFAULT_MODEL:
        logger.warning('%s', recipe.DEFAULT_NOTE)
    flags.mfile = known.locate(flags.mfile)
    loaded = store.load(flags.mfile, recipe.NETWORKS, prog)
    settings = choose_settings(loaded, recipe.LEGACY_SETTINGS, flags)
    sources = settings.sources + (('accompaniment',) if flags.accompaniment else ())
    plan = plan_outputs(inputs, flags.odir, sources, flags.format, getattr(recipe, 'stem_names', folder_names),
                        several=is_batch(flags.ifile))
    if not flags.overwrite:
        refuse_existing(plan)
    plan, failures = readable(plan, recipe, settings, flags)
    songs = page.songs(plan, inputs, settings, flags)
    if plan:
        files.make_folder(flags.odir)
        logger.info('%s: %d arrays, %s, window %s, overlap %d', flags.mfile, len(loaded.params), loaded.network.name,
                    settings.window, settings.overlap)
        failures += separate(plan, loaded, settings, flags)
    failed = {path for path, _ in failures}
    page.write([song for song in songs if song.mixture not in failed], loaded, settings, flags,
                          os.path.join(os.path.dirname(recipe.__file__), prog), argv)
    return report(failures, len(inputs))


def separate(plan, loaded, settings, flags):
    """Separate the files of the plan of :func:`readable`; return [(path, error)] of those that failed."""
    from deepconvsep.separation.separator import Separator, separate_file
    separator = Separator(loaded.network, loaded.params, settings, flags.batch_size)
    failures = []
    for path, outputs, guide in plan:
        try:
            files.make_folder(os.path.dirname(outputs[0]))
            separate_file(separator, path, outputs, guide, stereo=flags.stereo,
                                     accompaniment_of=0 if flags.accompaniment else None, format=flags.format,
                                     subtype=flags.subtype, quiet=flags.quiet)
        except (InputError, OSError) as error:
            failures.append((path, error))
            continue
        for output in outputs:
            print(output, flush=True)
    return failures


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
    seen = {}
    for path in found:
        if seen.setdefault(os.path.realpath(path), path) != path or found.count(path) > 1:
            raise UsageError('%s is given twice' % path)
    return {path: names[path] for path in found}


def sounds_below(folder, odir):
    """The visible sound files below a folder, sorted, without those in the output folder `odir` inside it."""
    found = []
    for parent, folders, leaves in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith('.')
                            and os.path.realpath(os.path.join(parent, name)) != os.path.realpath(odir))
        found += [os.path.join(parent, leaf) for leaf in sorted(leaves)
                  if leaf.lower().endswith(SOUND_FILES) and not leaf.startswith('.')]
    return found


def choose_settings(loaded, legacy, flags):
    """The settings beside the model, or the original script's, with the flags that were given on top."""
    settings = loaded.settings or legacy
    changes = {name: getattr(flags, name) for name in ('window', 'overlap') if getattr(flags, name) is not None}
    settings = dataclasses.replace(settings, **changes)
    if settings.overlap >= loaded.network.time_context:
        raise UsageError('--overlap is %d, expected less than the %d frames that the network sees'
                         % (settings.overlap, loaded.network.time_context))
    return settings


def folder_names(name, sources, several):
    """The stems of one file directly in the output folder; those of several in a folder for each."""
    return [os.path.join(name, source) if several else source for source in sources]


def plan_outputs(inputs, odir, sources, format, stem_names, several):
    """Pair every input of :func:`gather` with its outputs: [(path, [output, ...])].

    Raises
    ------
    UsageError
        When two inputs would be written to the same place, or an input over itself.
    """
    plan, owner = [], {}
    for path, name in inputs.items():
        outputs = [os.path.join(odir, stem + '.' + format.lower()) for stem in stem_names(name, sources, several)]
        for output in outputs:
            other = owner.setdefault(os.path.normcase(output), path)
            if other != path:
                raise UsageError('%s and %s would both be written to %s: rename one, or separate them into different '
                                 'folders' % (other, path, os.path.dirname(output)))
        plan.append((path, outputs))
    places = {os.path.realpath(path): path for path in inputs}
    for path, outputs in plan:
        for output in outputs:
            if os.path.realpath(output) in places:
                raise UsageError('%s is an input and would be overwritten: choose another output folder' % output)
    return plan


def refuse_existing(plan):
    """Raise InputError when an output is there already."""
    existing = [output for _, outputs in plan for output in outputs if os.path.lexists(output)]
    if existing:
        raise InputError('%s exists%s: give --overwrite or another folder'
                         % (existing[0], ' and so do %d more' % (len(existing) - 1) if len(existing) > 1 else ''))


def readable(plan, recipe, settings, flags):
    """Open everything before anything is compiled.

    Returns
    -------
    good : list of (path, outputs, guide)
        The entries of the plan that can be separated, with the recipe's guide or None.
    failures : list of (path, error)
    """
    good, failures = [], []
    for path, outputs in plan:
        try:
            mixture.open_sound(path).close()
            guide = recipe.guide(path, settings, flags) if hasattr(recipe, 'guide') else None
            good.append((path, outputs, guide))
        except InputError as error:
            failures.append((path, error))
    return good, failures


def report(failures, total):
    """Name what failed, a line each, and return the exit code."""
    for _, error in failures:
        logger.error('%s', command.one_line(error))
    if failures and total > 1:
        logger.error('%d of %d files failed', len(failures), total)
    return 1 if failures else 0
