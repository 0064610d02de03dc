"""The command line that the training scripts share: features to a model, and the test songs separated with it."""
import contextlib
import dataclasses
import gc
import os
import random

from deepconvsep import command, files, lock
from deepconvsep.data.reading import TAG
from deepconvsep.errors import InputError, UsageError
from deepconvsep.models import store
from deepconvsep.separation import program
from deepconvsep.training import checkpoint, features

logger = command.get_logger('train')

#: Flags that a separation has no use for.
OF_TRAINING = ('nepochs', 'nepochs_adam', 'optimizer', 'learning_rate', 'output_bias', 'seed', 'nsamples',
               'batch_memory', 'nprocs', 'checkpoint_minutes')

WHEN_OTHER = 'give --load a model of the network that the flags ask for, or the flags that ask for its network'


def parser(prog, description, defaults):
    """The flags of a training script; `defaults` replaces defaults by name and must have ``feature_path``.

    ``keep_best`` among them is as in :class:`deepconvsep.training.run.Run`.
    """
    flags = command.Parser(prog=prog, description=description)
    add = flags.add_arg
    add('--db', type=command.path, required=True, help='folder of the dataset')
    add('--feature_path', type=command.path, help='folder of the features')
    add('--output', type=command.path, default=None, help='folder for models/ and output/ (default: the dataset\'s)')
    add('--model', default='model',
        help='name of the model: <output>/models/model_<name>.pkl, or model_<name>_<style>.pkl of features with styles')
    add('--nepochs', type=command.non_negative_int, default=40, help='epochs')
    add('--time_context', type=command.positive_int, default=30, help='frames that the network sees')
    add('--overlap', type=command.non_negative_int, default=25, help='frames that successive windows share')
    add('--batch_size', type=command.positive_int, default=32, help='windows per step')
    add('--batch_memory', type=command.positive_int, default=200, help='batches in memory at a time')
    add('--nprocs', type=command.positive_int, default=2, help='threads that read features ahead')
    add('--scale_factor', type=command.positive_float, default=0.3, help='magnitudes are multiplied by it')
    add('--output_bias', type=command.positive_float, default=None, metavar='VALUE',
        help='start the outputs\' biases here (default: at 0, as in the original): all masks learn from the first step')
    add('--seed', type=command.non_negative_int, default=0, help='of initial weights, order and masks\' noise')
    add('--validation', type=command.share, default=0., metavar='SHARE',
        help='share of the songs to hold out; the best epoch on them is kept')
    add('--nsamples', type=command.non_negative_int, default=0,
        help='use only so many of the feature files, drawn by the seed; 0: all')
    add('--load', type=command.path, default='0', metavar='MODEL',
        help='start from the weights of this model; 1: of the model of this name, which is replaced; 0: anew')
    add('--resume', action='store_true', help='continue an interrupted run')
    add('--overwrite', action='store_true', help='start anew where a run of this name exists')
    add('--checkpoint_minutes', type=command.positive_float, default=10., help='time between checkpoints in an epoch')
    add('--skip_train', action='store_true', help='only separate the songs of the dataset, with the model there is')
    add('--skip_sep', action='store_true', help='do not separate the songs of the dataset after training')
    add('--quiet', action='store_true', help='no progress')
    flags.set_defaults(keep_best=False, learning_rate=None)
    flags.set_defaults(**defaults)
    return flags


def main(argv, parser, recipe):
    """Train on one folder of features by the flags `argv`; return the exit code. See :func:`run`."""
    flags = parser.parse_args(argv)
    return run(flags, recipe, [flags.feature_path.replace('<db>', flags.db, 1)])


