# PYTHON_ARGCOMPLETE_OK
"""The command ``deepconvsep``, also as ``python -m deepconvsep``.

    deepconvsep separate song.wav -o stems -m MODEL
    deepconvsep models
"""
import argparse
import dataclasses
import os
import sys

from deepconvsep import command
from deepconvsep.errors import UsageError

EPILOG = """examples:
  deepconvsep separate song.wav -o stems
  deepconvsep separate songs/ -o stems -m model_dsd_fft_1024.pkl --report
  deepconvsep models --verify model_dsd_fft_1024.pkl

"deepconvsep COMMAND --help" shows the flags of each."""


def main(argv=None):
    """Run the command that the first argument names; return its exit code."""
    argv = sys.argv[1:] if argv is None else argv
    parser = command.Parser(prog='deepconvsep', description='Separate music into its sources.', epilog=EPILOG,
                            fromfile_prefix_chars=None, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_arg('command', choices=sorted(COMMANDS), metavar='COMMAND',
                   help='separate: sound files into stems; models: list those that are here, or verify yours')
    name = command_to_complete() or parser.parse_args(argv[:1]).command
    return COMMANDS[name](argv[1:])


def command_to_complete():
    """The command whose flags the shell wants to have completed; None when it wants another thing, or nothing."""
    if '_ARGCOMPLETE' not in os.environ:
        return None
    place = int(os.environ['_ARGCOMPLETE'])   # of the program among the words of the line, counted from 1
    line = os.environ.get('COMP_LINE', '')
    words = line.split() + [''] * line.endswith(' ')
    if len(words) < place + 2 or words[place] not in COMMANDS:
        return None
    os.environ['_ARGCOMPLETE'] = str(place + 1)   # to argcomplete the command is the program
    return words[place]


def separate(argv):
    """Separate files; the model says into what. Returns the exit code."""
    from deepconvsep import recipes
    from deepconvsep.models import known, store
    from deepconvsep.recipes import bach10_scoreinformed
    from deepconvsep.separation import program
    every = dataclasses.replace(bach10_scoreinformed.SEPARATION, sources=('the first source',),
                                default_model=recipes.DEFAULT_MODEL)
    flags = program.parser('deepconvsep separate', 'Separate music into its sources.', every, ('ifile',),
                           epilog='--scores, --score_*, --timbre_model_path, --confine and --method nmf are for '
                           'score-informed models, --method network+nmf is for those of chorales.'
                           ).parse_args(argv)
    inputs = program.start(flags)
    loaded = store.load(known.locate(flags.mfile), None, 'deepconvsep')
    recipe = recipes.of_model(loaded)
    if flags.mfile == recipes.DEFAULT_MODEL:
        program.logger.warning('%s separates, into %s; for other music give another model with -m ("deepconvsep '
                               'models" lists them)', flags.mfile, ', '.join(recipe.sources))
    elif recipe.default_note and flags.mfile == recipe.default_model:
        program.logger.warning('%s', recipe.default_note)
    if recipe.guide is not every.guide:
        refuse_score_flags(flags, every, loaded)
    if flags.method not in recipe.methods:
        raise UsageError('--method is %s, and %s has the %s, expected %s: choose that, or give another model'
                         % (flags.method, loaded.path, loaded.network.name, ' or '.join(recipe.methods)))
    return program.run(flags, inputs, recipe, loaded, ['deepconvsep', 'separate'], argv)


def refuse_score_flags(flags, recipe, loaded):
    """Raise UsageError when flags of score-informed models are given for another one."""
    own = command.Parser(version=False)
    recipe.add_separation_flags(own)
    for name in vars(own.parse_args([])):
        if name in flags.given:
            raise UsageError('--%s is for score-informed models, and %s has the %s: leave it out, or give another model'
                             % (name, loaded.path, loaded.network.name))


def models(argv):
    """List or verify models; return the exit code."""
    from deepconvsep.models import listing
    return listing.main(argv, 'deepconvsep models')


COMMANDS = {'separate': separate, 'models': models}


def entry():
    """What the installed command calls."""
    command.run(main)


if __name__ == '__main__':
    entry()
