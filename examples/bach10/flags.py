"""Flags that the scripts which compute features share."""
import os

from deepconvsep import command
from deepconvsep.errors import UsageError


def parser(description, prog, folder):
    """A parser with the common flags; `folder` is the default of --feature_path, below the data set."""
    made = command.Parser(prog=prog, description=description.split('\n')[0])
    made.add_arg('--feature_path', help='folder for the features', default='<db>/%s' % folder)
    made.add_arg('--nprocs', type=command.positive_int, default=max(1, (os.cpu_count() or 2) - 1),
                 help='number of processes')
    made.add_arg('--dtype', choices=['float64', 'float32'], default='float64',
                 help='of the features: float64 as in the original, or float32 for half the size')
    made.add_arg('--quiet', action='store_true', help='no progress, only warnings')
    return made


def parse(made, argv, *folders):
    """Parse the command line, check that the `folders` exist, start logging."""
    args = made.parse_args(argv)
    command.enable_default_logging('WARNING' if args.quiet else 'INFO')
    for name in folders:
        if not os.path.isdir(getattr(args, name)):
            raise UsageError('--%s %s: there is no such folder' % (name, getattr(args, name)))
    args.feature_path = args.feature_path.replace('<db>', args.db, 1)
    return args