def run(flags, recipe, feature_paths, **at_test):
    """Train, and separate the test songs.

    Parameters
    ----------
    flags : argparse.Namespace
        Flags of :func:`parser`, and those that the recipe reads.
    recipe : deepconvsep.recipe.Recipe
    feature_paths : list of str
        Folders of the features.
    **at_test
        Settings that differ when the test songs are separated.

    Returns
    -------
    int
        The exit code.
    """
    command.enable_default_logging()
    if flags.overlap >= flags.time_context:
        raise UsageError('--overlap is %d, expected less than --time_context %d' % (flags.overlap, flags.time_context))
    if flags.resume and flags.overwrite:
        raise UsageError('--resume continues a run and --overwrite starts it anew: give one of them')
    if os.path.basename(flags.model) != flags.model or flags.model.strip() in ('', os.curdir, os.pardir):
        raise UsageError('--model is %r, expected a name without folders' % flags.model)
    if flags.seed >= 2 ** 32:
        raise UsageError('--seed is %d, expected a whole number, 0 to %d' % (flags.seed, 2 ** 32 - 1))
    refuse_idle(flags)
    if not os.path.isdir(flags.db):
        raise InputError('the dataset %s is not a folder that can be read: check --db' % flags.db)
    if flags.output_bias and flags.load != '0':
        raise UsageError('--output_bias is for a training from the start, not with --load: give one of them')
    output = flags.output or flags.db
    network = recipe.network(flags)
    if not flags.skip_train and not sum(epochs for _, epochs in recipe.phases(flags)):
        raise UsageError('--nepochs 0 trains nothing, expected 1 or more')
    if network.smallest < 1:
        raise UsageError('--time_context %d is too short for the %s' % (flags.time_context, network.name))
    songs = [] if flags.skip_sep else recipe.test_songs(flags)
    if not songs and not flags.skip_sep:
        raise InputError('%s holds no songs to separate: check --db, or give --skip_sep' % flags.db)
    settings = recipe.settings_for(flags)
    settings = dataclasses.replace(settings, scale_factor=flags.scale_factor, overlap=flags.overlap)
    model = checkpoint.model_path(output, flags.model)
    before, written = sha256_of(model), []
    try:
        if not flags.skip_train:
            train(flags, recipe, network, settings, feature_paths, os.path.join(output, 'models'))
            # What trained refers to itself, and would stay in memory: the second pass frees what compiled code held.
            gc.collect()
            gc.collect()
        return 0 if flags.skip_sep else separate_test_songs(flags, recipe, network, songs, output, written, at_test)
    finally:
        # an interruption or a song that fails leaves most of them
        if not flags.skip_train and sha256_of(model) != before:
            warn_of_stems(flags, output, written)


def sha256_of(path):
    """SHA-256 of a file; None when there is none."""
    return files.sha256(path) if os.path.exists(path) else None


def warn_of_stems(flags, output, written):
    """Say when there are stems of the model that was there before, which are not among the files `written` now."""
    of_styles = flags.model + '_original'   # what the original calls the folder of Bach10 Sibelius
    names = [flags.model] if os.path.exists(checkpoint.model_path(output, of_styles)) else [flags.model, of_styles]
    known = set(map(os.path.normpath, written))
    for folder in (os.path.join(output, 'output', name) for name in names):
        left = [path for parent, _, leaves in os.walk(folder)
                for path in (os.path.join(parent, leaf) for leaf in leaves)
                if path.endswith('.wav') and os.path.normpath(path) not in known]
        if left:
            logger.warning('%s holds stems that an earlier model of this name made: separate again with --skip_train, '
                           'or remove them: %s and %d more', folder, min(left), len(left) - 1)


def refuse_idle(flags):
    """Raise UsageError for flags that contradict --skip_train, and name those that it leaves idle."""
    if not flags.skip_train:
        return
    given = [name for name, value in (('skip_sep', flags.skip_sep), ('resume', flags.resume),
                                      ('overwrite', flags.overwrite), ('load', flags.load != '0'),
                                      ('validation', flags.validation)) if value]
    if given:
        raise UsageError('--skip_train only separates, with the model that is there: leave it out, or --%s' % given[0])
    idle = [name for name in OF_TRAINING if name in flags.given]
    if idle:
        logger.warning('--skip_train only separates: --%s of no effect',
                       ', --'.join(idle) + (' is' if len(idle) == 1 else ' are'))


