"""Spellings of a key: each function writes it as some encoder does."""

import html
import json
import shlex
import urllib.parse
from collections.abc import Callable

SPELLINGS: dict[str, Callable[[str], str]] = {
    "itself": str,
    "another case": str.upper,
    "JSON": json.dumps,
    "JSON within JSON": lambda key: json.dumps({"inner": json.dumps([json.dumps(key)])}),
    "JSON as PHP writes it": lambda key: json.dumps(key).replace("/", "\\/"),
    "JSON as Go writes it": lambda key: json.dumps(html.escape(key)).replace("&", "\\u0026"),
    "code points": lambda key: "".join(f"\\u{ord(each):04x}" for each in key),
    "code points in capitals": lambda key: "".join(f"\\u{ord(each):04X}" for each in key),
    "code points in braces": lambda key: "".join(f"\\u{{{ord(each):x}}}" for each in key),
    "bytes": lambda key: "".join(f"\\x{ord(each):02x}" for each in key),
    "octal": lambda key: "".join(f"\\{ord(each):03o}" for each in key),
    "URL": lambda key: urllib.parse.quote(key, safe=""),
    "URL in small letters": lambda key: urllib.parse.quote(key, safe="").lower(),
    "query": urllib.parse.quote_plus,
    "URL within a URL": lambda key: urllib.parse.quote(urllib.parse.quote(key, safe=""), safe=""),
    "every byte in percent": lambda key: "".join(f"%{ord(each):02x}" for each in key),
    "HTML": html.escape,
    "HTML within HTML": lambda key: html.escape(html.escape(key)),
    "HTML in decimal": lambda key: "".join(f"&#{ord(each)};" for each in key),
    "HTML in hexadecimal": lambda key: "".join(f"&#x{ord(each):X};" for each in key),
    "named entities": lambda key: key.replace("&", "&amp;").replace("/", "&sol;").replace("+", "&plus;"),
    "shell": shlex.quote,
    "shell with backslashes": lambda key: "".join(f"\\{each}" for each in key),
    "shell in JSON": lambda key: json.dumps(shlex.quote(key)),
    "Python": repr,
    "zero-width spaces": "\u200b".join,
    "zero-width spaces in JSON": lambda key: json.dumps("\u200b".join(key)),
    "zero bytes, as in UTF-16": "\0".join,
    "colours": "\x1b[31m".join,
    "colours in JSON": lambda key: json.dumps("\x1b[31m".join(key)),
}
