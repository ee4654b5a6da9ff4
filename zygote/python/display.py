"""display(): what an object looks like, by MIME type, as notebooks have it.

The build compiles this in (python_source.h); python_display.c gives it plain_text(object),
the bounded repr(), complain(exception), which shows a failed representation on stderr, and
show_figures().
"""

import sys
from binascii import b2a_base64
from json import dumps

METHODS = {
    "_repr_html_": "text/html",
    "_repr_markdown_": "text/markdown",
    "_repr_latex_": "text/latex",
    "_repr_svg_": "image/svg+xml",
    "_repr_png_": "image/png",
    "_repr_jpeg_": "image/jpeg",
    "_repr_json_": "application/json",
    "_repr_javascript_": "application/javascript",
    "_repr_pdf_": "application/pdf",
}
ALL = "_repr_mimebundle_"
INSTEAD = "_ipython_display_"
CANARY = "_vivarium_no_object_has_this_"
FIGURE_FORMATS = {"image/png": "png", "image/svg+xml": "svg", "image/jpeg": "jpeg", "application/pdf": "pdf"}


def is_fake(thing):
    """Does it have every attribute there is (a mock, a proxy)?"""
    try:
        return getattr(thing, CANARY, None) is not None
    except Exception:
        return True


def method_of(thing, name):
    """A class shows itself, not what its objects would show."""
    if isinstance(thing, type):
        return None
    try:
        method = getattr(thing, name, None)
    except Exception:
        return None
    return method if callable(method) else None


def is_figure(thing):
    module = sys.modules.get("matplotlib.figure")
    kind = getattr(module, "Figure", None)
    return isinstance(kind, type) and isinstance(thing, kind)


def draw(figure, kind):
    """A figure of matplotlib; None if there is nothing on it."""
    from io import BytesIO

    if not figure.axes and not figure.lines:
        return None
    file = BytesIO()
    figure.savefig(file, format=kind, bbox_inches="tight")
    return file.getvalue().decode() if kind == "svg" else file.getvalue()


def figure_type():
    """PNG, unless the program asks for SVG in matplotlib's own way."""
    settings = getattr(sys.modules.get("matplotlib"), "rcParams", {})
    return "image/svg+xml" if settings.get("savefig.format") == "svg" else "image/png"


def makers(thing, include):
    """(MIME type, function that gives the data or (data, metadata)) for all that it may have."""
    if is_fake(thing):
        return
    if is_figure(thing):
        for mime in include or [figure_type()]:
            if mime in FIGURE_FORMATS:
                yield mime, lambda kind=FIGURE_FORMATS[mime]: draw(thing, kind)
        return
    for name, mime in METHODS.items():
        method = method_of(thing, name)
        if method:
            yield mime, method


def put(data, metadata, mime, made):
    if isinstance(made, tuple) and len(made) == 2:
        made, metadata[mime] = made
    if made is not None:
        data[mime] = made


def attempt(function, *arguments, **keywords):
    """A representation that fails is shown as a failure; the others are made all the same."""
    try:
        return function(*arguments, **keywords)
    except Exception as exception:
        complain(exception)  # noqa: F821 - given by python_display.c
        return None


def represent(thing, include, exclude):
    """(data, metadata), each by MIME type; without text/plain."""
    data, metadata = {}, {}
    whole = None if is_fake(thing) else method_of(thing, ALL)
    made = attempt(whole, include=include, exclude=exclude) if whole else None
    if isinstance(made, tuple) and len(made) == 2:
        made, of_all = made
        metadata.update(of_all or {})
    if isinstance(made, dict):
        data.update(made)
    for mime, maker in makers(thing, include):
        if mime not in data and (not include or mime in include) and mime not in (exclude or ()):
            put(data, metadata, mime, attempt(maker))
    return data, metadata


def plain(value, mime):
    """As JSON takes it: bytes in base64, text without surrogates."""
    if isinstance(value, (bytes, bytearray, memoryview)):
        return b2a_base64(value, newline=False).decode()
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if mime == "application/json" or mime.endswith("+json"):
        return value
    raise TypeError(f"display: {mime} must be str or bytes, not {type(value).__name__}")


def render(kind, data, metadata):
    for mime in data:
        if not isinstance(mime, str) or "/" not in mime:
            raise TypeError(f"display: {mime!r} is no MIME type")
    data = {mime: plain(value, mime) for mime, value in data.items() if value is not None}
    text = dumps({"type": kind, "data": data, "metadata": metadata}, ensure_ascii=False, allow_nan=False)
    return text.encode("utf-8", "replace")


def wanted(mimes, include, exclude):
    return {m: v for m, v in mimes.items() if (not include or m in include) and m not in (exclude or ())}


def as_set(value):
    return {value} if isinstance(value, str) else set(value) if value is not None else None


def show(thing, keywords):
    """For display(): the JSON of one output; None if the object has shown itself."""
    include, exclude = as_set(keywords.get("include")), as_set(keywords.get("exclude"))
    metadata = dict(keywords.get("metadata") or {})
    if keywords.get("raw"):
        if not isinstance(thing, dict):
            raise TypeError("display: raw data is a dict of MIME types")
        return render("display_data", wanted(thing, include, exclude), metadata)
    instead = None if is_fake(thing) else method_of(thing, INSTEAD)
    if instead:
        instead()
        return None
    data, own = represent(thing, include, exclude)
    if "text/plain" not in data:
        data["text/plain"] = plain_text(thing)  # noqa: F821
    return render("display_data", wanted(data, include, exclude), {**own, **metadata})


def result(thing, text):
    """For a cell's last value: None if it is no more than the text that it has already."""
    if is_fake(thing):
        return None
    instead = method_of(thing, INSTEAD)
    if instead:
        instead()
        return None
    data, metadata = represent(thing, None, None)
    if not data.keys() - {"text/plain"}:
        return None
    if is_figure(thing):  # else it comes a second time, as one that is open
        sys.modules["matplotlib._pylab_helpers"].Gcf.destroy_fig(thing)
    data.setdefault("text/plain", text)
    return render("execute_result", data, metadata)


def pyplot_show(*args, **kwargs):
    """Show all open figures, and close them."""
    show_figures()  # noqa: F821


def figures():
    """What matplotlib has open, which is closed: a list of figures."""
    helpers = sys.modules["matplotlib._pylab_helpers"].Gcf
    found = [manager.canvas.figure for manager in helpers.get_all_fig_managers()]
    helpers.destroy_all()
    return [figure for figure in found if figure.axes or figure.lines]
