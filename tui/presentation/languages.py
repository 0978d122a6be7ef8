"""Languages and regions by their English names, with their codes (ISO 639, 3166 and 15924)."""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from unicodedata import east_asian_width

_LANGUAGE_WIDTH = 7
"""The LANG column has room for `zh-Hans`."""
_LANGUAGE_TAG = r"[A-Za-z]{2,3}([-_][A-Za-z0-9]{1,8})*"
"""The shape of a language tag (RFC 5646); some services write '_' for '-'."""


def _parse_table(text: str) -> Mapping[str, str]:
    """Return names in lower case with their codes, from `code Name/Other name; …`."""
    table: dict[str, str] = {}
    for entry in text.replace("\n", " ").split(";"):
        code, _, names = entry.strip().partition(" ")
        table.update((name.casefold(), code) for name in names.split("/"))
    return table


LANGUAGE_CODES = _parse_table(
    """af Afrikaans; sq Albanian; am Amharic; ar Arabic; hy Armenian; as Assamese; az Azerbaijani; eu Basque;
    be Belarusian; bn Bengali/Bangla; bho Bhojpuri; bs Bosnian; bg Bulgarian; my Burmese/Myanmar; yue Cantonese;
    ca Catalan; ceb Cebuano; zh Chinese/Mandarin/Mandarin Chinese; co Corsican; hr Croatian; cs Czech; da Danish;
    fa-AF Dari; nl Dutch/Flemish; en English; eo Esperanto; et Estonian; fil Filipino/Tagalog; fi Finnish; fr French;
    fy Frisian/Western Frisian; gl Galician; ka Georgian; de German; el Greek; gn Guarani; gu Gujarati;
    ht Haitian Creole; ha Hausa; haw Hawaiian; he Hebrew; hi Hindi; hmn Hmong; hu Hungarian; is Icelandic; ig Igbo;
    id Indonesian; iu Inuktitut; ga Irish; it Italian; ja Japanese; jv Javanese; kn Kannada; kk Kazakh; km Khmer;
    rw Kinyarwanda; ko Korean; ku Kurdish; ky Kyrgyz; lo Lao; la Latin; lv Latvian; ln Lingala;
    lt Lithuanian; lb Luxembourgish; mk Macedonian; mai Maithili; mg Malagasy; ms Malay; ml Malayalam; mt Maltese;
    mi Maori/Māori; mr Marathi; mn Mongolian; ne Nepali; nb Norwegian/Norwegian Bokmål/Bokmål;
    nn Norwegian Nynorsk/Nynorsk; or Odia/Oriya; om Oromo; ps Pashto; fa Persian/Farsi; pl Polish; pt Portuguese;
    pa Punjabi; qu Quechua; ro Romanian/Moldovan; ru Russian; sm Samoan; sa Sanskrit; gd Scottish Gaelic; sr Serbian;
    st Sesotho; sn Shona; sd Sindhi; si Sinhala/Sinhalese; sk Slovak; sl Slovenian/Slovene; so Somali; es Spanish;
    su Sundanese; sw Swahili/Kiswahili; sv Swedish; tg Tajik; ta Tamil; tt Tatar; te Telugu; th Thai; bo Tibetan;
    ti Tigrinya; tn Tswana; tr Turkish; tk Turkmen; uk Ukrainian; ur Urdu; ug Uyghur; uz Uzbek; vi Vietnamese;
    cy Welsh; wuu Wu; xh Xhosa; yi Yiddish; yo Yoruba; zu Zulu"""
)
"""Code of a language by its English name in lower case."""

