"""The flags --report and --references of the separation scripts: what they put on the page."""
import importlib.metadata
import importlib.util
import os
import platform
import sys

from deepconvsep import command, files
from deepconvsep.errors import InputError, UsageError
from deepconvsep.separation.plan import SOUND_FILES


def add_flags(flags):
    """Add the flags to a parser."""
    flags.add_arg('--report', nargs='?', const='', default=None, metavar='TITLE',
                  help='also write index.html: players, spectrograms, settings and, with --references, scores')
    flags.add_arg('--references', type=command.path, default=None, metavar='DIR',
                  help='the true stems, for --report: <source>, <name>-<source> or <name>_<source>, .wav or .flac, in '
                       'DIR or in DIR/<name>')


def check(flags):
    """Check the flags before any work.

    Raises
    ------
    UsageError, InputError
        When there are references and no page, a page that is not to be replaced, or something else in the place of the
        folder of its pictures.
    """
    if flags.references and flags.report is None:
        raise UsageError('--references is for the page of --report: give both')
    if flags.report is not None:
        if os.path.exists(flags.report) or flags.report.lower().endswith(SOUND_FILES):
            raise UsageError('--report took %s for its title, which is the name of a file or folder: give --report '
                             'behind the inputs, or another TITLE' % flags.report)
        from deepconvsep.report import page as report
        page = os.path.join(flags.odir, report.PAGE)
        if os.path.lexists(page) and not flags.overwrite:
            raise InputError('%s exists: give --overwrite or another folder' % page)
        assets = os.path.join(flags.odir, report.ASSETS)
        if os.path.lexists(assets):
            files.make_folder(assets)   # it says what is in the way


def songs(plan, names, settings, flags):
    """What the page will show, a `report.page.Song` for each (path, outputs, guide) of the plan; [] without --report.

    `names` has the name of each song by its path.

    Raises
    ------
    InputError
        When a sound has not all true stems, or they do not fit it.
    """
    if flags.report is None:
        return []
    from deepconvsep.metrics import compare
    from deepconvsep.report import page as report
    found = []
    replaced = {os.path.realpath(output) for _, outputs, _ in plan for output in outputs}
    for path, outputs, _ in plan:
        name = names[path]
        song = report.Song(name, path, dict(zip(settings.sources + ('all but ' + settings.sources[0],), outputs)),
                           downmix=settings.downmix)
        if flags.references:
            song.references = compare.find_references(flags.references, name, settings.sources)
            own = [stem for stem in song.references.values() if os.path.realpath(stem) in replaced]
            if own:
                raise UsageError('--references has %s as a true stem, which this separation would write: give another '
                                 'folder with -o, or with --references' % own[0])
            compare.check(path, song.references)
            same = [other.mixture for other in found if other.references == song.references]
            if same:
                raise InputError('%s and %s have the same true stems, %s ...: call those of each after it, or put them '
                                 'into a folder of its name' % (same[0], path, song.references[settings.sources[0]]))
        found.append(song)
    return found


def write(done, loaded, settings, flags, program, argv):
    """Write the page of the songs that were separated and print its path, if there are any.

    Parameters
    ----------
    done : list of report.Song
    loaded : deepconvsep.models.store.Model
    settings : settings.Settings
    flags : argparse.Namespace
    program : list of str
        What was called.
    argv : list of str or None
        Its flags; None: those of the process.
    """
    if not done:
        return
    from deepconvsep.report import page as report
    command = program + (sys.argv[1:] if argv is None else argv)
    title = flags.report or (done[0].name if len(done) == 1 else '%d sounds, separated' % len(done))
    method = getattr(flags, 'method', 'network')
    network = {
        'Network': '%s, %d arrays' % (loaded.network.name, len(loaded.params)),
        'Windows of the network': '%d frames, %d shared with the next' % (
            loaded.network.time_context, settings.overlap),
    } if method != 'nmf' else {}
    libraries = ('Theano', 'Lasagne', 'numpy') if network and flags.engine != 'numpy' else ('numpy',)
    print(report.write(flags.odir, done, title, command, {
        'Method': method,
        'Model': os.path.basename(loaded.path),
        'SHA-256 of the model': files.sha256(loaded.path),
        **network,
        'Transform': 'STFT at %d Hz, frames of %d samples, hop %d, window %s' % (
            settings.sample_rate, settings.frame_size, settings.hop_size, settings.window),
        'Downmix': settings.downmix,
        'Versions': ', '.join(['Python ' + platform.python_version()] + [
            '%s %s' % (name, importlib.metadata.version(name)) for name in libraries
            if importlib.util.find_spec(name.lower())]),
    }), flush=True)


def shortest(path):
    """A path below the present folder relative to it; another one as it is."""
    relative = os.path.relpath(path)
    return path if relative.startswith(os.pardir) else relative
