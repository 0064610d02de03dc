"""Feed damaged input to the readers and say what held.

    python -m tools.fuzz                              20000 cases for every reader
    python -m tools.fuzz --reader midi --cases 500    some of one
    python -m tools.fuzz --reader midi --case 123     one again, with its traceback
"""
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))

from deepconvsep import command
from tools.fuzz import harness, readers


def main(argv=None):
    flags = command.Parser(prog='python -m tools.fuzz', description=__doc__.split('\n')[0])
    flags.add_arg('--reader', nargs='+', default=list(readers.READERS), choices=list(readers.READERS),
                  help='which readers', metavar='NAME')
    flags.add_arg('--cases', type=command.positive_int, default=20000, help='cases for each')
    flags.add_arg('--first', type=command.non_negative_int, default=0, help='number of the first case')
    flags.add_arg('--seed', type=command.non_negative_int, default=0)
    flags.add_arg('--case', type=command.non_negative_int, default=None, metavar='NUMBER',
                  help='this one alone, with its traceback')
    args = flags.parse_args(argv)
    wrong = 0
    for name in args.reader:
        if args.case is not None:
            harness.again(readers.READERS[name](), args.seed, args.case)
            continue
        started = time.time()
        report = harness.run(readers.READERS[name](), args.seed, range(args.first, args.first + args.cases))
        print('%-22s %6d cases, %6d read, %6d refused, %d failed, %.0f s' % (
            name, args.cases, report.read, report.refused, len(report.failures), time.time() - started), flush=True)
        for case, what in report.failures[:20]:
            print('  case %d: %s' % (case, command.one_line(what)))
        wrong += len(report.failures)
    return 1 if wrong else 0


if __name__ == '__main__':
    command.run(main)
