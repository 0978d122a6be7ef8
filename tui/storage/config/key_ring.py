"""Key ring: the API keys of the accounts, each fetched when it is first needed and kept until its key file changes."""

from collections import deque
from collections.abc import Collection, Mapping

from tui.storage.config import secrets
from tui.storage.config.configuration import Configuration
from tui.storage.config.secrets import KeyFileStamp, Secret, SecretError, SecretSource

SERVE_TOKEN_VARIABLE = "BABELTOP_SERVE_TOKEN"  # noqa: S105  a name
"""Environment variable of the token of `serve`."""
METRICS_TOKEN_VARIABLE = "BABELTOP_METRICS_TOKEN"  # noqa: S105  a name
"""Environment variable of the token of `watch --metrics`."""
MAX_FETCHED = 100
"""Secrets that are kept to mask them: with hourly keys, those of some days."""
MIN_UNIQUE_LENGTH = 8
"""Characters of a secret that is searched within the values of other variables: a shorter one may occur by chance."""


class KeyRing:
    """API keys of the configured accounts, shared by all threads. It also keeps all secrets from child processes."""

    def __init__(self, config: Configuration, environ: Mapping[str, str], warnings: list[str]) -> None:
        """`warnings` gets what the operator should know about a key's source."""
        self.environ = environ
        self._config = config
        self._warnings = warnings
        self._keys: dict[str, Secret | SecretError] = {}
        self._stamps: dict[str, KeyFileStamp | None] = {}
        self._fetched: deque[Secret] = deque(maxlen=MAX_FETCHED)
        """Keys and hook secrets, the newest last; replaced ones too, which an old response may have."""

    def get(self, account: str) -> Secret | SecretError:
        """Return the account's key, or why there is none. A key command blocks for at most 10 s, once."""
        if account not in self._keys:
            self._keys[account] = self._fetch(account)
        return self._keys[account]

    def fetch_all(self) -> None:
        """Fetch every account's key: commands run before the dashboard starts."""
        for account in self._config.accounts:
            self.get(account)

    def fetch_again(self, account: str) -> Secret | SecretError:
        """Fetch the account's key again; if that fails, keep the present one and return why. Blocks like `get`."""
        fetched = self._fetch(account)
        if isinstance(fetched, Secret):
            self._keys[account] = fetched
        return fetched

    def forget(self, account: str) -> None:
        """Forget the account's key, so that the next `get` fetches it again."""
        self._keys.pop(account, None)

    def forget_changed(self) -> list[str]:
        """Forget the keys whose key file has changed, and return their accounts."""
        changed: list[str] = []
        for account, stamp in self._stamps.items():
            source = self._config.accounts[account].key_source
            if source is not None and source.file is not None and secrets.key_file_stamp(source) != stamp:
                self.forget(account)
                changed.append(account)
        return changed

    def fetch_secret(self, source: SecretSource) -> Secret:
        """Fetch the secret that signs hook deliveries. Blocks for at most 10 s. Raises SecretError."""
        return self._fetch_from(source).secret

    def mask_text(self, text: str) -> str:
        """Return the text with every spelling of every secret masked."""
        for secret in self._fetched.copy():
            text = secret.mask_text(text)
        return text

    def child_environment(self, pass_on: Collection[str] = ()) -> dict[str, str]:
        """Return the environment for a child process: without keys, hook secrets and the token of `serve`.

        `pass_on`: variables that the operator passes on all the same.
        """
        names = self._secret_variables() - set(pass_on)
        values = [secret.reveal() for secret in self._fetched.copy()]
        return {
            name: value
            for name, value in self.environ.items()
            if name in pass_on
            or not (
                name in names
                or value in values
                or any(each in value for each in values if len(each) >= MIN_UNIQUE_LENGTH)
            )
        }

    def _secret_variables(self) -> set[str]:
        """Return the variables that hold a secret: of every provider, whether used or not, and of the settings."""
        settings = self._config.settings
        sources = [
            *(table.api_key for table in settings.accounts.values()),
            *(hook.secret for hook in settings.hooks),
        ]
        return {
            SERVE_TOKEN_VARIABLE,
            METRICS_TOKEN_VARIABLE,
            *(summary.env for summary in self._config.summaries if summary.env),
            *(source.env for source in sources if source is not None and source.env is not None),
        }

    def _fetch_from(self, source: SecretSource) -> secrets.FetchedSecret:
        command_environ = self.child_environment() if source.command is not None else None
        fetched = secrets.fetch(source, self.environ, command_environ=command_environ)
        if fetched.secret not in self._fetched:
            self._fetched.append(fetched.secret)
        return fetched

    def _fetch(self, account: str) -> Secret | SecretError:
        source = self._config.accounts[account].key_source
        if source is None:
            return SecretError(f"no API key: set api_key in [accounts.{account}]")
        self._stamps[account] = secrets.key_file_stamp(source)
        try:
            fetched = self._fetch_from(source)
        except SecretError as error:
            return error
        if fetched.warning:
            self._warnings.append(fetched.warning)
        return fetched.secret
