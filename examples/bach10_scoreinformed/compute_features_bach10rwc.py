# PYTHON_ARGCOMPLETE_OK
"""Generate training data from scores and RWC instrument samples, and compute its features and notes.

    python compute_features_bach10rwc.py --db Sibelius --rwc RWC

The sounds and their features are those of examples/bach10/compute_features_bach10rwc.py, with its flags; features that
it has made are used. Beside them go the notes that were played, <name>__g_.data, and <name>__e_.data, the same widened
by 0.2 s as for a score that is not exactly aligned; also beside those that are there but not drawn.
"""
import functools
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..'))

from deepconvsep import command
from examples.bach10 import compute_features_bach10rwc as bach10rwc
from examples.bach10_scoreinformed import notes, recipe


def main(argv=None):
    """Generate data by the flags `argv`; return the exit code."""
    parser = bach10rwc.parser(__doc__)
    notes.add_flag(parser)
    args = bach10rwc.parse(parser, argv)
    play = functools.partial(notes.render_frames, recipe.LEGACY_SETTINGS) if args.legacy else None
    return bach10rwc.generate(args, args.legacy, play, notes.notes(args, notes.of_rendering))


if __name__ == '__main__':
    command.run(main)
