# PYTHON_ARGCOMPLETE_OK
"""Evaluate separated Bach10 Sibelius renderings: BSS Eval sources on whole files.

    python -m evaluation.Bach10_eval_only_original --db Bach10Sibelius --estimates output

References: ``<db>/[Source separation/]<piece>/<piece>_<case>_<bassoon|clarinet|saxophone|violin>.wav``, saxphone or
saxophone, with the cases gt, fast, slow, original. Estimates: ``<estimates>/[<method>/]<piece>_<case>_<source>.wav``,
as the training and the separate scripts write them. A case of which a method has no estimate at all is not evaluated.
Results: ``<output>/<method>/<piece>_<case>_results.mat``, as in the original, and ``.json``.
"""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from deepconvsep import command
from deepconvsep.metrics import program
from evaluation import Bach10_eval_only
from examples.bach10 import recipe

CASES = Bach10_eval_only.CASES


def main(argv=None):
    flags = program.parser(
        'Evaluate separated Bach10 Sibelius renderings (BSS Eval sources, whole files).',
        db='the Bach10 Sibelius data set, or its folder "Source separation"',
        estimates='folder with a sub-folder per method, or with the estimates of one method',
        output='where the results go, a sub-folder per method (default: beside the estimates)')
    flags.add_arg('--case', nargs='+', choices=CASES, default=list(CASES), help='only these renderings')
    args = flags.parse_args(argv)
    root = recipe.piece_folder(args.db, 'Source separation')
    references = {piece: {case: dict(zip(recipe.INSTRUMENTS, recipe.sibelius_paths(root, piece, case, check=False)))
                          for case in CASES} for piece in recipe.pieces(root)}
    return Bach10_eval_only.evaluate(args, references, '_', 'Bach10_eval_only', args.case)


if __name__ == '__main__':
    command.run(main)
