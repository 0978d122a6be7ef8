"""Subcommand fleet: accounts and kinds of jobs today, from the stored state, without network."""

import asyncio
from argparse import Namespace
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from tui.cli import text_table
from tui.cli.context import open_workspace
from tui.cli.output import OK, json_array, print_message, write_stdout
from tui.domain.fleet import FleetRow, active_counts, fleet_rows
from tui.domain.job_state import JobState
from tui.engine.api import IMPAIRED, AccountState
from tui.engine.consoles.leader_accounts import leader_accounts
from tui.engine.journal.fleet_reader import FleetReader
from tui.presentation.fleet import HEALTH_TITLE, LOWER_COLUMNS, UPPER_COLUMNS, faults_text, fleet_row
from tui.storage.workspace import Workspace

NOT_POLLED = "not polled now"
"""Text without a console that polls."""


def fleet(args: Namespace) -> int:
    """Run `fleet`: print the accounts and kinds, the worst first, as a table or as JSON."""
    with open_workspace(args) as workspace:
        states = workspace.job_states(whole_team=args.team).values()
        accounts, rows = asyncio.run(read_fleet(workspace, states, whole_team=args.team))
    if args.json:
        write_stdout(json_array(fleet_row(row, _health(row, accounts)) for row in rows))
    elif rows:
        columns = (*UPPER_COLUMNS, *LOWER_COLUMNS)
        header = (*(column.title for column in columns), HEALTH_TITLE)
        texts = [
            (
                *(column.cell(row, False).text for column in columns),
                ", ".join(filter(None, (_health(row, accounts) or NOT_POLLED, faults_text(row)))),
            )
            for row in rows
        ]
        write_stdout(text_table.render([header, *texts], shrinkable=(0, len(columns))))
    if not rows:
        print_message("no accounts and no jobs yet")
    return OK


async def read_fleet(
    workspace: Workspace, states: Iterable[JobState], *, whole_team: bool = False
) -> tuple[dict[str, AccountState], list[FleetRow]]:
    """Return the accounts of the console that polls, and the rows as of now, the worst first. Raises JournalError.

    Days are those of the local time. In a team, the ends of these jobs alone count, or those of the whole team.
    """
    storage = workspace.shared_storage()
    zone = datetime.now(UTC).astimezone().tzinfo or UTC
    try:
        accounts = await leader_accounts(storage.lease)
        states = tuple(states)
        counted = None if storage.team is None or whole_team else [state.job.ref for state in states]
        reader = FleetReader(storage.journal, workspace.accounts, workspace.wall, lambda: counted)
        report = await reader.report(zone)
    finally:
        await storage.close()
    impaired = {name for name, state in accounts.items() if state.health in IMPAIRED}
    return accounts, fleet_rows(report, active_counts(states), impaired)


def _health(row: FleetRow, accounts: Mapping[str, AccountState]) -> str | None:
    account = accounts.get(row.account)
    return None if account is None else account.health.value
