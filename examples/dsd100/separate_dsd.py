# PYTHON_ARGCOMPLETE_OK
"""Separate music into vocals, bass, drums and other with a DSD100 model.

    python separate_dsd.py -i <inputfile> -o <outputdir> -m <path_to_model.pkl>

Writes vocals.wav, bass.wav, drums.wav and other.wav, mono, at the input's sample rate and length. With several
inputs, or a folder, each has a folder of its own.
"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..'))

from deepconvsep import command
from deepconvsep.recipes.dsd100 import SEPARATION
from deepconvsep.separation import program


def main(argv=None):
    """Separate by the flags `argv`; return the exit code."""
    return program.main(argv, 'separate_dsd.py', __doc__.split('\n')[0], SEPARATION)


if __name__ == '__main__':
    command.run(main)
