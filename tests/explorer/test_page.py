"""The page as a browser reads it."""

import json
import re

import html5lib
import pytest

from latentlab.errors import LatentlabError
from latentlab.explorer.page import Assets, as_json, page, read_assets

ASSETS = Assets(
    "const a = 1 < 2 && '</' + 'p>';\n", "body::before { content: '<p>' }", "some <text>"
)
HOSTILE = (
    "</script><script>alert(1)</script>", "<!--", "<!--<script>", "-->", "]]>", "\"'`\\", "&lt;",
    "\u2028\u2029", "🙂 日本", "\u202eabc", "\0", "\udc80", "\r\n", "</SCRIPT >", "{script}", "%s",
)  # fmt: skip


def parsed(text):
    parser = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False)
    return parser.parse(text.encode())


def texts(tree, name):
    return [(dict(each.attrib), each.text) for each in tree.iter(name)]


def some_content(*names, dataset="digits"):
    return {"dataset": dataset, "class_names": list(names), "format": 1}


def test_the_page_holds_what_it_was_given_and_nothing_else():
    tree = parsed(page(some_content("a"), ASSETS))
    (licenses, data, script), (style,) = texts(tree, "script"), texts(tree, "style")
    assert licenses == ({"type": "text/plain", "id": "licenses"}, ASSETS.licenses)
    assert data[0] == {"type": "application/json", "id": "run"}
    assert json.loads(data[1]) == some_content("a")
    assert script == ({}, ASSETS.script)
    assert style == ({}, ASSETS.style)
    tags = [child.tag for child in tree.find("body")]
    assert tags == ["div", "noscript", "script", "script", "script"]
    assert tree.find("body/div").attrib == {"id": "app"}
    assert tree.attrib == {"lang": "en"}
    assert tree.find("head/title").text == "digits · latentlab explorer"
    tags = [child.tag for child in tree.find("head")]
    assert tags == ["meta", "meta", "meta", "title", "style"]


def test_the_page_asks_for_nothing():
    text = page(some_content("a"), ASSETS)
    assert not re.search(r"(src|href)=|url\(|https?:", text)
    (policy,) = (
        meta.attrib["content"] for meta in parsed(text).iter("meta") if "http-equiv" in meta.attrib
    )
    assert policy == (
        "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval' blob:; worker-src blob:; "
        "style-src 'unsafe-inline'; img-src data: blob:"
    )


def test_no_name_ends_its_element():
    text = page(some_content(*HOSTILE), ASSETS)
    tree = parsed(text)
    assert len(texts(tree, "script")) == 3
    assert json.loads(texts(tree, "script")[1][1])["class_names"] == list(HOSTILE)
    assert "alert(1)\\u003c/script\\u003e" in text
    assert not re.search("[\u2028\u2029\0\u202e]", text)


def test_the_title_is_text():
    tree = parsed(page(some_content(dataset="</title><script>&amp;"), ASSETS))
    assert tree.find("head/title").text == "</title><script>&amp; · latentlab explorer"
    assert len(texts(tree, "script")) == 3


def test_json_is_compact_and_sorted():
    assert as_json({"b": [1, 0.5, None, True], "a": "é&"}) == (
        r'{"a":"\u00e9\u0026","b":[1,0.5,null,true]}'
    )
    with pytest.raises(ValueError, match="JSON"):
        as_json({"a": float("nan")})


def test_the_same_content_gives_the_same_page():
    first = page({"dataset": "digits", "b": 1, "a": 2}, ASSETS)
    assert first == page({"a": 2, "b": 1, "dataset": "digits"}, ASSETS)


def test_assets_are_read_as_they_are(tmp_path):
    (tmp_path / "explorer.js").write_text(ASSETS.script, encoding="utf-8")
    (tmp_path / "explorer.css").write_text(ASSETS.style, encoding="utf-8")
    (tmp_path / "LICENSES.txt").write_text(ASSETS.licenses, encoding="utf-8")
    assert read_assets(tmp_path) == ASSETS


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("explorer.js", b"'</ScRiPt>'", "holds </script, which ends its element"),
        ("explorer.js", b"'<!--'", "holds <!--, which ends its element"),
        ("explorer.css", b"/* </style> */", "holds </style, which ends its element"),
        ("LICENSES.txt", b"</script>", "holds </script, which ends its element"),
        ("explorer.js", b"\xff", "no UTF-8"),
        ("explorer.css", None, "No such file"),
    ],
)
def test_assets_that_would_break_the_page_are_refused(tmp_path, name, content, message):
    for each in ("explorer.js", "explorer.css", "LICENSES.txt"):
        (tmp_path / each).write_text("")
    if content is None:
        (tmp_path / name).unlink()
    else:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(LatentlabError, match=re.escape(message)) as error:
        read_assets(tmp_path)
    assert name in str(error.value)


def test_a_whole_page_is_the_same_twice(content_of):
    first, again = (page(content_of(class_names=HOSTILE[:4]), ASSETS) for _ in range(2))
    assert first == again
    data = texts(parsed(first), "script")[1][1]
    assert json.loads(data)["class_names"] == list(HOSTILE[:4])
    assert not re.search("[<>&]", data)
