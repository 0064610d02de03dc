# PYTHON_ARGCOMPLETE_OK
"""Separate singing voice and accompaniment with an iKala model.

    python separate_ikala.py -i <inputfile> -o <outputdir> [-m <path_to_model.pkl>]

Writes <input>-voice.wav and <input>-music.wav, mono, at the input's sample rate and length. The channels of a
stereo file are added, as in the iKala dataset, where each holds one source. Without -m, this project's model
ikala_frets_compact separates, which was trained to take the lead guitar out of rock: -voice.wav is the guitar then.
The model tells which network it is of.
"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..'))

from deepconvsep import command
from deepconvsep.recipes.ikala import SEPARATION
from deepconvsep.separation import program


def main(argv=None):
    """Separate by the flags `argv`; return the exit code."""
    return program.main(argv, 'separate_ikala.py', __doc__.split('\n')[0], SEPARATION)


if __name__ == '__main__':
    command.run(main)
