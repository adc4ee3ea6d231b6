"""Lets papermill set the parameters of Go notebooks.

papermill finds this module through its entry point for engines and need not be told
of it: papermill in.ipynb out.ipynb -p epochs 3.

The parameters keep the Go types that the cell tagged "parameters" gives them, so that
"-p rate 1" sets a float64 to 1.0. A value that does not fit its type, or a name that
the cell does not declare, ends papermill before anything runs. The rules are those of
"patchlab notebook run -p".
"""

import json
import math
import re

from papermill.engines import NBClientEngine
from papermill.exceptions import PapermillException
from papermill.models import Parameter
from papermill.translators import Translator, papermill_translators

_UNITS = {"ns": 1, "us": 1e3, "µs": 1e3, "μs": 1e3, "ms": 1e6, "s": 1e9, "m": 60e9, "h": 3600e9}
_DURATION = r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|µs|μs|ms|s|m|h)"
_INTEGERS = {f"{sign}int{bits}": (sign, bits or 64) for sign in ("", "u") for bits in ("", 8, 16, 32, 64)}
_INTEGERS["byte"] = ("u", 8)


class ParameterError(PapermillException):
    """A parameter that a Go notebook does not have, or that does not fit its type."""


class Engine(NBClientEngine):
    """papermill's own engine; it is here to be loaded."""


def _text(value):
    """A value as one would type it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _refuse(name, go_type, value, allowed):
    raise ParameterError(f"parameter {name} ({go_type}) is {_text(value)!r}; allowed: {allowed}")


def _literal(name, go_type, value):
    """A value as Go source of that type."""
    if go_type.startswith("[]"):
        if isinstance(value, str):
            value = json.loads(value) if value.lstrip().startswith("[") else [v.strip() for v in value.split(",") if v.strip()]
        if not isinstance(value, (list, tuple)):
            value = [value]
        return go_type + "{" + ", ".join(_literal(name, go_type[2:], v) for v in value) + "}"
    if go_type in _INTEGERS:
        sign, bits = _INTEGERS[go_type]
        low, high = (0, 2**bits - 1) if sign else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
        try:
            if isinstance(value, (bool, float)):
                raise ValueError
            number = int(value, 0) if isinstance(value, str) else int(value)
            if not low <= number <= high:
                raise ValueError
        except (TypeError, ValueError):
            _refuse(name, go_type, value, f"a whole number from {low} to {high}")
        return str(number)
    if go_type in ("float32", "float64"):
        try:
            if isinstance(value, bool) or not math.isfinite(float(value)):
                raise ValueError
        except (TypeError, ValueError):
            _refuse(name, go_type, value, "a finite number such as 0.5, 1e-3")
        return repr(float(value))
    if go_type == "bool":
        if _text(value) not in ("true", "false"):
            _refuse(name, go_type, value, "true, false")
        return _text(value)
    if go_type == "time.Duration":
        text = _text(value)
        if text == "0":
            return "0 * time.Nanosecond"
        if not re.fullmatch(f"(?:{_DURATION})+", text):
            _refuse(name, go_type, value, "a duration such as 90s, 1.5h, 250ms")
        total = sum(float(re.match(r"[\d.]+", part.lstrip("+-")).group()) * _UNITS[part.lstrip("+-0123456789.")] for part in re.findall(_DURATION, text))
        return f"{int(round(-total if text.startswith('-') else total))} * time.Nanosecond"
    if go_type == "string":
        return json.dumps(_text(value), ensure_ascii=True) if _text(value).isprintable() else json.dumps(_text(value))
    raise ParameterError(f"parameter {name} has the type {go_type or 'of an expression'}, which can't be set; "
                         "allowed: bool, string, integers, floats, time.Duration and slices of these")


def _guess(value):
    """The type of a value that nobody declared."""
    for kind, go_type in ((bool, "bool"), (int, "int"), (float, "float64"), (str, "string")):
        if isinstance(value, kind):
            return go_type
    if isinstance(value, (list, tuple)):
        inner = {_guess(v) for v in value} or {"string"}
        return "[]" + (inner.pop() if len(inner) == 1 else "float64" if inner == {"int", "float64"} else "string")
    return "string"


def _inferred(expression):
    """The type that an expression gives a variable, "" where that can't be seen."""
    e = expression.strip()
    conversion = re.match(r"((?:\[\])*[\w.]+)\s*[({]", e)
    if conversion:
        return conversion.group(1)
    if re.search(r"\btime\.(Nano|Micro|Milli)?[sS]econd\b|\btime\.(Minute|Hour)\b", e):
        return "time.Duration"
    if re.fullmatch(r'"(?:[^"\\]|\\.)*"|`[^`]*`', e):
        return "string"
    if e in ("true", "false"):
        return "bool"
    if re.fullmatch(r"[-+]?(?:0[xX][\da-fA-F_]+|0[bB][01_]+|0[oO]?[0-7_]+|\d[\d_]*)", e):
        return "int"
    if re.fullmatch(r"[-+]?(?:\d[\d_]*\.?[\d_]*|\.\d[\d_]*)(?:[eE][-+]?\d+)?", e):
        return "float64"
    return ""


