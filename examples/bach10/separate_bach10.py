# PYTHON_ARGCOMPLETE_OK
"""Separate chamber music into bassoon, clarinet, saxophone and violin with a Bach10 model.

    python separate_bach10.py -i <inputfile> -o <outputdir> [-m <path_to_model.pkl>]

Writes <input>_bassoon.wav, <input>_clarinet.wav, <input>_saxphone.wav and <input>_violin.wav, mono, at the input's
sample rate and length. Without -m, this project's deepconvsep/models/bach10_compact.pkl separates. The model tells
whether it is of the published network or of the compact one.
"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..'))

from deepconvsep import command
from deepconvsep.recipes.bach10 import SEPARATION
from deepconvsep.separation import program


def main(argv=None):
    """Separate by the flags `argv`; return the exit code."""
    return program.main(argv, 'separate_bach10.py', __doc__.split('\n')[0], SEPARATION)


if __name__ == '__main__':
    command.run(main)
