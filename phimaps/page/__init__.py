"""Pages that are one HTML file: their frame, their pictures, how they are written."""

from __future__ import annotations

from html import escape
from importlib import resources

__all__ = ["document"]


def document(title: str, body: str, style: str = "", script: str = "") -> str:
    """An HTML document that needs no other file and no network.

    Parameters
    ----------
    title : str
        Text, not HTML.
    body : str
        HTML.
    style : str
        CSS behind the one that all pages share.
    script : str
        JavaScript, run once the body is there.

    Returns
    -------
    str

    Examples
    --------
    >>> document("Title", "<p>Text</p>").endswith("<p>Text</p>\\n</body>\\n</html>\\n")
    True
    """
    shared = (resources.files(__package__) / "base.css").read_text(encoding="utf-8")
    ending = f"<script>\n{script}</script>\n" if script else ""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>\n{shared}{style}</style>\n</head>\n<body>\n"
        f"{body}\n{ending}</body>\n</html>\n"
    )
