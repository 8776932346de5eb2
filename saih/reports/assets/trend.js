// The trend explorer: a quantity over the size of an axis, a line for each setting of the others.
const HEIGHT = 400;
const MOST_BANDS = 8;
const MARGIN = { left: 78, right: 18, top: 26, bottom: 52 };

function trendExplorer(data, choose) {
  const heading = html("h3", { id: "explore-trends" }, "Trends");
  if (!data.points.length) return html("div", {}, heading, nothing("No point was measured, so there is no trend to draw."));
  const axes = [...new Set(data.lines.map((line) => line.axis))];
  const state = {
    axis: axes[0], quantity: data.quantities[0]?.name, isLogX: true, isLogY: null, held: {}, off: new Set(), view: null,
  };
  const controls = html("div", { class: "controls" });
  const plot = html("div", { class: "plot" });
  const legend = html("ul", { class: "legend", "aria-label": "Lines" });
  const caption = html("figcaption", { "aria-live": "polite" });
  const figure = html("figure", { class: "explorer" }, controls, plot, legend, caption);
  const draw = () => drawTrend(data, state, { plot, legend, caption }, choose, draw);
  const renew = () => {
    state.view = null;
    fillControls();
    draw();
  };
  const fillControls = () => controls.replaceChildren(...trendControls(data, state, axes, renew, zoomed(state, draw)));
  renew();
  new ResizeObserver(() => {
    if (plot.clientWidth !== Number(plot.dataset.width)) draw();
  }).observe(plot);
  return html("div", {}, heading, figure);
}

function trendControls(data, state, axes, renew, zoom) {
  const set = (name) => (value) => {
    state[name] = value;
    if (name !== "isLogX") state.isLogY = name === "isLogY" ? value : null;
    renew();
  };
  const bend = [["log", "logarithmic"], ["linear", "linear"]];
  const quantities = data.quantities.map((one) => [one.name, one.title]);
  return [
    choice("axis", "over", axes.map((axis) => [axis, axis]), state.axis, set("axis")),
    choice("quantity", "show", quantities, state.quantity, set("quantity")),
    ...holds(data, state.axis, state.held, renew),
    choice("x-scale", "x axis", bend, state.isLogX ? "log" : "linear", (value) => set("isLogX")(value === "log")),
    choice("y-scale", "y axis", bend, isLogY(state) ? "log" : "linear", (value) => set("isLogY")(value === "log")),
    html("span", { class: "buttons" },
      action("+", "Zoom in", () => zoom(0.6)), action("−", "Zoom out", () => zoom(1 / 0.6)),
      action("Reset", "Show everything again", () => zoom(Infinity))),
  ];
}

function isLogY(state) {
  return state.isLogY ?? !["share", "vendor"].includes(state.quantity);
}

// Zooms by `factor` around the place given in shares of the frame; false where nothing is left to change.
function zoomed(state, draw) {
  return (factor, [x, y] = [0.5, 0.5]) => {
    const view = state.view || { x: [0, 1], y: [0, 1] };
    const cut = ([from, to], place) => {
      const width = Math.min(Math.max((to - from) * factor, 1e-3), 1);
      const start = Math.min(Math.max(from + place * (to - from) - place * width, 0), 1 - width);
      return [start, start + width];
    };
    const next = Number.isFinite(factor) ? { x: cut(view.x, x), y: cut(view.y, y) } : { x: [0, 1], y: [0, 1] };
    const isFull = [next.x, next.y].every(([from, to]) => to - from > 0.9999);
    if (isFull && !state.view) return false;
    state.view = isFull ? null : next;
    draw();
    return true;
  };
}

function shownLines(data, state) {
  return data.lines
    .filter((line) => line.axis === state.axis)
    .map((line, index) => ({ ...line, index }))
    .filter((line) => line.points.length && isHeld(data.points[line.points[0][1]], state.held, state.axis))
    .map((line) => ({
      ...line,
      curve: line.curves[state.quantity] || [],
      marks: line.points
        .map(([size, place]) => ({ size, place, point: data.points[place] }))
        .filter(({ point }) => point.values[state.quantity])
        .map((mark) => ({ ...mark, value: mark.point.values[state.quantity][1] })),
    }))
    .filter((line) => line.marks.length);
}

