# PYTHON_ARGCOMPLETE_OK
"""Train the Bach10 network on Bach10 itself (the experiment "Oracle") and separate Bach10 with it.

    python -m examples.bach10.trainCNNbach10 --db /path/to/Bach10/Sources --output /output

Reads the features of compute_features_bach10. Training and test pieces are the same: the result is an upper bound.
Writes <output>/models/model_<model>.pkl and <output>/output/<model>/<piece>-<source>.wav, and with --dbs the pieces of
Bach10 Sibelius, <output>/output/<model>_original/<piece>_<style>_<source>.wav.
"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..'))

from deepconvsep import command
from examples.bach10 import training_flags


def main(argv=None):
    """Train by the flags `argv`; return the exit code."""
    defaults = {'model': 'CNNbach10', 'nepochs': 20, 'feature_path': '<db>/transforms/t3'}
    flags = training_flags.parser('trainCNNbach10.py', __doc__, defaults, unused=('gt', 'original')).parse_args(argv)
    return training_flags.run(flags, lambda folder: [folder])


if __name__ == '__main__':
    command.run(main)
