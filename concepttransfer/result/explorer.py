"""A figure that one can point at: a bokeh model, and the choices that change what it shows.

Bokeh's own callbacks are texts that the browser compiles, which the report's policy forbids. So a choice here is data:
when one is made, columns of the model's source are exchanged, and another legend and note are shown. The page's own
script does that (`report/explore.js`). A plug-in's `Result.live` gives `Explorer(model, caption).live()`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

from .live import Live


@dataclass(frozen=True)
class Choice:
    """One thing to choose.

    Attributes:
        name: what stands between braces where the choice is meant.
        label: what people read.
        options: heading -> options; under an empty heading they stand alone. The first is chosen first.
    """

    name: str
    label: str
    options: Mapping[str, Sequence[str]]

    @property
    def first(self) -> str:
        """What is chosen first."""
        return next(option for options in self.options.values() for option in options)


@dataclass(frozen=True)
class Explorer:
    """An interactive figure.

    Attributes:
        model: what bokeh draws. It must hold no `CustomJS` and no other text to be compiled: the page forbids that.
        caption: what it shows, n in it, and what the reader can do.
        source: the `ColumnDataSource` whose columns are exchanged; None: there is nothing to choose.
        choices: what can be chosen.
        columns: a column that the model draws -> names of columns it is taken from, with choices between braces
            (`x|{encoder}`); the first that is there is taken, and none leaves it as it is.
        legends: key -> rows of colour, sign and words. `legend` is the key, with choices between braces.
        notes: key -> a line of words below the figure. `note` is the key, with choices between braces.
    """

    model: Any
    caption: str
    source: Any = None
    choices: tuple[Choice, ...] = ()
    columns: Mapping[str, Sequence[str]] = field(default_factory=dict)
    legends: Mapping[str, Sequence[tuple[str, str, str]]] = field(default_factory=dict)
    legend: str = ""
    notes: Mapping[str, str] = field(default_factory=dict)
    note: str = ""

    def live(self) -> Live:
        """For the report: all data in one block of JSON that nothing runs, and two scripts that all explorers share."""
        import jinja2
        from bokeh.embed import json_item

        said = {
            "item": json_item(self.model),
            "source": self.source.id if self.source is not None else None,
            "columns": {column: list(names) for column, names in self.columns.items()},
            "legends": {key: [list(row) for row in rows] for key, rows in self.legends.items()},
            "legend": self.legend,
            "notes": dict(self.notes),
            "note": self.note,
        }
        page = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined).from_string(_MARKUP)
        return Live(self.caption, page.render(choices=self.choices, data=_inert(said)), scripts())


_MARKUP = """<div class="explorer">
{%- if choices %}
<p class="choices">
{%- for choice in choices %}
<label>{{ choice.label }} <select name="{{ choice.name }}" autocomplete="off" disabled>
{%- for heading, options in choice.options.items() %}
{%- if heading %}<optgroup label="{{ heading }}">{% endif %}
{%- for option in options %}<option>{{ option }}</option>{% endfor %}
{%- if heading %}</optgroup>{% endif %}
{%- endfor %}</select></label>
{%- endfor %}
</p>
{%- endif %}
<div class="drawn"></div>
<p class="note" aria-live="polite"></p>
<ul class="keys"></ul>
<script type="application/json">{{ data }}</script>
</div>"""


def _inert(said: Any) -> Any:
    """JSON that cannot end the element it stands in, whatever the data hold."""
    from markupsafe import Markup

    text = json.dumps(said, allow_nan=False, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))


def scripts() -> tuple[str, ...]:
    """Bokeh's script and ours."""
    from bokeh.util.paths import bokehjs_path

    library = bokehjs_path(False) / "js" / "bokeh.min.js"
    own = files("concepttransfer.report") / "explore.js"
    return library.read_text(encoding="utf-8"), own.read_text(encoding="utf-8")
