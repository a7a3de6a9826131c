"""What can be typed to look after runs on record."""

from pathlib import Path

from lra.cli.parsers.shared import PROGRAM, Parser, add_results


def results_parser() -> Parser:
    parser = Parser(
        prog=f"{PROGRAM} results", description="Runs on record: listed, shown, removed, merged."
    )
    parser.set_defaults(what=None, help=parser.format_help)
    commands = parser.add_subparsers(dest="what", metavar="list|show|rm|merge")
    about = "what is on record, a line a run"
    listed = commands.add_parser("list", help=about, description=f"Lists {about}.")
    listed.add_argument("--task", nargs="+", metavar="TASK", help="default: all")
    listed.add_argument("--attn", nargs="+", metavar="SPEC", help="default: all")
    listed.add_argument("--protocol", nargs="+", metavar="NAME", help="default: all")
    listed.add_argument("--seed", nargs="+", type=int, help="default: all")
    about = "everything that is on record of a run"
    show = commands.add_parser("show", help=about, description=f"Shows {about}.")
    show.add_argument("run", metavar="RUN", help=RUN)
    show.add_argument("--json", action="store_true", help="the record itself")
    about = "delete runs with their checkpoints and logs"
    rm = commands.add_parser("rm", help=about, description=f"Asks, then {about}.")
    rm.add_argument("runs", nargs="+", metavar="RUN", help=RUN)
    rm.add_argument("--yes", action="store_true", help="do not ask")
    about = "copy the runs of other results folders, of other machines say, into one"
    merge = commands.add_parser(
        "merge",
        help=about,
        description="Copies the runs of results folders, of other machines say, into one. What is "
        "there already stays; of two records of a run both are kept, and tables count one. Merging "
        "that was cut short is repeated.",
    )
    merge.add_argument("sources", nargs="+", type=Path, metavar="DIR")
    for command in (listed, show, rm, merge):
        add_results(command)
    return parser


RUN = "its folder, or the beginning of the folder's name or of the run's identity"
