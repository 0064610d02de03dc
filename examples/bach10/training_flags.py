"""What the three training scripts share, on top of :mod:`deepconvsep.training.program`."""
import os

from deepconvsep import command, process
from deepconvsep.errors import InputError, UsageError
from deepconvsep.network import architecture
from deepconvsep.training import program
from examples.bach10 import recipe

logger = command.get_logger('train')

#: What --network may be, and what its help says of each.
NETWORKS = {'published': '214 million parameters', 'compact': '0.7 million'}


def parser(prog, description, defaults, unused=(), dbs='folder of Bach10 Sibelius, whose pieces are separated too',
           networks=NETWORKS):
    """The flags of a training script.

    Parameters
    ----------
    prog, description : str
        For the help; of the description, the first line.
    defaults : dict
        Defaults by name; ``feature_path`` may refer to ``<db>`` or ``<dbs>``.
    unused : tuple of str
        Switches that the original's script takes and does not read.
    dbs : str
        Help of --dbs.
    networks : dict
        As NETWORKS.
    """
    made = program.parser(prog, description.split('\n')[0], dict(defaults, nprocs=process.spare_cores()))
    made.add_arg('--dbs', type=command.path, default=None, help=dbs)
    made.add_arg('--network', choices=tuple(networks), default='published',
                 help='; '.join('%s: %s' % item for item in networks.items()))
    made.add_arg('--bottleneck', type=command.positive_int, default=None, metavar='UNITS',
                 help='units between encoder and decoders (default: %d, compact: %d)'
                      % (architecture.BACH10.hidden, architecture.BACH10_COMPACT.hidden))
    made.add_arg('--nepochs_adam', type=command.non_negative_int, default=defaults.get('nepochs_adam', 0),
                 help='epochs with Adam, from the best epoch on%s'
                      % ('; default: a fifth of --nepochs' if defaults.get('nepochs_adam', 0) is None else ''))
    made.add_arg('--learning_rate', type=command.positive_float, default=None, help='of Adam (default: 0.001)')
    made.add_arg('--scale_factor_test', type=command.positive_float, default=recipe.SCALE_FACTOR_TEST,
                 help='as --scale_factor, when the test songs are separated')
    made.add_arg('--skip', type=command.switch, dest='skip_train', default=False, metavar='0|1',
                 help='1: the same as --skip_train')
    for name in unused:
        made.add_arg('--' + name, type=command.switch, default=None, metavar='0|1',
                     help='without effect, as in the original')
    made.set_defaults(unused=unused)
    return made


def run(flags, folders, recipe=recipe.RECIPE):
    """Train and separate the test songs.

    Parameters
    ----------
    flags : argparse.Namespace
        Its `feature_path` is replaced by the folder that it stands for.
    folders : callable
        Gives the folders that hold feature files, when it is called with the folder --feature_path.
    recipe : deepconvsep.recipe.Recipe

    Returns
    -------
    int
        The exit code.
    """
    command.enable_default_logging()
    for name in flags.unused:
        if getattr(flags, name) is not None:
            logger.warning('--%s has no effect in this script', name)
    if flags.dbs and not os.path.isdir(flags.dbs):
        raise InputError('--dbs %s is not a folder, expected that of Bach10 Sibelius' % flags.dbs)
    if flags.skip_sep and 'scale_factor_test' in flags.given:
        raise UsageError('--scale_factor_test is for the separation of the test songs: leave it out, or --skip_sep')
    paths = []
    if not flags.skip_train:
        if '<dbs>' in flags.feature_path and not flags.dbs:
            raise UsageError('the features are in %s: give --dbs, or --feature_path' % flags.feature_path)
        flags.feature_path = flags.feature_path.replace('<dbs>', flags.dbs or '', 1).replace('<db>', flags.db, 1)
        paths = folders(flags.feature_path)
    return program.run(flags, recipe, paths, scale_factor=flags.scale_factor_test)
