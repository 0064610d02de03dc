# PYTHON_ARGCOMPLETE_OK
"""Train the iKala network on features made by compute_features, and separate the clips with it.

    python -m examples.ikala.trainCNN --db /path/to/iKala

Writes <output>/models/model_<model>.pkl and <output>/output/<model>/<clip>-voice.wav and -music.wav.
"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..'))

from deepconvsep import command
from deepconvsep.training import program
from examples.ikala import recipe


def main(argv=None):
    """Train by the flags `argv`; return the exit code."""
    flags = program.parser('trainCNN.py', __doc__.split('\n')[0],
                           {'model': 'fft_1024', 'overlap': 20, 'feature_path': '<db>/transforms/t1'})
    flags.add_arg('--pool', type=command.switch, default=True, metavar='0|1',
                  help='max-pooling over frequency, as in the published model; 0: the network of the original\'s '
                       'training script, which its separation script cannot use')
    flags.add_arg('--network', choices=('published', 'compact'), default='published',
                  help='published: see --pool; compact: a convolution over all bins, as in the LVA/ICA paper, 0.4 '
                       'million parameters')
    flags.add_arg('--optimizer', choices=('adadelta', 'adam'), default='adadelta',
                  help='adadelta, with which the original trained, or adam')
    flags.add_arg('--learning_rate', type=command.positive_float, default=None, help='of adam (default: 0.001)')
    return program.main(argv, flags, recipe.RECIPE)


if __name__ == '__main__':
    command.run(main)
