"""The command line that the separation scripts share.

A script is a recipe (networks, settings, names of the outputs) applied to :func:`main`; ``deepconvsep separate`` takes
that of the model.
"""
import dataclasses
import os

from deepconvsep import command, files
from deepconvsep.audio import mixture
from deepconvsep.errors import InputError, UsageError
from deepconvsep.models import known, store
from deepconvsep.separation import engines, former, page, side_by_side
from deepconvsep.separation.plan import FORMATS, gather, is_batch, plan_outputs, refuse_existing
from deepconvsep.settings import WINDOWS, leaves_gaps

logger = command.get_logger('separate')

SUBTYPES = ('PCM_16', 'PCM_24', 'FLOAT')
OF_NETWORKS = ('overlap', 'batch_size', 'engine', 'confine')   # flags that a factorisation alone has no use for


def parser(prog, description, recipe, inputs=('-i', '--ifile'), **more):
    """The flags of a separation script.

    Parameters
    ----------
    prog, description, recipe
        As in :func:`main`.
    inputs : tuple of str
        How the inputs are given.
    more
        As for `command.Parser`.
    """
    flags = command.Parser(prog=prog, description=description, fromfile_prefix_chars=None, **more)
    flags.add_arg(*inputs, nargs='+', type=command.path, metavar='FILE',
                  **({'required': True, 'action': 'extend'} if inputs[0].startswith('-') else {}),
                  help='sound files (WAV, FLAC, OGG, MP3, AIFF, ...), or folders with such at any depth, to separate')
    flags.add_arg('-o', '--odir', required=True, type=command.path, metavar='DIR',
                  help='folder for the stems; it is created')
    own = recipe.default_model
    flags.add_arg('-m', '--mfile', required=own is None, default=own, type=command.path, metavar='MODEL',
                  help='the model, .pkl (also the original\'s) or .npz, or the name of one of '
                       '"python -m deepconvsep.models"')
    flags.add_arg('--stereo', action='store_true',
                  help='apply the masks to every channel of the input; otherwise the stems are mono')
    flags.add_arg('--accompaniment', action='store_true', help='also write the mixture without %s' % recipe.sources[0])
    flags.add_arg('--format', type=str.upper, choices=FORMATS, default='WAV', help='format of the stems')
    flags.add_arg('--subtype', type=str.upper, choices=SUBTYPES, default='PCM_16', help='sample format of the stems')
    flags.add_arg('--window', choices=sorted(WINDOWS), default=None,
                  help='STFT window (default: what lies beside the model; for a model without, the original script\'s)')
    flags.add_arg('--overlap', type=command.non_negative_int, default=None,
                  help='frames that successive windows of the network share (default: likewise)')
    flags.add_arg('--batch_size', type=command.positive_int, default=32, help='windows per call of the network')
    flags.add_arg('--engine', choices=engines.ENGINES, default=None,
                  help='what computes (default: theano; numpy, which needs no compiler, where Theano or a compiler is '
                       'missing)')
    page.add_flags(flags)
    side_by_side.add_flags(flags)
    flags.add_arg('--overwrite', action='store_true', help='replace stems that exist')
    flags.add_arg('--quiet', action='store_true', help='no progress, only warnings and errors')
    if len(recipe.methods) > 1:
        add_method_flag(flags, recipe.methods)
    recipe.add_separation_flags(flags)
    return flags


def add_method_flag(flags, methods):
    """The flag that chooses what separates, with help for those of `methods`."""
    told = {'network': 'the model alone, in constant memory',
            'nmf': 'a factorisation of the whole piece that learns its spectra from it, with the score (about 60 MB of '
                   'memory a minute)',
            'network+nmf': 'a factorisation of the whole piece, started from the stems of the network, in which the '
                           'notes are heard if there are no scores: the best stems (about 220 MB of memory a minute)'}
    flags.add_arg('--method', choices=methods, default=methods[0],
                  help='; '.join('%s: %s' % (method, told[method]) for method in methods))


def main(argv, prog, description, recipe):
    """Separate files by the flags `argv`.

    Parameters
    ----------
    argv : list of str or None
    prog, description : str
        For the help.
    recipe : deepconvsep.recipes.base.SeparationRecipe

    Returns
    -------
    int
        0 when every file was separated, else 1.
    """
    flags = parser(prog, description, recipe).parse_args(argv)
    inputs = start(flags)
    if recipe.default_note and flags.mfile == recipe.default_model:
        logger.warning('%s', recipe.default_note)
    loaded = store.load(known.locate(flags.mfile), recipe.networks, prog)
    return run(flags, inputs, recipe, loaded, ['python', page.shortest(os.path.join(files.ROOT, recipe.script))], argv)


