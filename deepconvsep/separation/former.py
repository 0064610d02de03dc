"""What a former separation left: stems among the inputs, and what lies beside those that --overwrite replaces.

The stems themselves are replaced. Their accompaniment, their versions in the other format and a page that shows them
are not when the flags do not ask for these any more: what such a page shows is removed with it, and what may be of
somebody else is named.
"""
import contextlib
import html
import os
import re
import urllib.parse

from deepconvsep import command, recipes
from deepconvsep.errors import InputError
from deepconvsep.metrics.stems import ASSETS, PAGE
from deepconvsep.separation.plan import FORMATS, is_batch

logger = command.get_logger('separate')

#: What tells a page of this project from others.
MARK = b'<meta name="generator" content="DeepConvSep">'
#: No page is nearly as large: its pictures and sounds are files.
MAX_PAGE = 1 << 24


def without_stems(inputs, paths, recipe, sources):
    """Leave out the stems that a separation of the same folders wrote into them, and say so.

    A stem is known by its place: what a separation of several inputs calls the stem of another input, in any folder.
    The stems of a single input do not bear its name: they are kept, as true stems must be, and their folder is named.

    Parameters
    ----------
    inputs : dict of str to str
        As of :func:`deepconvsep.separation.plan.gather`.
    paths : list of str
        The inputs as they were given; a file that is named here stays.
    recipe : deepconvsep.recipes.base.SeparationRecipe
    sources : tuple of str
        Those of the model.

    Returns
    -------
    dict of str to str
        The others.
    """
    kinds = [(recipe, sources)] + [(other, other.sources) for other in recipes.ALL]
    stems = {stem for name in inputs.values() for kind, named in kinds
             for stem in kind.stem_names(name, (*named, 'accompaniment'), True)}
    left = {path for path, name in inputs.items() if path not in paths and _ends_in(name, stems)}
    if left:
        logger.warning('%s is left out%s, as a stem of another input by its name: to separate it, give it as a file',
                       min(left), ', and %d more' % (len(left) - 1) if len(left) > 1 else '')
    kept = {path: name for path, name in inputs.items() if path not in left}
    beside = {}
    for path in kept.keys() - set(paths):
        beside.setdefault(os.path.dirname(path), set()).add(os.path.splitext(os.path.basename(path))[0])
    for folder in sorted(beside):
        for kind, named in kinds:
            if beside[folder].issuperset(kind.stem_names('', named, False)):
                logger.warning('%s holds %s, which look like stems and are separated too: if they are, keep them in '
                               'another folder', folder, ', '.join(named))
                break
    return kept


def _ends_in(name, stems):
    """Whether the last parts of `name` are one of `stems`."""
    parts = name.split(os.sep)
    return any(os.path.join(*parts[start:]) in stems for start in range(len(parts)))


def remove(plan, inputs, sources, recipe, flags):
    """Remove what a former separation left of the songs of `plan`, [(path, outputs, ...)], which were replaced.

    `inputs` has the name of each song by its path. What is an input stays.

    Raises
    ------
    InputError
        When a file cannot be removed.
    """
    kept = {os.path.realpath(path) for path in inputs}
    several = is_batch(flags.ifile)
    page = os.path.join(flags.odir, PAGE)
    links = page_links(page)
    shown = {os.path.normpath(os.path.join(flags.odir, link)) for link in links}
    for path, outputs, *_ in plan:
        for stem in recipe.stem_names(inputs[path], (*sources, 'accompaniment'), several):
            for format in FORMATS:
                other = os.path.join(flags.odir, stem + '.' + format.lower())
                if other in outputs or os.path.realpath(other) in kept or not os.path.lexists(other):
                    continue
                if os.path.normpath(other) in shown:
                    _unlink(other)
                    logger.warning('removed %s, which belonged to the stems that are replaced', other)
                else:
                    logger.warning('%s stays beside the new stems, which it does not belong to: remove it, if it is of '
                                   'a former separation', other)
    if shown & {os.path.normpath(output) for _, outputs, *_ in plan for output in outputs}:
        for link in links:
            if link.startswith(ASSETS + '/') and os.pardir not in link.split('/'):
                with contextlib.suppress(FileNotFoundError, IsADirectoryError):
                    os.unlink(os.path.join(flags.odir, link))
        _unlink(page)
        with contextlib.suppress(OSError):   # it holds something else
            os.rmdir(os.path.join(flags.odir, ASSETS))
        if flags.report is None:
            logger.warning('removed %s, which showed the stems that are replaced: --report writes it again', page)


def page_links(page):
    """The relative paths that a page of this project leads to; none of another, and where it cannot be read."""
    try:
        with open(page, 'rb') as source:
            text = source.read(MAX_PAGE)
    except OSError:
        return set()
    if MARK not in text:
        return set()
    values = (html.unescape(value) for value in re.findall(r'="([^"]+)"', text.decode('utf-8', 'replace')))
    return {os.fsdecode(urllib.parse.unquote_to_bytes(value)) for value in values}


def _unlink(path):
    try:
        os.unlink(path)
    except OSError as error:
        raise InputError('cannot remove %s, which belongs to the stems that are replaced: %s'
                         % (path, error.strerror)) from error
