# PYTHON_ARGCOMPLETE_OK
"""Evaluate separated Bach10 Sibelius renderings: BSS Eval sources on whole files.

    python -m evaluation.Bach10_eval_only_original --db Bach10Sibelius --estimates output

References: ``<db>/[Source separation/]<piece>/<piece>_<case>_<bassoon|clarinet|saxophone|violin>.wav`` with the cases
gt, fast, slow, original. Estimates: ``<estimates>/[<method>/]<piece>_<case>_<source>.wav``, as the training and the
separate scripts write them. A case of which a method has no estimate at all is not evaluated. Results:
``<output>/<method>/<piece>_<case>_results.mat``, as in the original, and ``.json``.
"""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from deepconvsep import command
from deepconvsep.metrics import program, stems
from evaluation import Bach10_eval_only

SOURCES = ('bassoon', 'clarinet', 'saxophone', 'violin')
CASES = Bach10_eval_only.CASES


def main(argv=None):
    flags = program.parser(
        'Evaluate separated Bach10 Sibelius renderings (BSS Eval sources, whole files).',
        db='the Bach10 Sibelius data set, or its folder "Source separation"',
        estimates='folder with a sub-folder per method, or with the estimates of one method',
        output='where the results go, a sub-folder per method (default: beside the estimates)')
    flags.add_arg('--case', nargs='+', choices=CASES, default=list(CASES), help='only these renderings')
    args = flags.parse_args(argv)
    inside = os.path.join(args.db, 'Source separation')
    root = inside if os.path.isdir(inside) else args.db
    pieces = [name for name in stems.folders(root, 'the Bach10 Sibelius data set') if name[:1].isdigit()]
    references = {piece: {case: {source: os.path.join(root, piece, '%s_%s_%s.wav' % (piece, case, source))
                                 for source in SOURCES} for case in CASES} for piece in pieces}
    return Bach10_eval_only.evaluate(args, references, '_', 'Bach10_eval_only', args.case)


if __name__ == '__main__':
    command.run(main)