function drawTrend(data, state, parts, choose, draw) {
  const lines = shownLines(data, state);
  const drawn = lines.filter((line) => !state.off.has(line.name));
  const quantity = data.quantities.find((one) => one.name === state.quantity);
  const width = Math.max(parts.plot.clientWidth || 720, 280);
  const frame = { left: MARGIN.left, right: width - MARGIN.right, top: MARGIN.top, bottom: HEIGHT - MARGIN.bottom };
  parts.plot.dataset.width = parts.plot.clientWidth;
  const had = parts.plot.contains(document.activeElement) && document.activeElement.dataset.record;
  fillLegend(parts.legend, lines, state, draw);
  parts.caption.textContent = captionWords(drawn, lines, state);
  if (!lines.length) {
    parts.plot.replaceChildren(nothing("No point here has this quantity."));
    return;
  }
  const scales = trendScales(drawn.length ? drawn : lines, state, frame);
  const picture = svg("svg", {
    viewBox: `0 0 ${width} ${HEIGHT}`, width, height: HEIGHT, role: "group",
    "aria-label": `${quantity.title} over ${state.axis}, ${drawn.length} lines`,
  });
  picture.append(
    svg("clipPath", { id: "trend-frame" }, svg("rect", {
      x: frame.left, y: frame.top, width: frame.right - frame.left, height: frame.bottom - frame.top,
    })),
    trendAxes(scales, frame, quantity, (drawn[0] || lines[0]).sizeLabel),
  );
  const inside = svg("g", { "clip-path": "url(#trend-frame)" });
  inside.append(...shadeBeyond(drawn, scales, frame), ...drawn.map((line) => lineShape(line, scales, drawn.length <= MOST_BANDS)));
  const marks = svg("g", { "clip-path": "url(#trend-frame)", class: "marks" });
  for (const line of drawn) marks.append(...line.marks.map((mark) => markShape(data, line, mark, scales, state, choose)));
  for (const mark of [...marks.children]) if (isOutside(mark, frame)) mark.remove();
  picture.append(inside, marks);
  parts.plot.replaceChildren(picture);
  roving(picture);
  zoomByPointer(picture, frame, state, draw);
  const again = had && [...marks.children].find((one) => one.dataset.record === had);
  if (again) again.focus({ preventScroll: true });
}

function isOutside(mark, frame) {
  const [x, y] = [Number(mark.dataset.x), Number(mark.dataset.y)];
  return x < frame.left - 1 || x > frame.right + 1 || y < frame.top - 1 || y > frame.bottom + 1;
}

function trendScales(lines, state, frame) {
  const view = state.view || { x: [0, 1], y: [0, 1] };
  const logY = isLogY(state);
  const sizes = lines.flatMap((line) => [...line.marks.map((mark) => mark.size), ...line.curve.map((one) => one[0])]);
  const measured = lines.flatMap((line) => line.marks.flatMap((mark) => mark.point.values[state.quantity]));
  // No share passes 100 %, so a curve that does must not squeeze what was measured.
  const most = ["share", "vendor"].includes(state.quantity) ? Math.max(110, ...measured) : Infinity;
  const expected = lines.flatMap((line) => line.curve.map((one) => Math.min(one[2], most)));
  const x = partOf(state.isLogX, boundsOf(sizes, state.isLogX), view.x);
  const y = partOf(logY, boundsOf([...measured, ...expected], logY), view.y);
  return { x: scaleOf(state.isLogX, x, [frame.left, frame.right]), y: scaleOf(logY, y, [frame.bottom, frame.top]) };
}

