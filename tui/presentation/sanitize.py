"""Sanitizing of untrusted text: control sequences, invisible characters and signed URLs. It measures no cells."""

import re

# Patterns are text: `re` compiles each at its first use, since all of them take 5 ms and `list` needs none.
_ESCAPE_SEQUENCES = (
    r"\x1b[\]PX^_k][^\x07\x1b\x9c]*+(?:\x07|\x1b\\|\x9c)"  # OSC, DCS, SOS, PM, APC, a title: to its end
    r"|\x1b[\]PX^_][^\x00-\x1f\x7f-\x9f]*+"  # one that never ends: to the next control character
    r"|[\x90\x98\x9d-\x9f][^\x07\x1b\x80-\x9f]*+(?:\x07|\x1b\\|\x9c)"  # the same, introduced in 8 bits
    r"|(?:\x1b\[|\x9b)[0-?]*+[ -/]*+[@-~]?"  # CSI
    r"|\x1b[ -/]*+[0-~]?"  # every other escape
)
"""ECMA-48 control sequences, matched in linear time. An 8-bit string without an end removes no text: U+009D is more
often the last byte of a quotation mark decoded as Latin-1."""
_LINE_BREAKS = "\r\n|[\r\v\f\x85\u2028\u2029]"
_INVISIBLE = (
    "[\0-\x08\x0b-\x1f\x7f-\x9f\xad"  # C0 but tab and line feed, DEL, C1, soft hyphen
    "\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"  # zero-width and bidi
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e007f]"  # formats of shorthand and music, tags
)
_SURROGATES = "[\ud800-\udfff]"
_JOINING_SCRIPTS = "\u0600-\u109f\u1780-\u18af\ua840-\ua8ff\ua980-\uaaff\ufb50-\ufdff\ufe70-\ufefc\U00011000-\U000119ff"
"""Scripts in which a joiner between two letters changes them: Arabic to Myanmar, Khmer, Mongolian and related ones."""
_EMOJI = "\u2139-\u2bff\u3030\u303d\u3297\u3299\ufe0f\U0001f000-\U0001faff"
_USELESS_JOINERS = (
    f"[\u200c\u200d](?!(?<=[{_JOINING_SCRIPTS}][\u200c\u200d])[{_JOINING_SCRIPTS}])(?!(?<=[{_EMOJI}]\u200d)[{_EMOJI}])"
)


def clean(text: str, max_length: int = 2000, *, keep_lines: bool = False) -> str:
    r"""Return untrusted text as plain text of at most `max_length` (≥ 1) characters, cut with '…'. Idempotent.

    Control sequences, control, bidi and zero-width characters and tags are removed; a lone surrogate becomes U+FFFD.
    Line breaks and tabs become one space and the ends are stripped; `keep_lines` keeps each break, as '\n'.

    ZWNJ and ZWJ stay between two letters of a script that they shape (without them Persian, Urdu and Hindi words are
    misspelt) and ZWJ between two emoji. Flags made of tags become black flags.
    """
    if not text.isprintable():
        text = re.sub(_LINE_BREAKS, "\n", re.sub(_ESCAPE_SEQUENCES, "", text))
        text = text.expandtabs(4) if keep_lines else re.sub("[\n\t]+", " ", text)
        text = re.sub(_USELESS_JOINERS, "", re.sub(_SURROGATES, "\ufffd", re.sub(_INVISIBLE, "", text)))
    if not keep_lines:
        text = text.strip()
    return text if len(text) <= max_length else text[: max_length - 1].rstrip(" \n\u200c\u200d") + "…"


def mask_url(url: str) -> str:
    """Return the URL for logs: without credentials, and with '?…' for its query and '#…' for its fragment."""
    bare = re.sub(r"^([A-Za-z][A-Za-z0-9+.-]*://)[^/?#]*@", r"\1", url)
    return re.sub(r"([?#]).*", r"\1…", bare, count=1, flags=re.DOTALL)


def mask_urls(text: str) -> str:
    """Return the text with every URL masked by `mask_url`."""
    return re.sub(r"https?://\S+", lambda url: mask_url(url[0]), text, flags=re.IGNORECASE)
