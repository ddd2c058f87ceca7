"""`needle continue`."""

from __future__ import annotations

import click

from needle.cli.base import Command, Shell, json_option, pass_shell
from needle.cli.searches.one import ended, show
from needle.cli.values import Id

PATIENT_S = 600.0
EXAMPLES = """
needle continue JOB_ID             # `needle search` names it where time ran out
needle continue JOB_ID --json
"""


@click.command(
    "continue",
    cls=Command,
    short_help="Continue a search that ran out of time.",
    examples=EXAMPLES,
)
@click.argument("job_id", type=Id())
@json_option
@pass_shell
def continue_(shell: Shell, job_id: str, as_json: bool) -> int:
    """Continue a search that ran out of time, and show its result.

    It asks the same once more and takes the time that it needs. Ends with 3 where the search had
    time for all that it looked at.
    """
    with shell.connect() as needle:
        result = needle.continue_search(job_id, timeout_s=PATIENT_S)
    show(shell, result, as_json=as_json)
    return ended(result)
