"""`results`: runs on record, looked at and thinned out."""

import argparse

from lra.cli.options import PROGRAM, Parser, add, add_of_records


def parser() -> Parser:
    made = Parser(
        f"{PROGRAM} results",
        "Runs on record: listed, shown, removed. To bring runs of another folder here, copy "
        "theirs; to read them where they are, --results A B.",
    )
    made.set_defaults(what=None, help=made.format_help)
    commands = made.add_subparsers(dest="what", metavar="list|show|rm")
    about = "what is on record, a line a run"
    listed = commands.add_parser("list", help=about, description=f"Lists {about}.")
    add_of_records(listed)
    add(listed, "--attn", required=False, help="default: all")
    add(listed, "--protocol", nargs="+", metavar="NAME", default=None, help="default: all")
    add(listed, "--seed", default=None, help="default: all")
    about = "everything that is on record of a run"
    show = commands.add_parser("show", help=about, description=f"Shows {about}.")
    add(show, "run", "--json")
    about = "runs with their checkpoints and logs"
    rm = commands.add_parser(
        "rm",
        help=f"delete {about}",
        description=f"Asks, then deletes {about}: of --results, in folders without other files.",
    )
    add(rm, "run", nargs="+")
    add(rm, "--yes")
    for command in (show, rm):
        add(command, "--results", "--plugin")
    return made


def carry_out(options: argparse.Namespace) -> int:
    if options.what is None:
        print(options.help(), end="")
        return 2
    from lra.cli.results.commands import COMMANDS

    return COMMANDS[options.what](options)
