"""The script of the same name in examples/bach10_scoreinformed, under the folder of the original's README."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..'))

from deepconvsep import command
from examples.bach10_scoreinformed.compute_timbre_model import main

if __name__ == '__main__':
    command.run(main)
