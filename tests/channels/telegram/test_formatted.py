"""Text with entities becomes harmless HTML, whatever the entities claim."""

import re
from html import unescape
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.channels.telegram.formatted import to_html

ALLOWED = re.compile(
    r"</?(?:b|i|u|s|code|pre|blockquote)>|<span class=\"spoiler\">|</span>|<br>|</a>"
    r"|<a href=\"(?:https?|mailto|tel):[^\"<>]*\" rel=\"noopener noreferrer nofollow\">"
)


def entity(type_: str, offset: int, length: int, **more: Any) -> dict[str, Any]:
    return {"type": type_, "offset": offset, "length": length, **more}


@pytest.mark.parametrize(
    ("text", "entities", "html"),
    [
        ("раз два", [entity("bold", 0, 3), entity("italic", 4, 3)], "<b>раз</b> <i>два</i>"),
        ("раз два", [entity("bold", 0, 7), entity("italic", 4, 3)], "<b>раз <i>два</i></b>"),
        ("раз два", [entity("bold", 0, 5), entity("italic", 2, 5)], "<b>ра<i>з д</i></b><i>ва</i>"),
        ("👩‍👧 x", [entity("bold", 0, 5), entity("code", 6, 1)], "<b>👩‍👧</b> <code>x</code>"),
        ("a\nb", [entity("pre", 0, 3)], "<pre>a\nb</pre>"),
        ("a\nb", [entity("blockquote", 0, 3)], "<blockquote>a<br>b</blockquote>"),
        ("тайна", [entity("spoiler", 0, 5)], '<span class="spoiler">тайна</span>'),
        ("x", [entity("bold", 0, 99)], "<b>x</b>"),
        ("x", [entity("bold", 5, 9), entity("bold", -1, 2), entity("bold", 0, 0), entity("mention", 0, 1)], ""),
        ("x", [entity("text_link", 0, 1, url="javascript:alert(1)")], ""),
        ("x", [entity("text_link", 0, 1, url=" java\nscript:alert(1)")], ""),
        ("x", [entity("text_link", 0, 1, url="//example.org")], ""),
        ("x", [entity("text_link", 0, 1, url="http://[")], ""),
        (
            "x",
            [entity("text_link", 0, 1, url='https://e.org/"><script>')],
            '<a href="https://e.org/&quot;&gt;&lt;script&gt;" rel="noopener noreferrer nofollow">x</a>',
        ),
    ],
)
def test_entities_become_tags(text: str, entities: list[dict[str, Any]], html: str):
    assert to_html(text, entities) == html


_entities = st.lists(
    st.builds(
        entity,
        st.sampled_from(["bold", "italic", "pre", "code", "blockquote", "spoiler", "text_link", "odd"]),
        st.integers(-2, 30),
        st.integers(-2, 30),
        url=st.sampled_from(["https://e.org", "javascript:x", 'https://"<>']),
    ),
    max_size=8,
)


@settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.too_slow])
@given(st.text(max_size=25), _entities)
def test_whatever_entities_claim_the_text_stays_and_tags_are_closed_in_order(text: str, entities: list[dict[str, Any]]):
    html = to_html(text, entities)
    if not html:
        return
    assert unescape(ALLOWED.sub(lambda tag: "\n" if tag[0] == "<br>" else "", html)) == text
    open_: list[str] = []
    for tag in re.findall(r"<(/?[a-z]+)", html.replace("<br>", "")):
        if tag.startswith("/"):
            assert open_.pop() == tag[1:]
        else:
            open_.append(tag)
    assert open_ == []
