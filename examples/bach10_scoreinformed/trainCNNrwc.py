# PYTHON_ARGCOMPLETE_OK
"""Train a score-informed network on pieces made of RWC instrument samples, and separate Bach10 with it.

    python -m examples.bach10_scoreinformed.trainCNNrwc --db /path/to/Bach10/Sources --dbs /path/to/Sibelius

Reads the features and notes of compute_features_bach10rwc, or those of compute_features_bach10: pieces as they are.
Trains with Adadelta and then, from the best epoch on, a fifth as many epochs with Adam; the best epoch is kept. The
name of the model gets _x with --function build_ca_1x1, the timing, _gt or _original, unless the pieces are as they are,
and _tm with a timbre model. Writes <output>/models/model_<model>.pkl and
<output>/output/<model>/<piece>-<source>.wav: Bach10 separated with the scores <instrument>_b.txt of each piece.
"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..'))

from deepconvsep import command
from deepconvsep.network import architecture
from examples.bach10_scoreinformed import training_flags


def main(argv=None):
    """Train by the flags `argv`; return the exit code."""
    parser = training_flags.parser('trainCNNrwc.py', __doc__, {
        'model': 'CNNrwc_se1', 'recorded': architecture.SCOREINFORMED, 'every_epoch': False, 'keep_best': True,
        'nepochs_adam': None})
    return training_flags.run(parser.parse_args(argv))


if __name__ == '__main__':
    command.run(main)