def train(flags, recipe, network, settings, feature_paths, folder):
    """Train, or go on training, the model of the flags."""
    for path in feature_paths:
        if not os.path.isdir(path):
            raise InputError('there is no folder of features %s: compute them first, or check --feature_path' % path)
    data, held_out, names = split(flags, recipe, feature_paths, settings)
    features.refuse_unfit(list(filter(None, (data, held_out))), feature_paths, settings, network.feat_size)
    features.warn_of_removed(features.records(data.feature_paths()),
                             list(filter(None, (flags.db, getattr(flags, 'dbs', None)))))
    if recipe.songs:
        with contextlib.suppress(InputError):   # of a folder that only has to be one when nothing is separated
            features.warn_of_missing(recipe.songs(flags), feature_paths, flags.db)
    features.warn_of_few(data, flags)
    run_paths = checkpoint.run_paths(folder, flags.model)
    paths = [run_paths[what] for what in ('checkpoint', 'model')]
    source = {'0': None, '1': paths[1]}.get(flags.load, flags.load)
    if flags.load == '1' and flags.resume and os.path.exists(paths[0]):
        source = None   # the run that is resumed had it already
    # in a list that is emptied by who uses it: they take up to 856 MB
    initial = [store.load(source, (network,), 'this training', WHEN_OTHER).params] if source else []
    if initial and [param.shape for param in initial[0]] != network.param_shapes():
        sizes = ['--%s' % name for name in ('time_context', 'bottleneck') if hasattr(flags, name)]
        raise UsageError('--load %s does not fit the network of the flags: give the %s that it was trained with'
                         % (source, ' and '.join(sizes)))
    files.make_folder(folder)
    with lock.hold(run_paths['lock'], '%s is being trained' % paths[1], 'choose another --model or --output'):
        refuse_existing(flags, paths)
        train_on(flags, recipe, network, settings, folder, data, held_out, names, initial)
    for part in filter(None, (data, held_out)):
        part.close()


def refuse_existing(flags, paths):
    """Raise InputError when a run of this name would be replaced without being asked for."""
    stored = [path for path in paths if os.path.exists(path)]
    if flags.resume and stored == paths[1:] and flags.load != '1':
        raise InputError('%s exists, but %s does not: restore that to continue the run, or give --overwrite to start '
                         'anew, or another --model' % (paths[1], paths[0]))
    if stored and not (flags.resume or flags.overwrite or flags.load == '1'):
        raise InputError('%s exists: give --resume to continue that run, --overwrite to start anew, or another --model'
                         % stored[0])


def train_on(flags, recipe, network, settings, folder, data, held_out, names, initial):
    """Compile, resume, and train to the end: on `data`, and beside `held_out`, the songs called `names`."""
    from deepconvsep.backend.prepare import prepare
    prepare(seconds=45)
    from deepconvsep.training.run import Run
    files.remove_leftovers(folder, map(os.path.basename, checkpoint.run_paths(folder, flags.model).values()))
    terms_settings = dataclasses.replace(settings, mask_eps=recipe.training_eps)
    optimizers, epochs = zip(*recipe.phases(flags))
    run = Run(folder, flags.model, network, terms_settings, recipe.loss, data, held_out, flags.seed,
              optimizers=optimizers, keep_best=flags.keep_best, minutes=flags.checkpoint_minutes, quiet=flags.quiet,
              params=initial.pop() if initial else None, held_out=names, output_bias=flags.output_bias or 0.,
              learning_rate=flags.learning_rate)
    if flags.resume and run.resume():
        logger.info('resuming at epoch %d, batch %d', data.epoch + 1, data.state()['batch'] + 1)
    else:
        if flags.resume:
            logger.info('there is no checkpoint to resume: starting anew')
        run.start_anew()
    logger.info('%s: %d windows of %d frames in %d files, %d batches of %d an epoch, seed %d', network.name,
                data.total_points, network.time_context, len(data.file_list), len(data), data.batch_size, flags.seed)
    run.run(*epochs)


