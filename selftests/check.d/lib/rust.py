# SPDX-License-Identifier: GPL-2.0
"""Rust as a row of tokens: enough of the language to say what a file names and what it does.

Comments, strings and attributes do not count as code; modules and functions for tests can be left out.
"""

import re
from typing import NamedTuple

TOKEN = re.compile(r"""
      (?P<space>\s+)
    | (?P<line>//[^\n]*)
    | (?P<block>/\*)
    | (?P<raw>(?:b|c)?r(?P<fence>\#*)"(?s:.*?)"(?P=fence))
    | (?P<string>(?:b|c)?"(?s:\\.|[^"\\])*")
    | (?P<char>b?'(?:\\(?:x[0-9a-fA-F]{2}|u\{[^}]*\}|.)|[^'\\\n])')
    | (?P<lifetime>'[A-Za-z_]\w*)
    | (?P<number>\d[\w]*(?:\.\d[\w]*)?)
    | (?P<word>(?:r\#)?[A-Za-z_]\w*)
    | (?P<mark>::|->|=>|\.\.=|\.\.|.)
""", re.VERBOSE)
LITERALS = {"raw", "string", "char", "number"}
CLOSES = {"(": ")", "[": "]", "{": "}"}
# "r" and "c" before a quote begin a literal, not a word; the order of the pattern sees to it.


class Token(NamedTuple):
    """A token; kind is a group of the pattern above, line counts from 1."""

    kind: str
    text: str
    line: int


def lex(text):
    """(tokens, {line: comment})."""
    tokens, comments, at, line = [], {}, 0, 1
    while at < len(text):
        match = TOKEN.match(text, at)
        kind, end = match.lastgroup, match.end()
        if kind == "fence":
            kind = "raw"
        if kind == "block":
            depth = 1
            while depth and end < len(text):
                two = text[end:end + 2]
                depth += (two == "/*") - (two == "*/")
                end += 2 if two in ("/*", "*/") else 1
        piece = text[at:end]
        if kind in ("line", "block"):
            for number, part in enumerate(piece.split("\n")):
                comments[line + number] = comments.get(line + number, "") + part
        elif kind != "space":
            tokens.append(Token(kind, piece, line))
        line += piece.count("\n")
        at = end
    return tokens, comments


def skip(tokens, at):
    """Index behind the bracket that closes the one at this index."""
    depth = 0
    while at < len(tokens):
        token = tokens[at]
        if token.kind == "mark":
            depth += (token.text in CLOSES) - (token.text in CLOSES.values())
        at += 1
        if depth == 0:
            break
    return at


def skip_item(tokens, at):
    """Index behind the item that begins here: behind its block, or its semicolon."""
    while at < len(tokens):
        text = tokens[at].text
        if text in ("(", "["):
            at = skip(tokens, at)
        elif text == "{":
            return skip(tokens, at)
        else:
            at += 1
            if text == ";":
                break
    return at


def is_for_tests(attribute):
    """Whether an attribute (the tokens in its brackets) makes its item one for tests alone."""
    text = "".join(token.text for token in attribute)
    return text == "test" or "cfg(test)" in text or "kunit_tests(" in text or text.startswith("cfg(any(test,CONFIG_KUNIT")


def code(tokens, tests=False):
    """The tokens without attributes; without what is for tests alone, unless tests is set."""
    kept, at = [], 0
    while at < len(tokens):
        begin = at + (tokens[at + 1:at + 2] != [] and tokens[at + 1].text == "!")
        if tokens[at].text != "#" or tokens[begin + 1:begin + 2] == [] or tokens[begin + 1].text != "[":
            kept.append(tokens[at])
            at += 1
            continue
        end = skip(tokens, begin + 1)
        inner = begin > at
        gone = is_for_tests(tokens[begin + 2:end - 1]) and not inner and not tests
        at = end
        if gone:
            while at + 1 < len(tokens) and tokens[at].text == "#" and tokens[at + 1].text == "[":
                at = skip(tokens, at + 1)
            at = skip_item(tokens, at)
    return kept


def home(path):
    """The module that a file below rust/ is: rust/wire/ip.rs is ("wire", "ip"); the roots are ()."""
    parts = path.removeprefix("rust/").removesuffix(".rs").split("/")
    return () if parts in (["main"], ["lib"]) else tuple(parts)


def tree(tokens, at, prefix):
    """Every path of the tree that goes on at this index (behind a "::"), as (path, line), and the index behind."""
    paths = []
    if at >= len(tokens):
        return [(prefix, tokens[-1].line)], at
    token = tokens[at]
    if token.text == "{":
        end = skip(tokens, at)
        at += 1
        while at < end - 1:
            if tokens[at].text == ",":
                at += 1
                continue
            more, after = tree(tokens, at, prefix)
            paths += more
            at = max(after, at + 1)
            while at < end - 1 and tokens[at].text != ",":
                at += 1
        return paths, end
    if token.kind == "word" or token.text == "*":
        path = prefix + (token.text,)
        if tokens[at + 1:at + 2] and tokens[at + 1].text == "::":
            return tree(tokens, at + 2, path)
        return [(path, token.line)], at + 1
    return [(prefix, token.line)], at


def paths(path, tokens):
    """Every path that the code of a file writes with two segments or more, from the crate's root where that is
    known: ("crate", "wire", "ip"); otherwise as it stands: ("kernel", "prelude", "*"). Each with its line."""
    found, stack, at = [], [], 0
    here = home(path)
    while at < len(tokens):
        token = tokens[at]
        text = token.text
        before = tokens[at - 1].text if at else ""
        if text == "mod" and tokens[at + 2:at + 3] and tokens[at + 2].text == "{":
            stack.append(tokens[at + 1].text)
            at += 3
            continue
        if text == "{":
            stack.append(None)
        elif text == "}" and stack:
            stack.pop()
        if token.kind != "word" or before == "::" and at > 1 and tokens[at - 2].kind == "word" or \
                not (tokens[at + 1:at + 2] and tokens[at + 1].text == "::"):
            at += 1
            continue
        now = here + tuple(name for name in stack if name)
        more, after = tree(tokens, at + 2, (text,))
        for segments, line in more:
            found.append((from_root(segments, now), line))
        at = max(after, at + 1)
    return found


def from_root(segments, here):
    """A path as it is named from the root: self and super replaced by what they stand for."""
    first = segments[0]
    if first == "crate":
        return segments
    if first == "self":
        return ("crate",) + here + segments[1:]
    up = 0
    while up < len(segments) and segments[up] == "super":
        up += 1
    if up:
        return ("crate",) + here[:max(len(here) - up, 0)] + segments[up:]
    return segments