def start(flags):
    """Begin to log, check the flags before any work, and return the inputs.

    They are as of :func:`deepconvsep.separation.plan.gather`.
    """
    command.enable_default_logging('WARNING' if flags.quiet else 'INFO')
    if flags.format == 'FLAC' and flags.subtype == 'FLOAT':
        raise UsageError('FLAC cannot hold FLOAT: choose --format WAV, or --subtype PCM_16 or PCM_24')
    if getattr(flags, 'method', None) == 'nmf':
        idle = [name for name in OF_NETWORKS if name in flags.given]
        if idle:
            raise UsageError('--method nmf has no network, which --%s is for: leave that out, or choose another method'
                             % idle[0])
    page.check(flags)
    return gather(flags.ifile, flags.odir)


def run(flags, inputs, recipe, loaded, program, argv):
    """Separate files by parsed flags.

    Parameters
    ----------
    flags : argparse.Namespace
    inputs : dict of str to str
        As :func:`start` returns them.
    recipe : deepconvsep.recipes.base.SeparationRecipe
    loaded : deepconvsep.models.store.Model
    program : list of str
        What was called, for the page.
    argv : list of str or None
        Its flags; None: those of the process.

    Returns
    -------
    int
        0 when every file was separated, else 1.
    """
    settings = choose_settings(loaded, recipe.legacy_settings, flags)
    sources = settings.sources + (('accompaniment',) if flags.accompaniment else ())
    inputs = former.without_stems(inputs, flags.ifile, recipe, settings.sources)
    plan = plan_outputs(inputs, flags.odir, sources, flags.format, recipe.stem_names,
                        several=is_batch(flags.ifile))
    refuse_existing(plan, flags.overwrite)
    plan, failures = readable(plan, recipe, settings, flags)
    songs = page.songs(plan, inputs, settings, flags)
    if plan:
        files.make_folder(flags.odir)
        if getattr(flags, 'method', None) != 'nmf' and flags.scheduler is None:
            flags.engine = engines.choose(flags.engine)   # for all processes and the page; a cluster's choose each
        logger.info('%s: %d arrays, %s, window %s, overlap %d', loaded.path, len(loaded.params), loaded.network.name,
                    settings.window, settings.overlap)
        elsewhere = side_by_side.wanted(flags, len(plan))
        failures += (side_by_side.separate if elsewhere else separate)(plan, recipe, loaded, settings, flags)
    code = report(failures, len(inputs))   # before what may fail as well
    failed = {path for path, _ in failures}
    if flags.overwrite:   # what belongs to stems that were not replaced stays with them
        former.remove([item for item in plan if item[0] not in failed], inputs, settings.sources, recipe, flags)
    page.write([song for song in songs if song.mixture not in failed], loaded, settings, flags, program, argv)
    return code


def separate(plan, recipe, loaded, settings, flags):
    """Separate the files of the plan of :func:`readable`; return [(path, error)] of those that failed."""
    separator = recipe.separator(loaded, settings, flags)
    failures = []
    for item in plan:
        path, outputs, _ = item
        try:
            side_by_side.separate_one(separator, item, flags, flags.quiet)
        except (InputError, OSError) as error:
            failures.append((path, error))
            continue
        for output in outputs:
            print(output, flush=True)
    return failures


def choose_settings(loaded, legacy, flags):
    """The settings beside the model, or the original script's, with the flags that were given on top."""
    settings = loaded.settings or legacy
    if loaded.settings is None:
        logger.warning('%s is missing, as beside the original\'s models: assumed window %s, overlap %d, frames of %d '
                       'samples, hop %d, %d Hz', store.settings_path(loaded.path), flags.window or settings.window,
                       settings.overlap if flags.overlap is None else flags.overlap, settings.frame_size,
                       settings.hop_size, settings.sample_rate)
    changes = {name: getattr(flags, name) for name in ('window', 'overlap') if getattr(flags, name) is not None}
    settings = dataclasses.replace(settings, **changes)
    if settings.overlap >= loaded.network.time_context:
        raise UsageError('--overlap is %d, expected less than the %d frames that the network sees'
                         % (settings.overlap, loaded.network.time_context))
    if leaves_gaps(settings.window, settings.frame_size, settings.hop_size):
        raise UsageError('--window is %s, which leaves gaps between frames of %d samples every %d: choose another'
                         % (settings.window, settings.frame_size, settings.hop_size))
    return settings


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
            guide = recipe.guide(path, settings, flags)
            good.append((path, outputs, guide))
        except InputError as error:
            failures.append((path, error))
    return good, failures


def report(failures, total):
    """Name what failed, a line each, and return the exit code."""
    for _, error in failures:
        logger.error('%s', command.describe(error))
    if failures and total > 1:
        logger.error('%d of %d files failed', len(failures), total)
    return 1 if failures else 0
