"""Errors that the program expects. Each message is written for an operator: what happened, to which thing, what to do.

BabeltopError
 · ConfigurationError
   · SettingsError (storage.config.settings)
   · ProviderError (providers.loader)
   · KeysError (commands)
   · UntrustedFileError (storage.ownership)
 · StorageError
   · JournalError (storage.journal.database)
     · UnwritableJournalError
     · RefusedJournalError
     · EntriesWaitError (storage.journal.journal)
     · UnreachableError
     · TeamDatabaseError (storage.team.connection)
       · TeamUnreachableError
   · OutdatedProgramError (storage.journal.database)
   · WatchlistError (storage.watchlist.content)
 · SecretError (storage.config.secrets)
 · EnvironmentSettingError (engine.http.environment)
   · CertificateError
 · UnknownRefError (domain.job_ids)
 · UsageError (cli.output)

Each error is defined beside the code that raises it; callers catch a family. Any other exception is an internal error.
This module imports nothing, because every layer imports it.
"""

INTERNAL_ERROR = 70
"""Exit code of an internal error (EX_SOFTWARE in sysexits.h)."""


class BabeltopError(Exception):
    """Expected error, shown to the operator as its message, without a traceback."""


class ConfigurationError(BabeltopError, ValueError):
    """Configuration file with errors; its text names the file and each problem."""


class StorageError(BabeltopError):
    """File of the program or the operator that cannot be read or written."""
