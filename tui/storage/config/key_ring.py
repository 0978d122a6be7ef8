"""Key ring: the API keys of the accounts, each fetched when it is first needed and kept until its key file changes."""

from collections.abc import Mapping

from tui.storage.config import secrets
from tui.storage.config.configuration import Configuration
from tui.storage.config.secrets import KeyFileStamp, Secret, SecretError, SecretSource


class KeyRing:
    """API keys of the configured accounts, shared by all threads."""

    def __init__(self, config: Configuration, environ: Mapping[str, str], warnings: list[str]) -> None:
        """`warnings` gets what the operator should know about a key's source."""
        self.environ = environ
        self._config = config
        self._warnings = warnings
        self._keys: dict[str, Secret | SecretError] = {}
        self._stamps: dict[str, KeyFileStamp | None] = {}

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
        return secrets.fetch(source, self.environ).secret

    def _fetch(self, account: str) -> Secret | SecretError:
        source = self._config.accounts[account].key_source
        if source is None:
            return SecretError(f"no API key: set api_key in [accounts.{account}]")
        self._stamps[account] = secrets.key_file_stamp(source)
        try:
            fetched = secrets.fetch(source, self.environ)
        except SecretError as error:
            return error
        if fetched.warning:
            self._warnings.append(fetched.warning)
        return fetched.secret
