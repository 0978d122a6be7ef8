"""DeepL's own client against the simulator: statuses and files of documents, and its errors, as JSON."""

import io
import json
import sys

import deepl

SECRET = "document-key-0123456789"


def attempt(action, *args) -> str:
    """Return "ok", or the name of the client's exception."""
    try:
        action(*args)
    except deepl.DeepLException as error:
        return type(error).__name__
    return "ok"


def ended(client, document):
    """Return the last status of a document."""
    status = client.translate_document_get_status(document)
    while status.ok and status.status.value not in {"done", "downloaded"}:
        status = client.translate_document_get_status(document)
    return status


def main() -> None:
    deepl.http_client.max_network_retries = 0
    url = sys.argv[1]
    client = deepl.DeepLClient("key-0123456789", server_url=url)
    document, failed, unpaid = (deepl.DocumentHandle(name, SECRET) for name in sys.argv[2:5])
    wrong = deepl.DocumentHandle(document.document_id, "wrong")
    foreign = deepl.DeepLClient("forbidden", server_url=url)
    file, failure = io.BytesIO(), ended(client, failed)
    found = {
        "ended": ended(client, document).status.value,
        "download": attempt(client.translate_document_download, document, file),
        "file": file.getvalue().decode(),
        "second_download": attempt(client.translate_document_download, document, io.BytesIO()),
        "after_download": client.translate_document_get_status(document).status.value,
        "failed": [failure.status.value, failure.error_message],
        "unpaid": attempt(ended, client, unpaid),
        "wrong_secret": attempt(client.translate_document_get_status, wrong),
        "forbidden_key": attempt(foreign.translate_document_get_status, document),
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
