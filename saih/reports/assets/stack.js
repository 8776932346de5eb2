// Phase stacks: where the time of a step goes at each point, as shares of the step or as times.
const FIRST_BARS = 24;

function phaseStacks(data, choose) {
  const heading = html("h3", { id: "explore-stacks" }, "Where the time of a step goes");
  if (!data.points.length) return html("div", {}, heading, nothing("No point was measured, so there is no step to divide."));
  const state = { unit: "share", order: "table", held: {}, isWhole: false };
  const controls = html("div", { class: "controls" });
  const bars = html("div", { class: "stack" });
  const more = html("div", { class: "buttons" });
  const caption = html("figcaption", {}, "Bars: medians of the additive phases. Each step is their sum; medians need not add up to the median step. Marks below a bar: hidden phases, work that overlap hides; an arrow where one is longer than the scale.");
  const draw = () => drawStacks(data, state, { bars, more }, choose, draw);
  controls.append(
    choice("stack-unit", "bars show", [["share", "share of the step"], ["time", "time"]], state.unit, (value) => {
      state.unit = value;
      draw();
    }),
    choice("stack-order", "order", [["table", "as in the table"], ["step", "longest step first"], ["share", "highest share of peak first"]], state.order, (value) => {
      state.order = value;
      draw();
    }),
    ...holds(data, null, state.held, draw),
  );
  draw();
  const key = html("ul", { class: "legend" }, ...data.phases.map((phase, number) => [phase, number])
    .filter(([, number]) => data.points.some((point) => point.phases[number]?.[0] > 0))
    .map(([phase, number]) => html("li", {}, html("span", { class: `key ${phase.hidden ? "hidden-mark" : "part"} p${number}` }), phase.title)));
  return html("div", {}, heading, html("figure", {}, controls, key, bars, more, caption));
}

function drawStacks(data, state, parts, choose, draw) {
  const shown = data.points.map((point, place) => ({ point, place })).filter(({ point }) => isHeld(point, state.held, null));
  const value = (one) => one.point.values[state.order]?.[1] || 0;
  if (state.order !== "table") shown.sort((one, other) => value(other) - value(one));
  const part = state.isWhole ? shown : shown.slice(0, FIRST_BARS);
  const longest = Math.max(...part.map(({ point }) => point.values.step[1]));
  parts.bars.replaceChildren(...part.map(({ point, place }) => stackRow(data, state, point, place, longest, choose)));
  roving(parts.bars);
  const words = state.isWhole ? `Show the first ${FIRST_BARS}` : `Show all ${shown.length} points`;
  const toggle = action(words, words, () => {
    state.isWhole = !state.isWhole;
    draw();
  });
  parts.more.replaceChildren(...(shown.length > FIRST_BARS ? [toggle] : []));
  if (!shown.length) parts.bars.replaceChildren(nothing("No point lies there."));
}

function stackRow(data, state, point, place, longest, choose) {
  const step = point.values.step[1];
  const room = state.unit === "share" ? step : longest;
  const bar = html("div", { class: "bars" });
  const told = [];
  data.phases.forEach((phase, number) => {
    const found = point.phases[number];
    if (!found) return;
    const share = found[0] / room;
    told.push([phase.title, `${found[1]}, n = ${found[2]}`]);
    if (phase.hidden && found[0] > 0) bar.append(hiddenMark(number, share));
    else if (!phase.hidden) bar.append(stackPart(number, share, found[0] / step));
  });
  told.push(["median step", point.words.step], ["record", point.record]);
  const row = html("div", { class: "row", "data-record": point.record },
    html("span", { class: "name" }, clamped(`${labelWords(point.labels)} #${point.number}`)), bar,
    html("span", { class: "length" }, point.words.step.split(" [")[0]));
  return telling(row, pointName(point), told, () => choose(place));
}

function stackPart(number, share, shareOfStep) {
  const part = html("div", { class: `part p${number}` }, share >= 0.06 ? `${Math.round(100 * shareOfStep)}` : "");
  part.style.width = `${100 * share}%`;
  return part;
}

function hiddenMark(number, share) {
  const isBeyond = share > 1;
  const mark = html("i", { class: `hidden-mark p${number}${isBeyond ? " beyond" : ""}` });
  mark.style.left = `${100 * Math.min(share, 1)}%`;
  return mark;
}