def split(flags, recipe, feature_paths, settings):
    """The training data and, with --validation, the songs that are held out (else None), and the names of these."""
    kind, options = recipe.dataset(flags)

    def load(nsamples=flags.nsamples, **more):
        return kind(feature_paths, batch_size=flags.batch_size, batch_memory=flags.batch_memory,
                    time_context=flags.time_context, overlap=flags.overlap, nprocs=flags.nprocs,
                    mult_factor_in=settings.scale_factor, mult_factor_out=settings.scale_factor,
                    nsources=len(settings.sources), tensortype='float32', seed=flags.seed, nsamples=nsamples,
                    **options, **more)
    if not flags.validation:
        return load(), None, []
    names = load(nsamples=0).file_list
    songs = sorted(set(map(recipe.song_of, names)))
    count = round(flags.validation * len(songs))
    if not 0 < count < len(songs):
        raise UsageError('--validation %g of %d songs holds out %d, expected at least one and not all'
                         % (flags.validation, len(songs), count))
    held_out = set(random.Random(flags.seed).sample(songs, count))
    logger.info('held out: %s', ', '.join(sorted(held_out)))
    # file by file: a song's name would exclude those that go on behind it as well
    parts = ([name[:-len(TAG)] for name in names if (recipe.song_of(name) in held_out) == held]
             for held in (True, False))
    return *(load(exclude_list=part) for part in parts), sorted(held_out)


def refuse_others(flags, made_with, path):
    """Raise UsageError for a flag that is not what the model that is there was made with."""
    for name in ('overlap', 'scale_factor', 'time_context'):
        if name in flags.given and getattr(flags, name) != made_with[name]:
            raise UsageError('--%s is %s, and %s was made with %s: leave it out with --skip_train'
                             % (name, getattr(flags, name), path, made_with[name]))


def refuse_another_network(flags, network, loaded):
    """Raise UsageError for flags that ask for another network than that of the model that is there."""
    given = [name for name in ('network', 'pool', 'function', 'legacy', 'independent_other', 'bottleneck')
             if name in flags.given]
    differs = any(getattr(network, name, None) != getattr(loaded.network, name, None)
                  for name in ('name', 'decoders', 'outputs', 'pool', 'hidden'))
    if given and differs:
        raise UsageError('--%s asks for another network than the %s, which %s holds: leave it out with --skip_train'
                         % (given[0], loaded.network.name, loaded.path))


def separate_test_songs(flags, recipe, network, songs, output, written, at_test):
    """Separate mixtures with the trained model; `network`, `songs` and `at_test` as in :func:`run`.

    The list `written` gets the files, as they are complete.
    """
    loaded = store.load(checkpoint.model_path(output, flags.model), recipe.networks, 'this script')
    if loaded.settings is None:
        logger.warning('%s is missing: the settings of this script are assumed', store.settings_path(loaded.path))
    own = {name: getattr(flags, name) for name in ('overlap', 'scale_factor') if name in flags.given}
    if flags.skip_train:
        refuse_another_network(flags, network, loaded)
    if flags.skip_train and loaded.settings is not None:
        refuse_others(flags, {**loaded.settings.to_dict(), 'time_context': loaded.network.time_context}, loaded.path)
    settings = loaded.settings or dataclasses.replace(recipe.settings, **own)
    settings = dataclasses.replace(settings, mask_eps=recipe.settings.mask_eps, **at_test)
    plan = [(source, [os.path.join(output, 'output', stem + '.wav') for stem in stems]) for source, stems in songs]
    plan, failures = program.readable(plan, recipe, settings, flags)

    from deepconvsep.separation import engines
    from deepconvsep.separation.separator import Separator
    from deepconvsep.separation.sound import separate_file
    separator = Separator(loaded.network, loaded.params, settings, flags.batch_size, engines.choose())
    for source, stems, guide in plan:
        try:
            files.make_folder(os.path.dirname(stems[0]))
            separate_file(separator, source, stems, guide, quiet=flags.quiet)
        except (InputError, OSError) as error:
            failures.append((source, error))
            continue
        written += stems
        print('\n'.join(stems), flush=True)
    return program.report(failures, len(songs))