# One variable or constant: name, type, value, comment.
_SPEC = re.compile(r"^(?P<name>[^\W\d]\w*)(?:\s+(?P<type>(?:\[\])*[\w.]+))?\s*(?:=\s*(?P<value>.*?))?\s*(?://\s*(?P<help>.*))?$")


def declared(source):
    """The parameters that a Go cell declares: (keyword, name, type, value, comment)."""
    found, group = [], None
    for line in source.split("\n"):
        text = line.strip()
        start = re.match(r"(var|const)\s*(\(?)\s*(.*)$", text)
        if group is None and start:
            if start.group(2):
                group = start.group(1)
                continue
            keyword, text = start.group(1), start.group(3)
        elif group is not None and text.startswith(")"):
            group = None
            continue
        elif group is not None:
            keyword = group
        else:
            continue
        names, equals, values = text.partition("=")
        several = re.match(r"([^\W\d]\w*(?:\s*,\s*[^\W\d]\w*)+)\s*((?:\[\])*[\w.]*)\s*$", names)
        if several and values.count(",") + 1 >= several.group(1).count(","):
            parts = [several.group(1).split(","), values.split(",") if equals else []]
            for i, name in enumerate(parts[0]):
                value = parts[1][i].strip() if i < len(parts[1]) else ""
                found.append((keyword, name.strip(), several.group(2) or _inferred(value), value, ""))
            continue
        match = _SPEC.match(text)
        if match:
            value = match.group("value") or ""
            found.append((keyword, match.group("name"), match.group("type") or _inferred(value), value, match.group("help") or ""))
    return found


class GoTranslator(Translator):
    """Writes parameters as Go declarations.

    papermill shows the tagged cell to inspect before it asks codify for the
    cell to inject, which itself is given the values alone; so inspect remembers.
    """

    _declared = None  # of the cell that was inspected last; None: there was none

    @classmethod
    def inspect(cls, parameters_cell):
        cls._declared = declared(parameters_cell["source"])
        return [Parameter(name=name, inferred_type_name=go_type or "None", default=value, help=comment) for _, name, go_type, value, comment in cls._declared]

    @classmethod
    def comment(cls, cmt_str):
        return f"// {cmt_str}".strip()

    @classmethod
    def codify(cls, parameters, comment="Parameters"):
        known, cls._declared = cls._declared, None
        lines, needs_time = [], False
        for name, value in parameters.items():
            keyword, go_type = "var", _guess(value)
            if known is not None:
                match = [k for k in known if k[1] == name]
                if not match:
                    allowed = ", ".join(f"{n} {t}" for _, n, t, _, _ in known if t)
                    raise ParameterError(f"no parameter {name!r}; allowed: {allowed or 'none'}")
                keyword, _, go_type, _, _ = match[-1]
            lines.append(f"{keyword} {name} {go_type} = {_literal(name, go_type, value)}")
            needs_time = needs_time or "time." in go_type
        head = [cls.comment(comment)] + (['import "time"', ""] if needs_time else [])
        return "\n".join(head + lines) + "\n"


for _language in ("go", "golang", "patchlab", "gonb"):
    papermill_translators.register(_language, GoTranslator)