function trendAxes(scales, frame, quantity, sizeLabel) {
  const group = svg("g", { class: "axes" });
  const ticksX = ticksOf(scales.x, Math.max(Math.floor((frame.right - frame.left) / 110), 2));
  const ticksY = ticksOf(scales.y, 6);
  for (const value of ticksX) {
    const x = scales.x.at(value);
    group.append(svg("line", { class: "grid", x1: x, x2: x, y1: frame.top, y2: frame.bottom }),
      svg("text", { x, y: frame.bottom + 18, "text-anchor": "middle" }, tickWords(value, "", ticksX)));
  }
  for (const value of ticksY) {
    const y = scales.y.at(value);
    group.append(svg("line", { class: "grid", x1: frame.left, x2: frame.right, y1: y, y2: y }),
      svg("text", { x: frame.left - 8, y: y + 4, "text-anchor": "end" }, tickWords(value, quantity.unit, ticksY)));
  }
  group.append(
    svg("path", { class: "frame", d: `M${frame.left} ${frame.top}V${frame.bottom}H${frame.right}` }),
    svg("text", { class: "title", x: frame.left, y: 14 }, quantity.title),
    svg("text", { class: "title", x: (frame.left + frame.right) / 2, y: HEIGHT - 12, "text-anchor": "middle" },
      sizeLabel.length > 60 ? `${sizeLabel.slice(0, 59)}…` : sizeLabel),
  );
  return group;
}

function shadeBeyond(lines, scales, frame) {
  const measured = Math.max(...lines.flatMap((line) => line.marks.map((mark) => mark.size)));
  const reached = Math.max(0, ...lines.flatMap((line) => line.curve.map((one) => one[0])));
  if (!lines.length || reached <= measured * 1.0001) return [];
  const start = Math.max(scales.x.at(measured), frame.left);
  if (start >= frame.right) return [];
  const shade = svg("rect", {
    class: "beyond", x: start, y: frame.top, width: frame.right - start, height: frame.bottom - frame.top,
  });
  if (frame.right - start < 76) return [shade];
  const words = svg("text", { class: "hint", x: (start + frame.right) / 2, y: frame.top + 14, "text-anchor": "middle" }, "extrapolated");
  return [shade, words];
}

function lineShape(line, scales, hasBand) {
  const group = svg("g", { class: `line ${colourClass(line.index)}` });
  const place = (size, value) => [scales.x.at(size), scales.y.at(scales.y.isLog ? Math.max(value, scales.y.low * 1e-6) : value)];
  if (!line.curve.length) {
    const joined = line.marks.map((mark) => place(mark.size, mark.value));
    group.append(svg("path", { class: "law dotted", d: pathThrough(joined) }));
    return group;
  }
  const band = [...line.curve.map((one) => place(one[0], one[3])), ...line.curve.map((one) => place(one[0], one[1])).reverse()];
  const last = line.curve.findLastIndex((one) => !one[4]);
  const centre = line.curve.map((one) => place(one[0], one[2]));
  if (hasBand) group.append(svg("path", { class: "band", d: `${pathThrough(band)}z` }));
  if (last >= 0) group.append(svg("path", { class: "law", d: pathThrough(centre.slice(0, last + 1)) }));
  group.append(svg("path", { class: "law dashed", d: pathThrough(centre.slice(Math.max(last, 0))) }));
  return group;
}

function markShape(data, line, mark, scales, state, choose) {
  const [low, value, high] = mark.point.values[state.quantity];
  const x = scales.x.at(mark.size);
  const y = scales.y.at(value);
  const ends = [low, high].map((bound) => scales.y.at(scales.y.isLog ? Math.max(bound, scales.y.low * 1e-6) : bound));
  const group = svg("g", {
    class: `point ${colourClass(line.index)}`, "data-record": mark.point.record, "data-x": x, "data-y": y,
  },
  svg("line", { class: "bar", x1: x, x2: x, y1: ends[0], y2: ends[1] }),
  svg("circle", { class: "reach", cx: x, cy: y, r: 10 }),
  marker(line.index, x, y, 5));
  return telling(group, pointName(mark.point), pointRows(data, mark.point), () => choose(mark.place));
}

