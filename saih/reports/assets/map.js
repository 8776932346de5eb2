// The map of data by model: a cell for each planned point, bright where the quantity is high.
const CIVIDIS = ["#00224e", "#123570", "#3b496c", "#575d6d", "#707173", "#8a8678", "#a59c74", "#c3b369", "#e1cc55", "#fee838"];
const BRIGHTEST_SHARE = 50;

function dataModelMap(data, choose) {
  if (!data.maps.length) return html("div");
  const state = { number: 0, quantity: data.quantities[0]?.name };
  const controls = html("div", { class: "controls" });
  const sheet = html("div", { class: "scroll bare" });
  const caption = html("figcaption");
  const draw = () => drawMap(data, state, { sheet, caption }, choose);
  if (data.maps.length > 1) {
    const options = data.maps.map((one, index) => [String(index), data.settings[one.setting]]);
    controls.append(choice("map-setting", "setting", options, "0", (value) => {
      state.number = Number(value);
      draw();
    }));
  }
  const quantities = data.quantities.map((one) => [one.name, one.title]);
  if (quantities.length) {
    controls.append(choice("map-quantity", "show", quantities, state.quantity, (value) => {
      state.quantity = value;
      draw();
    }));
  }
  draw();
  return html("div", {}, html("h3", { id: "explore-maps" }, "Data by model"), html("figure", {}, controls, sheet, caption));
}

function drawMap(data, state, parts, choose) {
  const map = data.maps[state.number];
  const cells = new Map(map.cells.map(([row, column, point, missing]) => [`${row},${column}`, [point, missing]]));
  const shade = shading(data, map, state.quantity);
  const head = html("tr", {}, html("th", { scope: "col" }, "model \\ data"),
    ...map.data.map((label) => html("th", { scope: "col" }, clamped(label))));
  const rows = map.model.map((label, row) => html("tr", {}, html("th", { scope: "row" }, clamped(label)),
    ...map.data.map((_, column) => html("td", {}, mapCell(data, cells.get(`${row},${column}`), state, shade, choose)))));
  const table = html("table", { class: "map" }, html("thead", {}, head), html("tbody", {}, ...rows.reverse()));
  parts.sheet.replaceChildren(table);
  roving(table);
  const title = data.quantities.find((one) => one.name === state.quantity)?.title;
  const shown = title ? `Numbers: ${title}; brighter is higher. Below them: what holds the point back. ` : "";
  parts.caption.textContent = `${shown}Slashes: failed; dots: left out (cannot fit, or not needed). ${data.settings[map.setting]}.`;
}

function mapCell(data, found, state, shade, choose) {
  if (!found) return html("div", { class: "cell absent" }, "not run");
  const [place, missing] = found;
  if (place < 0) {
    const lost = data.missing[missing];
    const kind = lost.state === "dropped" ? "dropped" : "failed";
    const cell = html("div", { class: `cell ${kind}` }, html("span", {}, lost.state));
    return telling(cell, labelWords(lost.labels), [["state", lost.state], ["reason", lost.reason]], () => choose(-1 - missing));
  }
  const point = data.points[place];
  const words = point.words[state.quantity]?.split(" [")[0] || "not known";
  const cell = html("div", { class: "cell", "data-record": point.record }, html("b", {}, words), html("span", {}, point.verdict));
  const colour = shade(point);
  if (colour) {
    cell.style.backgroundColor = `rgb(${colour.join(",")})`;
    cell.classList.add(0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2] < 135 ? "dark" : "bright");
  }
  return telling(cell, pointName(point), pointRows(data, point), () => choose(place));
}

// Shares from zero on a scale that most reports have in common; all else on a logarithmic scale of its own.
function shading(data, map, quantity) {
  const values = map.cells.filter((cell) => cell[2] >= 0).map((cell) => data.points[cell[2]].values[quantity]?.[1]).filter((value) => value > 0);
  const [low, high] = [Math.min(...values) / 1.5, Math.max(...values) * 1.1];
  const isShare = quantity === "share" || quantity === "vendor";
  return (point) => {
    const value = point.values[quantity]?.[1];
    if (!(value > 0)) return null;
    return colourAt(isShare ? value / Math.max(BRIGHTEST_SHARE, high / 1.1) : Math.log(value / low) / Math.log(high / low));
  };
}

function colourAt(share) {
  const place = Math.min(Math.max(share, 0), 1) * (CIVIDIS.length - 1);
  const start = Math.min(Math.floor(place), CIVIDIS.length - 2);
  const parts = (colour) => [1, 3, 5].map((index) => parseInt(colour.slice(index, index + 2), 16));
  const [from, to] = [parts(CIVIDIS[start]), parts(CIVIDIS[start + 1])];
  return from.map((value, index) => Math.round(value + (place - start) * (to[index] - value)));
}
