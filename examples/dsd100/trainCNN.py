# PYTHON_ARGCOMPLETE_OK
"""Train the DSD100 network on features made by compute_features, and separate the dataset with it.

    python -m examples.dsd100.trainCNN --db /path/to/DSD100

Writes <output>/models/model_<model>.pkl and <output>/output/<model>/{Dev,Test}/<song>/<source>.wav.
"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..'))

from deepconvsep import command
from deepconvsep.training import program
from examples.dsd100 import recipe


def main(argv=None):
    """Train by the flags `argv`; return the exit code."""
    flags = program.parser('trainCNN.py', __doc__.split('\n')[0],
                           {'model': 'dsd_fft_1024', 'feature_path': '<db>/transforms/t1'})
    flags.add_arg('--independent_other', action='store_true',
                  help='decode "other" by a branch of its own; the published network decodes it by that of "bass"')
    return program.main(argv, flags, recipe.RECIPE)


if __name__ == '__main__':
    command.run(main)
