"""Which declarations of a public header have no comment.

in:  the text of a header      out: (line, declaration) of each function, class, enum, alias, variable and member that nothing explains
     /// The shape.                   explains what follows, up to the next empty line
     Sizes shape() const;
     int rank() const;  // axes      explains its own line
     struct Found {                  the comment before a struct explains its members, unless it is one of options, whose each needs one

What is private, in namespace detail or defaulted is nobody's business, and constructors of what is explained speak for themselves.
"""
import re

BLANKED = re.compile(r'"(\\.|[^"\\\n])*"|\'(\\.|[^\'\\\n])\'')
QUIET = re.compile(
    r"^(namespace\b|using namespace\b|extern\b|static_assert\b|friend (class|struct)\b|(class|struct|enum class) \w+;$)"
    r"|\b[A-Z]\w*::\w+\([^()]*\) const( \{|$)"
    r"|^(public|private|protected):|= (default|delete);$|\boperator\W|^(explicit |constexpr |virtual )*~?\b([A-Z]\w*)\(|\bby_name")


class Scope:
    """What a brace opened: a namespace, a class with what is public, or something that is not looked into."""

    def __init__(self, head):
        kind = re.search(r"^(?:template <.*?> )?(namespace|class|struct|union|enum class|enum)\b", head)
        self.kind = kind[1] if kind and not head.rstrip().endswith(")") and "(" not in head.split("{")[0] else "body"
        self.hidden = self.kind in ("body", "class") or "namespace detail" in head
        self.values = self.kind.startswith("enum")


def undocumented(text):
    scopes, head, start, explained, group = [], "", 0, False, False
    in_macro = False
    for number, line in enumerate(text.splitlines(), 1):
        code, _, comment = BLANKED.sub("''", line).partition("//")
        code = code.strip()
        if in_macro or code.startswith("#"):
            in_macro = code.endswith("\\")
            continue
        if not code:
            if comment:
                group = True
            elif not head:
                group = False
            continue
        if not head:
            start, explained = number, group
        explained = explained or bool(comment)
        head += " " if head else ""
        for part in re.findall(r"[{};:]|[^{};:]+", code):
            head += part
            access = re.fullmatch(r"\s*(public|private|protected):", head)
            if access:
                scopes[-1].hidden = access[1] != "public"
                head = ""
            elif part == "{":
                opened = Scope(head.strip())
                if opened.kind != "body":
                    if opened.kind != "namespace" and not any(s.hidden for s in scopes) and not explained:
                        yield start, head.strip(" {")
                    head, group = "", explained and "Options" not in head
                scopes.append(opened)
            elif part == "}":
                closed = scopes.pop()
                if closed.kind == "body" and not any(s.kind == "body" for s in scopes) and not head.count("(") > head.count(")"):
                    head += " "
                elif closed.kind != "body":
                    head = ""
            elif part == ";" and not any(s.kind == "body" for s in scopes) and head.count("(") <= head.count(")"):
                yield from finished(head, start, explained, scopes)
                head = ""
        if head and code.endswith("}") and not any(s.kind == "body" for s in scopes) and "(" in head:  # a function with its body
            yield from finished(head, start, explained, scopes)
            head = ""


def finished(head, start, explained, scopes):
    declaration = " ".join(re.sub(r"^template <[^<>]*> *(requires .*?(?=\[\[| [A-Z]\w*\())? *", "", head.strip()).split())
    hidden = any(s.hidden or s.values for s in scopes)
    if declaration.strip(";") and not explained and not hidden and not QUIET.search(declaration):
        yield start, declaration
