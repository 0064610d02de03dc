"""The script of the same name in examples/bach10_scoreinformed, under the name that the original's README uses."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..'))

import climate  # noqa: E402
from examples.bach10_scoreinformed.separate_bach10 import main  # noqa: E402

if __name__ == '__main__':
    climate.run(main)
