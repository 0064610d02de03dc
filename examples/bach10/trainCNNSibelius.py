# PYTHON_ARGCOMPLETE_OK
"""Train the Bach10 network on Bach10 Sibelius, synthesized pieces, and separate Bach10 with it.

    python -m examples.bach10.trainCNNSibelius --db /path/to/Bach10/Sources --dbs /path/to/Sibelius --output /output

Reads the features of compute_features_bach10sibelius, made with the same --gt. The style, gt or original, is appended
to the name of the model. Writes <output>/models/model_<model>_<style>.pkl and
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
    defaults = {'model': 'CNNsibelius', 'nepochs': 40, 'feature_path': '<dbs>/transforms/t3_synth_aug_more'}
    parser = training_flags.parser('trainCNNSibelius.py', __doc__, defaults)
    parser.add_arg('--gt', type=command.switch, default=True, metavar='0|1',
                   help='1: the timing of the recordings; 0: the timing of the score, in three tempi')
    flags = parser.parse_args(argv)
    flags.model += '_gt' if flags.gt else '_original'
    styles = ['gt'] if flags.gt else recipe.TEMPI
    return training_flags.run(flags, lambda folder: [os.path.join(folder, style) for style in styles])


if __name__ == '__main__':
    command.run(main)
