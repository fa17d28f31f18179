"""A mail as a page: 600 pixels, light and dark, and the same in plain text.

Mail programs know tables and inline styles; what they do not know of the rest they leave out.
Nothing is fetched from anywhere, and all that comes from elsewhere is escaped.
"""

from __future__ import annotations

from html import escape

from hive.kinds import Severity
from hive.layout import Block, Facts, Listing, Paragraph, Sheet
from hive.notify.message import Message, one_line, plain
from hive.sentences import say
from hive.translation import translate

_STOP = say("Stop these mails")
_WHY = say("Sent by Borg Hive because you are responsible for these backups or asked for it.")

# A severity's colour: of the bar, and of its word on light and on dark.
_COLOURS = {
    Severity.INFO: ("#2f6fde", "#1d57ba", "#8ab4ff"),
    Severity.WARNING: ("#d98b00", "#8a5800", "#ffc24d"),
    Severity.CRITICAL: ("#c62828", "#b3201f", "#ff8f87"),
    Severity.RECOVERY: ("#2e7d32", "#22692a", "#7fd488"),
}
_TONES = {"bad": "#b3201f", "wait": "#8a5800", "good": "#22692a"}
_DARK_TONES = {"bad": "#ff8f87", "wait": "#ffc24d", "good": "#7fd488"}

_ON_PHONES = 4  # columns
_FONT = "font-family:-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif"
_STYLE = """\
:root{color-scheme:light dark;supported-color-schemes:light dark}
@media (max-width:480px){.pad{padding-left:16px!important;padding-right:16px!important}
.more{display:none!important}}
@media (prefers-color-scheme:dark){
.out{background:#15171b!important}
.card{background:#1f2329!important;border-color:#343a43!important}
.ink{color:#e8eaed!important}
.dim{color:#a3abb6!important}
.line{border-color:#343a43!important}
.link{color:#8ab4ff!important}
"""


def as_text(message: Message) -> str:
    """Everything that the page says."""
    text = plain(message)
    if message.unsubscribe_url is None:
        return text
    stop = translate(_STOP, message.language)
    return f"{text}\n\n--\n{stop}: {message.unsubscribe_url}"


def as_html(message: Message) -> str:
    """The page."""
    bar, word, dark_word = _COLOURS[message.severity]
    tones = "".join(f".{name}{{color:{one}!important}}\n" for name, one in _DARK_TONES.items())
    style = f"{_STYLE}.word{{color:{dark_word}!important}}\n{tones}}}\n"
    title = escape(one_line(message.title))
    blocks = message.layout or tuple(
        Paragraph(tuple(part.split("\n"))) for part in message.text.split("\n\n")
    )
    body = "\n".join(_block(one) for one in blocks)
    return f"""\
<!DOCTYPE html>
<html lang="{escape(message.language)}"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="supported-color-schemes" content="light dark">
<title>{title}</title>
<style>
{style}</style></head>
<body class="out" style="margin:0;padding:0;background:#f4f4f1">
<table role="presentation" class="out" width="100%" cellpadding="0" cellspacing="0" \
style="background:#f4f4f1"><tr><td align="center" style="padding:16px 8px">
<table role="presentation" class="card" width="100%" cellpadding="0" cellspacing="0" \
style="max-width:600px;background:#ffffff;border:1px solid #dedfda;border-radius:8px;\
border-collapse:separate;overflow:hidden">
<tr><td style="height:6px;line-height:6px;font-size:0;background:{bar}">&nbsp;</td></tr>
<tr><td class="pad ink" style="padding:20px 28px 24px;{_FONT};font-size:15px;line-height:1.5;\
color:#1d1f23;overflow-wrap:break-word">
<p class="word" style="margin:0 0 4px;font-size:13px;font-weight:bold;color:{word}">\
{escape(message.label)}</p>
<h1 class="ink" style="margin:0 0 14px;font-size:20px;line-height:1.3;color:#1d1f23">{title}</h1>
{body}
{_buttons(message)}
</td></tr></table>
{_foot(message)}
</td></tr></table>
</body></html>
"""