function fillLegend(legend, lines, state, draw) {
  const items = lines.map((line) => {
    const box = html("input", { type: "checkbox" });
    box.checked = !state.off.has(line.name);
    box.addEventListener("change", () => {
      if (box.checked) state.off.delete(line.name);
      else state.off.add(line.name);
      draw();
    });
    const sign = svg("svg", { viewBox: "-14 -8 28 16", width: 28, height: 16, "aria-hidden": "true" },
      svg("path", { class: `law ${colourClass(line.index)}`, d: "M-13 0H13" }), marker(line.index, 0, 0, 5));
    return html("li", box.checked ? {} : { class: "off" }, html("label", {}, box, sign, html("span", { dir: "auto" }, line.name)));
  });
  if (items.length !== legend.children.length || !legend.contains(document.activeElement)) legend.replaceChildren(...items);
  else [...legend.children].forEach((item, index) => item.classList.toggle("off", state.off.has(lines[index].name)));
}

function captionWords(drawn, lines, state) {
  const count = drawn.reduce((sum, line) => sum + line.marks.length, 0);
  const words = [`${counted(count, "point")} on ${drawn.length} of ${counted(lines.length, "line")}. Marks: medians with their intervals.`];
  const bands = drawn.length > MOST_BANDS ? ` (bands are left out for more than ${MOST_BANDS} lines)` : "";
  if (drawn.some((line) => line.curve.length)) words.push(`Curves: fit with its 90 % prediction band${bands}; dashed where extrapolated, not measured.`);
  if (drawn.some((line) => !line.curve.length && line.marks.length > 1)) words.push("Dotted lines join points without a law of this quantity.");
  if (state.view) words.push("Zoomed in; Reset shows everything.");
  return words.join(" ");
}

function zoomByPointer(picture, frame, state, draw) {
  const zoom = zoomed(state, draw);
  const place = (event) => {
    const box = picture.getBoundingClientRect();
    const stretch = box.width / picture.viewBox.baseVal.width;
    return [(event.clientX - box.left) / stretch, (event.clientY - box.top) / stretch];
  };
  const share = ([x, y]) => [(x - frame.left) / (frame.right - frame.left), (frame.bottom - y) / (frame.bottom - frame.top)];
  const isInside = (shares) => shares.every((one) => one >= 0 && one <= 1);
  picture.addEventListener("wheel", (event) => {
    const shares = share(place(event));
    if (isInside(shares) && zoom(Math.exp(event.deltaY * 0.002), shares)) event.preventDefault();
  }, { passive: false });
  picture.addEventListener("dblclick", () => zoom(Infinity));
  picture.addEventListener("pointerdown", (event) => {
    const start = place(event);
    if (event.button || event.pointerType === "touch" || !isInside(share(start)) || event.target.closest(".stop")) return;
    event.preventDefault();
    picture.setPointerCapture(event.pointerId);
    const area = svg("rect", { class: "area" });
    picture.append(area);
    const corners = (now) => [Math.min(start[0], now[0]), Math.max(start[0], now[0]), Math.min(start[1], now[1]), Math.max(start[1], now[1])];
    picture.onpointermove = (move) => {
      const [left, right, top, bottom] = corners(place(move));
      filled(area, { x: left, y: top, width: right - left, height: bottom - top }, []);
    };
    const end = (up) => {
      picture.onpointermove = null;
      area.remove();
      const [left, right, top, bottom] = corners(place(up));
      if (up.type === "pointerup" && right - left > 8 && bottom - top > 8) zoomInto(state, share([left, bottom]), share([right, top]), draw);
    };
    picture.addEventListener("pointerup", end, { once: true });
    picture.addEventListener("pointercancel", end, { once: true });
  });
}

function zoomInto(state, [x0, y0], [x1, y1], draw) {
  const view = state.view || { x: [0, 1], y: [0, 1] };
  const within = ([from, to], low, high) => {
    const [start, end] = [Math.max(low, 0), Math.min(high, 1)];
    return [from + start * (to - from), from + Math.max(end, start + 1e-3) * (to - from)];
  };
  state.view = { x: within(view.x, x0, x1), y: within(view.y, y0, y1) };
  draw();
}
