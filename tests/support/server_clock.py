"""Clock of a PostgreSQL server that can be set, for one database."""

import psycopg

from tests.support.team_database import rows


class ServerClock:
    """Function that hides PostgreSQL's own clock from connections with `conninfo`."""

    def __init__(self, team: str) -> None:
        self._team = team
        rows(team, "CREATE SCHEMA fake; CREATE TABLE fake.step AS SELECT 0.0::float8 AS seconds")
        rows(
            team,
            "CREATE FUNCTION fake.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS 'SELECT "
            "pg_catalog.clock_timestamp() + make_interval(secs => (SELECT seconds FROM fake.step))'",
        )
        for column in ("started_at", "seen_at"):
            rows(
                team,
                f"ALTER TABLE babeltop.worker ALTER {column} SET DEFAULT extract(epoch FROM fake.clock_timestamp())",
            )
        self.conninfo = psycopg.conninfo.make_conninfo(team, options="-c search_path=fake,pg_catalog")

    def step(self, seconds: float) -> None:
        """Set the clock forward."""
        rows(self._team, f"UPDATE fake.step SET seconds = seconds + ({seconds})")