def _block(block: Block) -> str:
    if isinstance(block, Paragraph):
        return f'<p style="margin:0 0 14px">{"<br>".join(map(escape, block.lines))}</p>'
    if isinstance(block, Listing):
        items = "".join(f'<li style="margin:0 0 6px">{escape(one)}</li>' for one in block.items)
        return f'<ul style="margin:0 0 14px;padding-left:20px">{items}</ul>'
    return _facts(block) if isinstance(block, Facts) else _sheet(block)


_CELL = "padding:6px 12px 6px 0;vertical-align:top;border-top:1px solid #e6e7e3;font-size:14px"


def _facts(block: Facts) -> str:
    rows = "".join(
        f'<tr><th scope="row" align="left" class="dim line" style="{_CELL};font-weight:normal;'
        f'white-space:nowrap;color:#60656d">{escape(name)}</th>'
        f'<td class="ink line" style="{_CELL};color:#1d1f23;word-break:break-word">'
        f"{escape(value)}</td></tr>"
        for name, value in block.pairs
    )
    return _table(rows)


def _sheet(block: Sheet) -> str:
    head = "".join(
        f'<th scope="col" align="left" class="dim line{_more(number)}" style="{_CELL};'
        f'border-top:0;color:#60656d;font-weight:normal">{escape(one)}</th>'
        for number, one in enumerate(block.head)
    )
    rows = "".join(
        "<tr>"
        + "".join(_cell(cell, row.tone, number) for number, cell in enumerate(row.cells))
        + "</tr>"
        for row in block.rows
    )
    title = (
        f'<h2 class="ink" style="margin:18px 0 6px;font-size:16px;color:#1d1f23">'
        f"{escape(block.title)}</h2>"
        if block.title
        else ""
    )
    return title + _table((f"<tr>{head}</tr>" if any(block.head) else "") + rows)


def _cell(text: str, tone: str, number: int) -> str:
    """The first cell says how bad the row is; the second may hold a long name of somebody's."""
    colour = _TONES.get(tone) if number == 0 else None
    name = tone if colour is not None else "ink"
    weight = ";font-weight:bold" if colour is not None else ""
    breaks = ";word-break:break-word" if number == 1 else ""
    return (
        f'<td class="{name} line{_more(number)}" '
        f'style="{_CELL};color:{colour or "#1d1f23"}{weight}{breaks}">{escape(text)}</td>'
    )


def _more(number: int) -> str:
    """The class of a column that a phone has no room for."""
    return " more" if number >= _ON_PHONES else ""


def _table(rows: str) -> str:
    return (
        '<table width="100%" cellpadding="0" cellspacing="0" '
        f'style="margin:0 0 14px;border-collapse:collapse">{rows}</table>'
    )


_BUTTON = (
    "display:inline-block;margin:4px 8px 4px 0;padding:9px 16px;border-radius:6px;"
    "font-size:14px;font-weight:bold;text-decoration:none"
)


def _buttons(message: Message) -> str:
    found = []
    if message.url is not None:
        found.append(
            f'<a href="{escape(message.url)}" style="{_BUTTON};background:#1d57ba;color:#ffffff;'
            f'border:1px solid #1d57ba">{escape(message.show)}</a>'
        )
    found += [
        f'<a class="ink line" href="{escape(one.url)}" style="{_BUTTON};color:#1d1f23;'
        f'border:1px solid #b9bcb6">{escape(one.label)}</a>'
        for one in message.buttons
    ]
    return f'<p style="margin:18px 0 0">{"".join(found)}</p>' if found else ""


def _foot(message: Message) -> str:
    why = escape(translate(_WHY, message.language))
    stop = ""
    if message.unsubscribe_url is not None:
        stop = (
            f' <a class="link" href="{escape(message.unsubscribe_url)}" style="color:#1d57ba">'
            f"{escape(translate(_STOP, message.language))}</a>"
        )
    return (
        f'<p class="dim" style="margin:12px 0 0;max-width:600px;{_FONT};font-size:12px;'
        f'line-height:1.5;color:#60656d">{why}{stop}</p>'
    )