QUALIFIER_CODES = _parse_table(
    """Hans Simplified; Hant Traditional; Latn Latin; Cyrl Cyrillic; Arab Arabic;
    AF Afghanistan; AL Albania; DZ Algeria; AR Argentina; AM Armenia; AU Australia; AT Austria; AZ Azerbaijan;
    BH Bahrain; BD Bangladesh; BE Belgium; BO Bolivia; BA Bosnia and Herzegovina/Bosnia; BR Brazil; BG Bulgaria;
    KH Cambodia; CM Cameroon; CA Canada; CL Chile; CN China/Mainland China/Mainland; CO Colombia; CR Costa Rica;
    HR Croatia; CU Cuba; CY Cyprus; CZ Czechia/Czech Republic; DK Denmark; DO Dominican Republic; EC Ecuador;
    EG Egypt; SV El Salvador; GQ Equatorial Guinea; EE Estonia; ET Ethiopia; FI Finland; FR France; GE Georgia;
    DE Germany; GH Ghana; GR Greece; GT Guatemala; HT Haiti; HN Honduras; HK Hong Kong/Hong Kong SAR; HU Hungary;
    IS Iceland; IN India; ID Indonesia; IR Iran; IQ Iraq; IE Ireland; IL Israel; IT Italy; JM Jamaica; JP Japan;
    JO Jordan; KZ Kazakhstan; KE Kenya; KR Korea/South Korea; KW Kuwait; KG Kyrgyzstan; LA Laos; LV Latvia;
    LB Lebanon; LY Libya; LT Lithuania; LU Luxembourg; MO Macao/Macau; MG Madagascar; MY Malaysia; MT Malta;
    MX Mexico; MD Moldova; MN Mongolia; ME Montenegro; MA Morocco; MZ Mozambique; MM Myanmar; NP Nepal;
    NL Netherlands; NZ New Zealand; NI Nicaragua; NG Nigeria; MK North Macedonia; NO Norway; OM Oman; PK Pakistan;
    PS Palestine; PA Panama; PY Paraguay; PE Peru; PH Philippines; PL Poland; PT Portugal; PR Puerto Rico; QA Qatar;
    RO Romania; RU Russia; RW Rwanda; SA Saudi Arabia; SN Senegal; RS Serbia; SG Singapore; SK Slovakia; SI Slovenia;
    SO Somalia; ZA South Africa; ES Spain; LK Sri Lanka; SD Sudan; SE Sweden; CH Switzerland; SY Syria;
    TW Taiwan/Taiwanese Mandarin; TZ Tanzania; TH Thailand; TN Tunisia; TR Turkey/Türkiye; TM Turkmenistan;
    UG Uganda; UA Ukraine; AE United Arab Emirates/UAE; GB United Kingdom/UK/Great Britain;
    US United States/US/USA; UY Uruguay; UZ Uzbekistan; VE Venezuela; VN Vietnam; YE Yemen; ZM Zambia; ZW Zimbabwe;
    001 World; 419 Latin America"""
)
"""Subtag of a script or region by its name in lower case, as it follows a language's name in brackets."""


@lru_cache(maxsize=512)
def language_code(name: str) -> str:
    """Return a language in at most seven cells: ur-PK for Urdu (Pakistan), fr for French; zh-Hans stays.

    Subtags that do not fit are dropped from the end. An unknown name is cut to its first letters.
    """
    base, _, rest = name.partition("(")
    code = LANGUAGE_CODES.get(base.strip().casefold())
    if code is None:
        whole = name.strip()
        return (
            _fitting_subtags(re.split("[-_]", whole)) if re.fullmatch(_LANGUAGE_TAG, whole) else _first_letters(whole)
        )
    subtags: list[str] = []
    for part in rest.rstrip(") ").split(","):
        qualifier = part.strip().casefold()
        if qualifier in QUALIFIER_CODES:
            subtags.append(QUALIFIER_CODES[qualifier])
        else:  # Chinese (Cantonese, Traditional)
            code = LANGUAGE_CODES.get(qualifier, code)
    return _fitting_subtags([code, *subtags])


@lru_cache(maxsize=512)
def search_terms(language: str) -> tuple[str, ...]:
    """Return a language as reported, by its code and by its English name: zh-Hans is also Chinese (Simplified)."""
    code = language_code(language)
    name = _english_name(language if re.fullmatch(_LANGUAGE_TAG, language) else code)
    return tuple(dict.fromkeys((language, code, name)))


def _english_name(tag: str) -> str:
    """Return the English name of a language tag; subtags without a name stay."""
    base, *subtags = re.split("[-_]", tag)
    names, qualifiers = _names_by_code()
    found = names.get(base.lower(), base)
    return f"{found} ({', '.join(qualifiers.get(each.lower(), each) for each in subtags)})" if subtags else found


@lru_cache(maxsize=1)
def _names_by_code() -> tuple[Mapping[str, str], Mapping[str, str]]:
    """Return the first name of each language, and of each script or region, by its code in lower case."""
    languages, qualifiers = (
        {table[name].lower(): _capitalized(name) for name in reversed(list(table))}
        for table in (LANGUAGE_CODES, QUALIFIER_CODES)
    )
    return languages, qualifiers


def _capitalized(name: str) -> str:
    return " ".join(word if word == "and" else word[:1].upper() + word[1:] for word in name.split())


def _fitting_subtags(tags: Sequence[str]) -> str:
    """Return as many of a language's tags as fit."""
    fitting = (tags[:count] for count in range(len(tags), 1, -1))
    return next((code for code in map("-".join, fitting) if len(code) <= _LANGUAGE_WIDTH), tags[0])


def _first_letters(name: str) -> str:
    """Return the first letters. East Asian ones and all beyond the basic plane count two cells: terminals differ."""
    cells = 0
    for at, letter in enumerate(name):
        cells += 2 if east_asian_width(letter) in "WF" or letter > "\uffff" else 1
        if cells > _LANGUAGE_WIDTH:
            return name[:at]
    return name
