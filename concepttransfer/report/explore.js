"use strict";

/* Figures that one can point at: each `.explorer` holds what bokeh is to draw, and the choices that change it. Nothing
   here compiles text: a choice exchanges columns of the figure's source, and shows another legend and note. */
Bokeh.logger.set_level("warn");
for (const [number, place] of document.querySelectorAll(".explorer").entries()) {
  explore(place, number);
}

async function explore(place, number) {
  const said = JSON.parse(place.querySelector("script[type='application/json']").textContent);
  const drawing = place.querySelector(".drawn");
  drawing.id = `explorer-${number}`;
  const selects = Array.from(place.querySelectorAll("select"));
  const roots = await Bokeh.embed.embed_item(said.item, drawing.id);
  const view = Array.from(roots)[0];
  const source = said.source === null ? null : view.model.document.get_model_by_id(said.source);
  const fill = (key) => selects.reduce((text, select) => text.replaceAll(`{${select.name}}`, select.value), key);
  const change = () => {
    exchange(source, said.columns, fill);
    show(place, said, fill);
  };
  for (const select of selects) select.addEventListener("change", change);
  for (const select of selects) select.disabled = false;
  if (selects.length) change();
  place.dataset.state = "drawn";
}

/* Each column that is drawn is taken from the first of its sources that is there. */
function exchange(source, columns, fill) {
  const data = { ...source.data };
  for (const [column, from] of Object.entries(columns)) {
    const found = from.map(fill).find((name) => name in data);
    if (found !== undefined) data[column] = data[found];
  }
  source.data = data;
}

function show(place, said, fill) {
  place.querySelector(".note").textContent = said.notes[fill(said.note)] ?? "";
  const rows = (said.legends[fill(said.legend)] ?? []).map(([colour, sign, words]) => {
    const row = document.createElement("li");
    const swatch = document.createElement("i");
    swatch.style.color = colour;
    swatch.textContent = sign;
    row.append(swatch, words);
    return row;
  });
  place.querySelector(".keys").replaceChildren(...rows);
}
