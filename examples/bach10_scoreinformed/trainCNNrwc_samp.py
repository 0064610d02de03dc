# PYTHON_ARGCOMPLETE_OK
"""Train a score-informed network as trainCNNrwc does, on other files in every epoch.

    python -m examples.bach10_scoreinformed.trainCNNrwc_samp --db /path/to/Bach10/Sources --dbs /path/to/Sibelius

Every epoch draws --nsamples of the feature files. Trains with Adadelta, unless --nepochs_adam is given. With --legacy
the network has one branch with an output for each source, 11 arrays. Otherwise as trainCNNrwc.
"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..'))

from deepconvsep import command
from deepconvsep.network import architecture
from examples.bach10_scoreinformed import training_flags


def main(argv=None):
    """Train by the flags `argv`; return the exit code."""
    parser = training_flags.parser('trainCNNrwc_samp.py', __doc__, {
        'model': 'CNNrwc_se1_samp', 'nsamples': 40, 'recorded': architecture.SCOREINFORMED_ONE_BRANCH,
        'every_epoch': True, 'nepochs_adam': 0})
    return training_flags.run(parser.parse_args(argv))


if __name__ == '__main__':
    command.run(main)
