"""What is said of models: which there are, with their scores, and what a model of yours is.

A model is recognised by the number and the shapes of its arrays. Nothing is fetched and nothing of a file is run.
"""
import math
import os
import sys

from deepconvsep import command, files, recipes
from deepconvsep.errors import InputError
from deepconvsep.models import known, store


def main(argv=None, prog='deepconvsep.models'):
    """List or verify by the flags `argv`; return the exit code: 1 when a model is damaged or unknown."""
    parser = command.Parser(prog=prog, description='List the models of this project, or say what models of yours are.',
                            fromfile_prefix_chars=None)
    parser.add_arg('--verify', nargs='+', type=command.path, metavar='FILE',
                   help='models, .pkl or .npz, or names of this project\'s')
    flags = parser.parse_args(argv)
    if flags.verify:
        return describe_all(flags.verify, known.locate, prog)
    print('Models of this project, checked against the SHA-256 beside them; give them with -m, by name: %s'
          % ', '.join(known.own()))
    code = describe_all(known.own(), known.path, prog)
    print('\nModels that the authors of the original published; not part of this project, give them with -m:')
    for entry in known.PUBLISHED:
        print('\n%s\n  network   %s\n  script    %s\n  from      %s' % (
            entry.name, '\n         or '.join(map(arrays, entry.networks)), entry.script, entry.address))
    return code


def describe_all(names, locate, prog):
    """Print what the models hold; name those that cannot be used on standard error, and return the exit code.

    `locate` gives the path of a model by its name; `prog` is what the lines on standard error begin with.
    """
    code = 0
    for name in names:
        try:
            print('\n' + describe(locate(name)), flush=True)
        except InputError as error:
            sys.stderr.write('%s: error: %s\n' % (prog, command.one_line(error)))
            code = 1
    return code


def describe(path):
    """What a model holds, some lines.

    Raises
    ------
    InputError
        When it is damaged or of no known network.
    """
    loaded = store.load(path, None, 'this project')
    beside = store.settings_path(path)
    lines = [path,
             '  network   ' + arrays(loaded.network),
             '  script    ' + recipes.of_model(loaded).script,
             '  size      %.1f MB' % (os.path.getsize(path) / 1e6),
             '  SHA-256   %s, %s' % (files.sha256(path), 'as in ' + os.path.basename(beside) if loaded.settings
                                     else 'with nothing beside it to compare with')]
    if loaded.settings:
        chosen = loaded.settings
        lines.append('  settings  %s; window %s of %d samples, hop %d, %d Hz' % (
            ', '.join(chosen.sources), chosen.window, chosen.frame_size, chosen.hop_size, chosen.sample_rate))
    lines += scores(loaded)
    return command.one_line(lines[0]) + '\n' + '\n'.join(lines[1:])


def scores(loaded):
    """The lines about how well a model separates, as it was recorded beside it; [] where nothing was."""
    recorded = loaded.training.get('scores')
    try:
        lines = ['%s %.1f dB (the mixture itself %.1f, the ideal mask %.1f)' % (
            source, *(recorded[method][source]['SDR'] for method in ('model', 'mixture', 'ideal_ratio_mask')))
            for source in loaded.settings.sources]
    except (TypeError, KeyError, AttributeError):
        return []
    return ['  SDR       on %s:' % command.one_line(loaded.training.get('test_data', 'its test data'))] + [
        '            ' + line for line in lines]


def arrays(network):
    """The name of a network and how many arrays and numbers it has.

    >>> from deepconvsep.network.architecture import DSD100
    >>> arrays(DSD100)
    'DSD100 network, 15 arrays, 475,482 parameters'
    """
    shapes = network.param_shapes()
    total = sum(math.prod(shape) for shape in shapes)
    return '%s, %d arrays, %s parameters' % (network.name, len(shapes), format(total, ','))

