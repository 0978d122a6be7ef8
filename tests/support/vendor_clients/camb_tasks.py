"""CAMB.AI's own client against the simulator: status and result of each kind of task, as JSON."""

import json
import sys

from camb.client import CambAI
from camb.core.api_error import ApiError


def ended(status, task_id):
    """Return the last status of a task."""
    found = status(task_id)
    while found.status == "PENDING":
        found = status(task_id)
    return found


def main() -> None:
    url, done, failed = sys.argv[1:4]
    client = CambAI(base_url=url, api_key="key-0123456789")
    separation = client.audio_separation
    kinds = {
        "translate": (client.translation.get_translation_task_status, client.translation.get_translation_result),
        "dub": (client.dub.get_dubbing_status, client.dub.get_dubbed_run_info),
        "transcribe": (
            client.transcription.get_transcription_task_status,
            client.transcription.get_transcription_result,
        ),
        "story": (client.story.get_story_status, client.story.get_story_run_info),
        "audio-separation": (separation.get_audio_separation_status, separation.get_audio_separation_run_info),
    }
    found = {}
    for kind, (status, result) in kinds.items():
        end = ended(status, done)
        content = result(end.run_id)
        fields = content if isinstance(content, dict) else content.dict(exclude_none=True)
        found[kind] = [end.status, sorted(fields)]
    failure = ended(client.translation.get_translation_task_status, failed)
    found["failed"] = [failure.status, failure.exception_reason]
    try:
        CambAI(base_url=url, api_key="wrong").dub.get_dubbing_status(done)
    except ApiError as error:
        found["wrong_key"] = error.status_code
    print(json.dumps(found))


if __name__ == "__main__":
    main()
