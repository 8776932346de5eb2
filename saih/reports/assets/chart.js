// Scales and ticks of a chart.
const PREFIXES = { "-12": "p", "-9": "n", "-6": "µ", "-3": "m", 0: "", 3: "k", 6: "M", 9: "G", 12: "T", 15: "P", 18: "E" };

function scaleOf(isLog, [low, high], [start, end]) {
  const bend = isLog ? Math.log10 : (value) => value;
  const [first, last] = [bend(low), bend(high)];
  return {
    isLog, low, high,
    at: (value) => start + ((bend(value) - first) / (last - first)) * (end - start),
  };
}

// The part of `full` that lies between the shares `from` and `to` of its length.
function partOf(isLog, full, [from, to]) {
  const [low, high] = isLog ? full.map(Math.log10) : full;
  const ends = [low + from * (high - low), low + to * (high - low)];
  return isLog ? ends.map((value) => 10 ** value) : ends;
}

function ticksOf(scale, wanted) {
  const decades = Math.log10(scale.high / scale.low);
  if (!scale.isLog || decades < 0.7) return evenTicks(scale.low, scale.high, wanted);
  const steps = decades > wanted ? [1] : decades > wanted / 2 ? [1, 3] : [1, 2, 5];
  const every = decades > wanted ? Math.ceil(decades / wanted) : 1;
  const ticks = [];
  for (let power = Math.floor(Math.log10(scale.low)); power <= Math.log10(scale.high); power += 1) {
    if (power % every) continue;
    for (const step of steps) {
      const value = step * 10 ** power;
      if (value >= scale.low * 0.9999 && value <= scale.high * 1.0001) ticks.push(value);
    }
  }
  return ticks;
}

function evenTicks(low, high, wanted) {
  const rough = (high - low) / wanted;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5].find((one) => one * power >= rough) || 10);
  const ticks = [];
  for (let number = Math.ceil(low / step - 1e-9); number * step <= high + step * 1e-9; number += 1) ticks.push(number * step);
  return ticks;
}

function tickWords(value, unit, ticks) {
  const gap = ticks.length > 1 ? Math.min(...ticks.slice(1).map((one, index) => one - ticks[index])) : value;
  const needed = value ? Math.ceil(Math.log10(Math.abs(value) / gap) - 1e-9) + 1 : 1;
  const digits = Math.min(Math.max(needed, 3), 9);
  if (!value || unit === "%") return `${Number(value.toPrecision(digits))}\u00a0${unit}`.trimEnd();
  const lowest = unit && !unit.includes("/") ? -12 : 0;
  const highest = unit === "s" ? 0 : 18;
  const exponent = Math.min(Math.max(3 * Math.floor(Math.log10(Math.abs(value)) / 3 + 1e-9), lowest), highest);
  const number = Number((value / 10 ** exponent).toPrecision(digits));
  return `${number}\u00a0${PREFIXES[exponent]}${unit}`.trimEnd();
}

function pathThrough(places) {
  return places.map(([x, y], index) => `${index ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`).join("");
}

// Bounds around `values`, with room at both ends; a linear axis of amounts begins at zero.
function boundsOf(values, isLog) {
  const known = values.filter((value) => Number.isFinite(value) && (!isLog || value > 0));
  if (!known.length) return isLog ? [1, 10] : [0, 1];
  const low = Math.min(...known);
  const high = Math.max(...known);
  if (!isLog) return [Math.min(0, low), high > 0 ? high * 1.08 : 1];
  const room = 10 ** Math.max(0.06 * Math.log10(high / low), 0.12);
  return [low / room, high * room];
}
