// The table of points: sorted by a click on a column, filtered by words; a chosen mark leads to its row.
function pointTable(data) {
  const columns = tableColumns(data);
  const state = { column: 0, isFalling: false, words: "" };
  const body = html("tbody");
  const rows = [...data.points.map((point, place) => tableRow(columns, point, place)),
    ...data.missing.map((lost, place) => tableRow(columns, lost, -1 - place))];
  const count = html("span", { class: "quiet", role: "status" });
  const filter = html("input", { type: "search", name: "filter", "aria-label": "Filter the rows", placeholder: "such as width 16, memory" });
  const heads = columns.map((column, index) => {
    const button = action(column.title, `Sort by ${column.title}`, () => {
      state.isFalling = state.column === index && !state.isFalling;
      state.column = index;
      draw();
    });
    return html("th", { scope: "col", class: column.isNumber ? "num" : "" }, button);
  });
  const draw = () => {
    const wanted = state.words.toLowerCase().split(",").map((one) => one.trim());
    const shown = rows.filter((row) => wanted.every((word) => row.words.includes(word)));
    shown.sort((one, other) => compared(one.keys[state.column], other.keys[state.column], state.isFalling));
    body.replaceChildren(...shown.map((row) => row.element));
    heads.forEach((head, index) => head.setAttribute("aria-sort", index !== state.column ? "none" : state.isFalling ? "descending" : "ascending"));
    count.textContent = `${shown.length} of ${rows.length} rows`;
  };
  filter.addEventListener("input", () => {
    state.words = filter.value;
    draw();
  });
  draw();
  const table = html("table", { class: "points" }, html("caption", {}, "Points, measured and not; intervals in brackets"),
    html("thead", {}, html("tr", {}, ...heads)), body);
  const element = html("div", {}, html("h3", { id: "explore-points" }, "Points"),
    html("div", { class: "controls" }, html("label", {}, html("span", {}, "filter"), filter), count),
    html("div", { class: "scroll tall", tabindex: "0", role: "region", "aria-label": "Points" }, table));
  const choose = (place) => {
    if (filter.value) {
      filter.value = state.words = "";
      draw();
    }
    hideTip();
    body.querySelectorAll(".chosen").forEach((one) => one.classList.remove("chosen"));
    const row = rows.find((one) => one.place === place).element;
    row.classList.add("chosen");
    row.focus({ preventScroll: true });
    row.scrollIntoView({ block: "center" });
  };
  return { element, choose };
}

function tableColumns(data) {
  const all = [...data.points, ...data.missing];
  const axes = [...new Set(all.flatMap((one) => Object.keys(one.labels)))];
  const order = (axis) => new Map([...new Set(data.points.map((one) => one.labels[axis]))].map((label, index) => [label, index]));
  const columns = [{ title: "#", isNumber: true, words: (one) => (one.number ? String(one.number) : ""), key: (one) => one.number }];
  for (const axis of axes) {
    const places = order(axis);
    columns.push({ title: axis, isName: true, words: (one) => one.labels[axis] || "", key: (one) => places.get(one.labels[axis]) ?? all.length });
  }
  if (data.settings.length > 1) columns.push({ title: "setting", words: (one) => data.settings[one.setting], key: (one) => one.setting });
  for (const quantity of data.quantities) {
    columns.push({
      title: quantity.title, isNumber: true,
      words: (one) => one.words?.[quantity.name] || (one.values ? "not known" : ""), key: (one) => one.values?.[quantity.name]?.[1],
    });
  }
  columns.push(
    { title: "steps", isNumber: true, words: (one) => (one.steps ? String(one.steps) : ""), key: (one) => one.steps },
    { title: "held back by", words: (one) => one.verdict || `${one.state}: ${one.reason}`, key: (one) => one.verdict || "\uffff" },
    { title: "record", isCode: true, words: (one) => one.record || "", key: (one) => one.record },
  );
  return columns;
}

function tableRow(columns, one, place) {
  const cells = columns.map((column) => html("td", { class: cellClass(column), dir: "auto" }, ...(column.isCode ? breakable(column.words(one)) : [column.words(one)])));
  const element = html("tr", { tabindex: "-1", "data-record": one.record || "" }, ...cells);
  if (place < 0) element.classList.add("lost");
  return { element, place, keys: columns.map((column) => column.key(one)), words: columns.map((column) => column.words(one)).join(" ").toLowerCase() };
}

function cellClass(column) {
  return column.isNumber ? "num" : column.isCode ? "code" : column.isName ? "name" : "";
}

// A record id may break after its slash.
function breakable(words) {
  return words.split(/(?<=\/)/).flatMap((part, index) => (index ? [html("wbr"), part] : [part]));
}

// What has no value comes last, whichever way the rest is sorted.
function compared(one, other, isFalling) {
  if (one === undefined || other === undefined) return (one === undefined) - (other === undefined);
  const sign = isFalling ? -1 : 1;
  return sign * (typeof one === "string" || typeof other === "string" ? String(one).localeCompare(String(other), "en", { numeric: true }) : one - other);
}
