# PYTHON_ARGCOMPLETE_OK
"""Train the Bach10 network on pieces made of RWC instrument samples, and separate Bach10 with it.

    python -m examples.bach10.trainCNNrwc --db /path/to/Bach10/Sources --dbs /path/to/Sibelius --output /output

Reads the features of compute_features_bach10rwc, made with the same --original, of every piece in --feature_path. The
style, original or gt, is appended to the name of the model. Writes <output>/models/model_<model>_<style>.pkl and
<output>/output/<model>_<style>/<piece>-<source>.wav, and with --dbs the pieces of Bach10 Sibelius,
<output>/output/<model>_<style>_original/<piece>_<tempo>_<source>.wav.
"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..'))

from deepconvsep import command
from examples.bach10 import recipe, training_flags


def main(argv=None):
    """Train by the flags `argv`; return the exit code."""
    defaults = {'model': 'CNNrwc', 'nepochs': 20, 'feature_path': '<dbs>/transforms/t3_rwc'}
    parser = training_flags.parser('trainCNNrwc.py', __doc__, defaults, unused=('gt',))
    parser.add_arg('--original', type=command.switch, default=True, metavar='0|1',
                   help='1: the timing of the score; 0: the timing of the recordings')
    flags = parser.parse_args(argv)
    style = 'original' if flags.original else 'gt'
    flags.model += '_' + style
    return training_flags.run(flags, lambda folder: [os.path.join(folder, piece, style)
                                                     for piece in recipe.pieces(folder)])


if __name__ == '__main__':
    command.run(main)
