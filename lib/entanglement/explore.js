// The explorer: four scenes on the law of a pair, w <- (A w + z)/B, w = cot(angle to the sample).
// Front-end of the widget in notebook 00 and of the web pages' index. Everything predicted comes in
// `table`, from entanglement.theory (explore.py); here is only simulation, exact in law.

// ---- engine

/** Random numbers from a seed: uniform, normal, chi (its distribution), all exact. */
export function generator(seed) {
  const state = new Uint32Array(4);
  for (let i = 0, x = seed >>> 0; i < 4; i++) {
    x = (x + 0x9e3779b9) >>> 0;
    let y = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
    y = Math.imul(y ^ (y >>> 13), 0xc2b2ae35);
    state[i] = y ^ (y >>> 16);
  }
  const rotated = (x, by) => (x << by) | (x >>> (32 - by));
  const uniform = () => { // xoshiro128++ (Blackman and Vigna 2021), in (0, 1)
    const found = (rotated(state[0] + state[3], 7) + state[0]) >>> 0, kept = state[1] << 9;
    state[2] ^= state[0]; state[3] ^= state[1]; state[1] ^= state[2]; state[0] ^= state[3];
    state[2] ^= kept; state[3] = rotated(state[3], 11);
    return (found + 0.5) / 2 ** 32;
  };
  let spare = null;
  const normal = () => { // Box and Muller 1958
    if (spare !== null) { const found = spare; spare = null; return found; }
    const radius = Math.sqrt(-2 * Math.log(uniform())), turn = 2 * Math.PI * uniform();
    spare = radius * Math.sin(turn);
    return radius * Math.cos(turn);
  };
  const chi = freedom => { // root of twice a gamma variate, Marsaglia and Tsang 2000
    if (freedom < 2) return Math.abs(normal());
    const d = freedom / 2 - 1 / 3, c = 1 / Math.sqrt(9 * d);
    for (;;) {
      const x = normal(), v = (1 + c * x) ** 3;
      if (v > 0 && Math.log(uniform()) < x * x / 2 + d * (1 - v + Math.log(v))) return Math.sqrt(2 * d * v);
    }
  };
  return { uniform, normal, chi };
}

const polynomial = (coefficients, x) => coefficients.reduceRight((sum, c) => sum * x + c, 0);

/** A of one layer: the norm of its margins. `log_norm`: its quantile function, of a normal score. */
export const norm = (layer, random) =>
  layer.log_norm ? Math.exp(polynomial(layer.log_norm, random.normal())) : random.chi(layer.k);

/** The law of a pair. */
export const step = (w, A, B, z) => (A * w + z) / B;

/** One layer of a network of its own. */
export const advance = (layer, w, random) =>
  step(w, norm(layer, random), random.chi(layer.k - 1), random.normal());

/** w of a pair after `depth` layers. */
export function walk(layer, w, depth, random) {
  for (let l = 0; l < depth; l++) w = advance(layer, w, random);
  return w;
}

/** w of an unseen input, independent of the sample, in R^d. */
export const unseen = (d, random) => random.normal() / random.chi(d - 1);

/** cot of an angle in degrees: 0 at 90, exactly. */
export const velocity = degrees => Math.tan((90 - degrees) * Math.PI / 180);

/** The angle in degrees of w. */
export const angle = w => Math.atan2(1, w) * 180 / Math.PI;

/** Standard normal distribution function (Abramowitz and Stegun 7.1.26, error 1e-7). */
export function below(x) {
  const t = 1 / (1 + 0.3275911 * Math.abs(x) / Math.SQRT2);
  const tail = polynomial([0, 0.254829592, -0.284496736, 1.421413741, -1.453152027, 1.061405429], t)
    * Math.exp(-x * x / 2) / 2;
  return x < 0 ? tail : 1 - tail;
}

/** Share of unseen inputs with angle/180 in [low, high], w ~ N(0, scale^2). */
export const share = (low, high, scale) => {
  const to = loss => loss <= 0 ? 0 : loss >= 1 ? 1 : below(-velocity(180 * loss) / scale);
  return to(high) - to(low);
};

/** Margins of a layer's kept rows: |a| > q, q by its quantile function (Robert 1995); else normal. */
function margins(layer, random) {
  const q = layer.threshold ? polynomial(layer.threshold, random.normal()) : 0;
  const rate = (q + Math.sqrt(q * q + 4)) / 2, found = new Float64Array(layer.k);
  for (let i = 0; i < layer.k; i++) {
    let a = random.normal();
    if (q > 0) do a = q - Math.log(random.uniform()) / rate;
    while (Math.log(random.uniform()) > -((a - rate) ** 2) / 2);
    found[i] = random.uniform() < 0.5 ? -a : a;
  }
  return found;
}

/** Coordinates (m, m) of inputs on the basis that Gram and Schmidt make of them, first one first. */
function triangle(inputs) {
  const basis = [], dot = (x, y) => x.reduce((sum, value, i) => sum + value * y[i], 0);
  return inputs.map(input => {
    let rest = Float64Array.from(input);
    const size = Math.sqrt(dot(rest, rest)), found = new Float64Array(inputs.length);
    rest = rest.map(value => value / size);
    basis.forEach((e, j) => {
      found[j] = dot(e, rest);
      rest = rest.map((value, i) => value - found[j] * e[i]);
    });
    const left = Math.sqrt(dot(rest, rest));
    found[basis.length] = left;
    basis.push(rest.map(value => value / left));
    return found;
  });
}

/** Several inputs through one network, the sample first: R <- T R, T upper triangular with A, then
 * chi_{k-1}, chi_{k-2}, ... on its diagonal, N(0, 1) above. Returns R after 0, 1, ..., depth layers. */
export function together(layer, inputs, depth, random) {
  const path = [triangle(inputs)], m = inputs.length;
  for (let l = 0; l < depth; l++) {
    const T = Array.from({ length: m }, (_, i) => Float64Array.from({ length: m }, (_, j) =>
      i > j ? 0 : i < j ? random.normal() : i ? random.chi(layer.k - i) : norm(layer, random)));
    path.push(path[l].map(R => {
      const next = T.map(row => row.reduce((sum, value, j) => sum + value * R[j], 0));
      return Float64Array.from(next, value => value / Math.hypot(...next));
    }));
  }
  return path;
}

/** The last layer's bits for coordinates R: of margins a and fresh rows g, (m - 1, k). */
const bits = (R, a, g) => Array.from(a, (margin, i) =>
  margin * R[0] + g.reduce((sum, row, j) => sum + row[i] * R[j + 1], 0) > 0);

/** A secret under the sample's bits, read by others: wrong(depth) is the share of pixels that each
 * of the `readers` (inputs, (k,) each) and the holder of the sample in another network get wrong. */
export function reconciliation(layer, readers, depth, random) {
  const drawn = () => Float64Array.from({ length: layer.k }, random.normal);
  const sample = drawn(), path = together(layer, [sample, ...readers], depth - 1, random);
  const a = margins(layer, random), g = readers.map(drawn), other = margins(layer, random);
  const key = Array.from(a, margin => margin > 0);
  const differs = found => found.map((bit, i) => bit !== key[i]);
  const flips = at => [
    ...readers.map((_, j) => differs(bits(path[at - 1][j + 1], a, g))),
    differs(Array.from(other, margin => margin > 0)),
  ];
  return { key, flips, wrong: at => flips(at).map(each => each.filter(Boolean).length / layer.k) };
}

// ---- words and colours

const LIGHT = { ink: "#1b1b1b", soft: "#595959", line: "#c4c4c4", fill: "#f1f1ee", plus: "#0072B2",
  minus: "#B34700", paper: "#ffffff" };
const DARK = { ink: "#e6e6e6", soft: "#a8adb3", line: "#50565d", fill: "#22262b", plus: "#56B4E9",
  minus: "#F0A030", paper: "#16181b" };
const percent = (x, digits = x > 0 && x < 0.1 ? 1 : 0) => `${(100 * x).toFixed(digits)} %`;
const degrees = x => x > 0 && x < 0.1 ? "less than 0.1°" : x > 179.9 ? "180°, but for less than 0.1°"
  : `${+x.toFixed(x > 5 && x < 175 ? 0 : 1)}°`;
const layers = n => n === 1 ? "1 layer" : `${n} layers`;
const times = ratio => Number(ratio.toPrecision(3)).toLocaleString("en");
const published = list => list.flatMap(({ published, ratio }, i) => published ? [[i, times(ratio)]] : []);
const at = (list, ratio) => list.findIndex(layer => layer.ratio === ratio);

const STYLE = `
.ce { --target: 2.2rem; margin: 1rem 0; border: 1px solid var(--ce-line); border-radius: 10px;
  padding: .8rem; background: var(--ce-paper); color: var(--ce-ink); line-height: 1.45;
  font: 1rem/1.45 system-ui, sans-serif; max-width: 60rem; box-sizing: border-box; }
.ce * { box-sizing: border-box; }
.ce p { margin: .5rem 0; max-width: none; }
.ce [role=tablist] { display: flex; flex-wrap: wrap; gap: .4rem; }
.ce button, .ce select { min-height: var(--target); padding: .2rem .8rem; font: inherit; cursor: pointer;
  color: var(--ce-ink); background: var(--ce-fill); border: 1px solid var(--ce-line); border-radius: 6px; }
.ce [role=tab][aria-selected=true], .ce button.play { background: var(--ce-plus); color: var(--ce-paper);
  border-color: var(--ce-plus); }
.ce button.play { min-width: 6rem; font-weight: 600; }
.ce :focus-visible { outline: 3px solid var(--ce-minus); outline-offset: 2px; }
.ce canvas { display: block; width: 100%; touch-action: pan-y; border-radius: 6px; }
.ce select { width: 100%; }
.ce .row { display: flex; flex-wrap: wrap; gap: .5rem 1rem; align-items: center; margin: .5rem 0; }
.ce .control { flex: 1 1 15rem; min-width: 0; }
.ce .control label { display: flex; justify-content: space-between; gap: 1rem; }
.ce input[type=range] { display: block; width: 100%; height: 1.9rem; margin: 0; accent-color: var(--ce-plus); }
.ce .marks { display: flex; flex-wrap: wrap; gap: .3rem; align-items: center; font-size: .84rem;
  color: var(--ce-soft); }
.ce .marks button { min-height: 1.7rem; padding: 0 .5rem; font-size: .84rem; }
.ce .say { font-size: 1.08rem; min-height: 4.4em; }
.ce .refute { color: var(--ce-soft); font-size: .9rem; }
@media (max-width: 600px) { .ce { padding: .6rem; } .ce .say { min-height: 8.6em; }
  .ce [role=tab] { flex: 1 1 40%; } }
@media print { .ce button, .ce input { display: none; } }`;

// ---- what scenes draw

/** The half circle of angles: +u, the sample's feature, at its right end; balls [angle, height]. */
function dial(g, box, balls, colours) {
  const r = Math.min(box.width / 2 - 40, box.height - 50), x = box.x + box.width / 2, y = box.y + box.height - 18;
  const place = (theta, height = 0) => [x + r * (1 - height) * Math.cos(theta * Math.PI / 180),
    y - r * (1 - height) * Math.sin(theta * Math.PI / 180)];
  g.strokeStyle = colours.line; g.lineWidth = 1.5;
  g.beginPath(); g.arc(x, y, r, Math.PI, 2 * Math.PI); g.lineTo(x - r, y); g.stroke();
  for (const tick of [30, 60, 90, 120, 150]) {
    g.beginPath(); g.moveTo(...place(tick, -0.02)); g.lineTo(...place(tick, 0.03)); g.stroke();
  }
  label(g, "+u", x + r + 14, y + 5, colours.plus, "left", 16);
  label(g, "\u2212u", x - r - 14, y + 5, colours.minus, "right", 16);
  label(g, "90°", x, y - r - 9, colours.soft, "center");
  for (const [theta, height] of balls) {
    g.fillStyle = theta < 90 ? colours.plus : colours.minus; g.globalAlpha = 0.6;
    g.beginPath(); g.arc(...place(theta, height), 3.2, 0, 7); g.fill();
  }
  g.globalAlpha = 1;
  return { place, centre: [x, y], radius: r };
}

function label(g, text, x, y, colour, align = "left", size = 13) {
  g.font = `${size}px system-ui, sans-serif`; g.fillStyle = colour; g.textAlign = align;
  g.fillText(text, x, y);
}

/** Axes of a chart; returns functions from numbers to places. */
function axes(g, box, colours, { x: [left, right], y: [low, high], xticks, yticks, xlabel, ylabel }) {
  const inner = { x: box.x + 46, y: box.y + 26, width: box.width - 62, height: box.height - 70 };
  const X = value => inner.x + (value - left) / (right - left) * inner.width;
  const Y = value => inner.y + (1 - (value - low) / (high - low)) * inner.height;
  g.lineWidth = 1; g.strokeStyle = colours.line;
  for (const [value, text] of yticks) {
    g.beginPath(); g.moveTo(inner.x, Y(value)); g.lineTo(inner.x + inner.width, Y(value)); g.stroke();
    label(g, text, inner.x - 6, Y(value) + 4, colours.soft, "right");
  }
  for (const [value, text] of xticks) label(g, text, Math.min(X(value), box.x + box.width - 4.2 * text.length), inner.y + inner.height + 17, colours.soft, "center");
  label(g, xlabel, inner.x + inner.width / 2, inner.y + inner.height + 36, colours.soft, "center");
  label(g, ylabel, box.x + 4, box.y + 14, colours.soft);
  return { X, Y };
}

function line(g, points, colour, dash = []) {
  g.strokeStyle = colour; g.lineWidth = 2; g.setLineDash(dash); g.beginPath();
  points.forEach(([x, y], i) => i ? g.lineTo(x, y) : g.moveTo(x, y));
  g.stroke(); g.setLineDash([]);
}

function dot(g, x, y, colour, radius = 5) {
  g.fillStyle = colour; g.beginPath(); g.arc(x, y, radius, 0, 7); g.fill();
}

/** Two boxes side by side; one above the other where it is narrow. */
const halves = width => width < 620
  ? { height: 2 * Math.round(width * 0.62), boxes: [0, 1].map(i => ({ x: 0, y: i * Math.round(width * 0.62), width, height: Math.round(width * 0.62) })) }
  : { height: 300, boxes: [0, 1].map(i => ({ x: i * width / 2, y: 0, width: width / 2, height: 300 })) };

/** The control of n/k, one of the layers of a list. */
const pool_of = (list, marks) => ({ name: "pool", label: "size of the pool, n/k", min: 0,
  max: list.length - 1, text: v => times(list[v].ratio), restart: true, marks });

// ---- the scenes: settings and controls, start(seed), advance(ms) -> whether it goes on, draw, say

function ball(table) {
  const DEEP = table.scale[0].length - 1, PACE = 0.003, BINS = 25, list = table.layers;
  let random, mine, others, now = 0;
  const settings = { degrees: 88, pool: at(list, 64) };
  const follow = w => {
    const path = [w];
    for (let l = 0; l < DEEP; l++) path.push(advance(list[settings.pool], path[l], random));
    return { path, height: 0.14 * random.uniform() };
  };
  const add = count => {
    for (let i = 0; i < count && others.length < 5000; i++) others.push(follow(unseen(table.dim, random)));
  };
  const between = ({ path }) => {
    const l = Math.min(Math.floor(now), DEEP - 1), part = now - l;
    return angle(path[l]) * (1 - part) + angle(path[l + 1]) * part;
  };
  const whole = () => Math.round(now);
  return {
    title: "Drop a ball",
    lead: "A network is made from one sample of noise, nothing else. Drop an input it has never seen anywhere on the half circle (drag it): each layer moves it.",
    refute: "It would be refuted if balls stayed in the middle, or if the bars left the line, which was computed first.",
    settings,
    controls: [
      { name: "degrees", label: "your ball starts at", min: 1, max: 179, text: v => `${v}°` },
      { name: "depth", label: "layers", min: 0, max: DEEP, get: whole, set: v => { now = v; },
        text: v => layers(v), marks: [[2, "2"], [4, "4"], [6, "6"], [8, "8"], [10, "10"]] },
      pool_of(list, [[0, "none (control)"], [at(list, 64), "64"]]),
      { name: "add", label: "Add 200", press: () => add(200) },
    ],
    start(seed) {
      random = generator(seed);
      const count = others ? others.length : 200;
      others = [];
      mine = follow(velocity(settings.degrees));
      add(count);
    },
    change(name) { if (name === "degrees") { now = 0; mine = follow(velocity(settings.degrees)); } },
    begin() { if (now >= DEEP) now = 0; },
    advance(ms) { now = Math.min(DEEP, now + ms * PACE); return now < DEEP; },
    layout: halves,
    draw(g, { boxes: [left, right] }, colours) {
      const { place, centre, radius } = dial(g, left, others.map(each => [between(each), each.height]), colours);
      const theta = between(mine), trail = mine.path.slice(0, Math.floor(now) + 1).map(angle).concat(theta);
      this.centre = centre; this.radius = radius;
      line(g, trail.map((each, l) => place(each, 0.5 * (1 - l / trail.length) + 0.14)), colours.soft);
      g.lineWidth = 3; g.strokeStyle = colours.ink;
      g.beginPath(); g.moveTo(...centre); g.lineTo(...place(theta, 0.06)); g.stroke();
      dot(g, ...place(theta), colours.ink, 11);
      dot(g, ...place(theta), theta < 90 ? colours.plus : colours.minus, 8);
      const { X, Y } = axes(g, right, colours, { x: [1, 0], y: [0, 0.8], ylabel: "share of the unseen inputs",
        xticks: [[1, "\u2212u"], [0.5, "90°"], [0, "+u"]], yticks: [[0, "0"], [0.2, "20 %"], [0.4, "40 %"], [0.6, "60 %"], [0.8, "80 %"]],
        xlabel: `after ${layers(whole())}: bars measured, line predicted` });
      const counts = new Array(BINS).fill(0);
      for (const each of others) counts[Math.min(BINS - 1, Math.floor(between(each) / 180 * BINS))]++;
      counts.forEach((count, i) => {
        g.fillStyle = 2 * i + 1 < BINS ? colours.plus : 2 * i + 1 > BINS ? colours.minus : colours.soft;
        g.globalAlpha = 0.75;
        g.fillRect(X((i + 1) / BINS) + 1, Y(count / others.length), X(0) - X(1 / BINS) - 2, Y(0) - Y(count / others.length));
      });
      g.globalAlpha = 1;
      const scale = table.scale[settings.pool][whole()];
      line(g, counts.flatMap((_, i) => {
        const y = Y(share(i / BINS, (i + 1) / BINS, scale));
        return [[X(i / BINS), y], [X((i + 1) / BINS), y]];
      }), colours.ink);
    },
    grab(x, y) {
      const away = Math.hypot(x - this.centre[0], y - this.centre[1]);
      return away < this.radius + 30 && away > this.radius * 0.4 && y < this.centre[1] + 20;
    },
    drag(x, y) {
      const theta = Math.atan2(Math.max(0, this.centre[1] - y), x - this.centre[0]) * 180 / Math.PI;
      settings.degrees = Math.min(179, Math.max(1, Math.round(theta)));
      this.change("degrees");
    },
    say() {
      const L = whole(), theta = angle(mine.path[L]), scale = table.scale[settings.pool][L];
      if (!L) return `Your ball starts ${settings.degrees}° from the sample; ${others.length} inputs of pure noise stand near 90°, as noise always does. Press Play and watch where ten layers take them.`;
      const near = others.map(each => angle(each.path[L])).filter(each => each < 1.8 || each > 178.2);
      const plus = near.filter(each => each < 90).length, predicted = 2 * share(0, 0.01, scale);
      const own = theta < 1.8 ? "it now gets the sample's own feature, +u"
        : theta > 178.2 ? "it now gets the exact negative of the sample's feature, \u2212u" : theta < 90 ? "it drifts to +u" : "it drifts to \u2212u";
      const crowd = near.length / others.length > 0.5
        ? `They have split: ${plus} at +u, ${near.length - plus} at \u2212u. All that is left of an input is which end it went to: one bit.`
        : settings.pool ? "Most are still under way." : "Ordinary rows, nothing chosen: the same happens, but slowly (see Turn the pool).";
      return `After ${layers(L)} your ball is at ${degrees(theta)}: ${own}. Of ${others.length} inputs never seen, ${percent(near.length / others.length)} lie within 1 % of an end (predicted ${percent(predicted)}). ${crowd}`;
    },
  };
}

function ends(table) {
  const GOAL = 400, PACE = 0.2;
  const settings = { degrees: 60, rows: 0 };
  let random, tallies, last, sweep = [];
  const key = () => `${settings.rows} ${settings.degrees}`;
  const tally = () => tallies[key()] ?? { rows: settings.rows, degrees: settings.degrees, plus: 0, count: 0 };
  const predicted = (rows, angle) => {
    const found = table.ends[rows].plus[Math.min(angle, 180 - angle)];
    return angle > 90 ? 1 - found : found;
  };
  const toss = () => {
    const one = tallies[key()] = tally(), { layer, depth } = table.ends[settings.rows];
    last = walk(layer, velocity(settings.degrees), depth, random) > 0;
    one.count++; one.plus += last;
    one.last = [...(one.last ?? []).slice(-23), last];
  };
  return {
    title: "Which end?",
    lead: "+u or \u2212u: who decides? Choose the angle at which a pair of inputs starts, then send it through one new network after another and count.",
    refute: "It would be refuted by points off the solid line. Points on the dashed curve would have looked like quantum entanglement.",
    settings,
    controls: [
      { name: "degrees", label: "starting angle", min: 1, max: 179, text: v => `${v}°`,
        marks: [[60, "60°"], [80, "80°"], [90, "90°"], [120, "120°"]] },
      { name: "rows", label: "rows of a layer", options: table.ends.map(each => each.label) },
      { name: "sweep", label: "All angles", press(go) { sweep = [10, 30, 50, 70, 80, 90, 100, 110, 130, 150, 170]; go(); } },
    ],
    start(seed) { random = generator(seed); tallies = {}; sweep = []; },
    begin() { if (!sweep.length && tally().count >= GOAL) delete tallies[key()]; },
    advance(ms) {
      if (sweep.length && tally().count >= GOAL) settings.degrees = sweep.shift();
      for (let i = Math.min(ms, 50) * (sweep.length ? 4 : 1) * PACE; i > 0 && tally().count < GOAL; i--) toss();
      return tally().count < GOAL || sweep.length > 0;
    },
    layout: width => ({ height: width < 620 ? 320 : 340, width }),
    draw(g, { width, height }, colours) {
      const { X, Y } = axes(g, { x: 0, y: 34, width, height: height - 34 }, colours, { x: [0, 180], y: [0, 1],
        xticks: [0, 45, 90, 135, 180].map(v => [v, `${v}°`]), yticks: [[0, "0"], [0.5, "50 %"], [1, "100 %"]],
        xlabel: "angle at which the pair starts", ylabel: "networks in which it ends at +u" });
      const all = Array.from({ length: 179 }, (_, i) => i + 1);
      line(g, all.map(v => [X(v), Y((1 + Math.cos(v * Math.PI / 180)) / 2)]), colours.minus, [6, 5]);
      line(g, all.map(v => [X(v), Y(predicted(settings.rows, v))]), colours.ink);
      const legend = X(96);
      label(g, "\u2014 predicted", legend, Y(1) + 18, colours.ink);
      label(g, "- - quantum cosine", legend, Y(1) + 36, colours.minus);
      label(g, "\u25cf measured, 95 %", legend, Y(1) + 54, colours.plus);
      for (const { rows, degrees, plus, count } of Object.values(tallies)) if (rows === settings.rows) {
        const p = plus / count, error = 1.96 * Math.sqrt((plus + 1) * (count - plus + 1) / (count + 2) ** 3);
        line(g, [[X(degrees), Y(Math.max(0, p - error))], [X(degrees), Y(Math.min(1, p + error))]], colours.plus);
        dot(g, X(degrees), Y(p), colours.plus);
      }
      line(g, [[X(settings.degrees), Y(0)], [X(settings.degrees), Y(0) + 6]], colours.ink);
      (tally().last ?? []).slice(-Math.floor((width - 16) / 26)).forEach((plus, i) => {
        dot(g, 16 + 26 * i, 16, plus ? colours.plus : colours.minus, 11);
        label(g, plus ? "+" : "\u2212", 16 + 26 * i, 21, colours.paper, "center", 15);
      });
      if (!tally().count) label(g, "each network gives one end: + or \u2212", 8, 20, colours.soft);
    },
    say() {
      const { plus, count } = tally(), v = settings.degrees, law = predicted(settings.rows, v);
      const quantum = percent((1 + Math.cos(v * Math.PI / 180)) / 2), { label } = table.ends[settings.rows];
      if (!count) return `From ${v}°, ${label}: predicted to end at +u in ${percent(law)} of networks; quantum entanglement would say ${quantum}. Press Play and count.`;
      const said = `From ${v}°, ${plus} of ${count} networks sent the pair to +u (${percent(plus / count)}; predicted ${percent(law)}). `;
      if (v === 90) return said + "At 90° it is a fair coin: nothing in the input decides, and every theory here agrees.";
      if (law > 0.995 || law < 0.005) return said + "Certainty: a pair brings its own network here, so hardly any is left to chance. No Bell test allows that.";
      return said + (settings.rows ? "Chosen rows: a coin near 90°, near certainty elsewhere." : `The straight line of a shared classical coin; the quantum cosine would give ${quantum}.`);
    },
  };
}

function secret(table) {
  const SIDE = 32, list = table.pictures, settings = { pool: at(list, 1.4) }, DEEP = list[0].wrong.length, PACE = 0.009;
  let run, random, depth = 1, real = 1, hidden = false, cursor = null, tiles = [], noise, pen = true;
  const photo = Float64Array.from(atob(table.photo), c => c.charCodeAt(0));
  const mean = photo.reduce((sum, v) => sum + v, 0) / photo.length;
  const NAMES = ["noise", "a photograph", "nothing but ones", "another network"];
  const drawing = Array.from({ length: SIDE * SIDE }, (_, i) => table.drawing[i] === "1");
  const verdict = e => e < 0.25 ? `${percent(e)} wrong` : e > 0.75 ? `a negative, ${percent(1 - e)} off` : `unreadable, ${percent(e)} wrong`;
  const paint = (x, y, on) => { if (x >= 0 && y >= 0 && x < SIDE && y < SIDE) drawing[y * SIDE + x] = on; };
  const cell = (x, y) => [x, y].map((v, i) => Math.floor((v - [tiles[0].x, tiles[0].y][i]) / tiles[0].size * SIDE));
  return {
    title: "Read my secret",
    lead: "Draw on the first square. It is published under a mask, the last bits of a secret sample of noise, together with the network. Who can read it? Not only whoever has the sample.",
    refute: "It would be refuted if strangers could not read it. (A secret would then be possible.) The control, another network, must stay unreadable.",
    settings,
    controls: [
      { name: "depth", label: "layers", min: 1, max: DEEP, get: () => depth, set: v => { depth = real = v; },
        text: v => layers(v), marks: [[40, "40"]] },
      pool_of(list, published(list)),
      { name: "hide", label: "Hide or show my drawing", press: () => { hidden = !hidden; } },
      { name: "clear", label: "Clear", press: () => { drawing.fill(false); hidden = false; } },
    ],
    start(seed) {
      random = generator(seed);
      noise = Float64Array.from({ length: SIDE * SIDE }, random.normal);
      const readers = [noise, photo.map(v => v - mean), new Float64Array(SIDE * SIDE).fill(1)];
      run = reconciliation(list[settings.pool], readers, DEEP, random);
    },
    begin() { if (depth >= DEEP) real = 1; },
    advance(ms) { real = Math.min(DEEP, real + ms * PACE); depth = Math.floor(real); return depth < DEEP; },
    layout(width) {
      const columns = width < 620 ? 3 : 6, gap = 10, size = Math.floor((width - gap * (columns - 1)) / columns);
      tiles = Array.from({ length: 6 }, (_, i) => ({ x: (i % columns) * (size + gap), y: Math.floor(i / columns) * (size + 46) + 20, size }));
      return { height: 6 / columns * (size + 46) + 6 };
    },
    draw(g, _, colours) {
      const flips = run.flips(depth), published = drawing.map((on, i) => on !== run.key[i]);
      const narrow = tiles[0].size < 120;
      const pictures = [hidden ? null : drawing, published, ...flips.map(each => drawing.map((on, i) => on !== each[i]))];
      const titles = [hidden ? "hidden" : "my drawing", "published", "noise", narrow ? "photo" : "a photograph", narrow ? "only ones" : "nothing but ones", narrow ? "control" : "another network"];
      pictures.forEach((picture, n) => {
        const { x, y, size } = tiles[n], unit = size / SIDE;
        label(g, titles[n], x, y - 6, colours.ink);
        g.fillStyle = picture ? "#ffffff" : colours.fill; g.fillRect(x, y, size, size);
        g.fillStyle = "#1b1b1b";
        picture?.forEach((on, i) => { if (on) g.fillRect(x + (i % SIDE) * unit, y + Math.floor(i / SIDE) * unit, unit + 0.4, unit + 0.4); });
        if (!picture) label(g, "?", x + size / 2, y + size / 2 + 12, colours.soft, "center", 36);
        g.strokeStyle = n ? colours.line : colours.plus; g.lineWidth = n ? 1 : 2; g.strokeRect(x, y, size, size);
        if (n > 1) {
          const e = flips[n - 2].filter(Boolean).length / (SIDE * SIDE);
          label(g, e < 0.25 ? `${percent(e)} wrong` : e > 0.75 ? "negative" : "unreadable", x, y + size + 17, e < 0.25 ? colours.plus : e > 0.75 ? colours.minus : colours.soft);
        } else label(g, n ? "what all see" : "draw here", x, y + size + 17, colours.soft);
      });
      if (cursor) {
        const { x, y, size } = tiles[0], unit = size / SIDE;
        g.strokeStyle = colours.minus; g.lineWidth = 2;
        g.strokeRect(x + cursor[0] * unit - 1, y + cursor[1] * unit - 1, unit + 2, unit + 2);
      }
    },
    grab(x, y) { const [i, j] = cell(x, y); pen = !drawing[j * SIDE + i]; return i >= 0 && j >= 0 && i < SIDE && j < SIDE; },
    drag(x, y) {
      hidden = false;
      const [i, j] = cell(x, y);
      for (const [a, b] of [[0, 0], [1, 0], [0, 1], [1, 1]]) paint(i + a, j + b, pen);
    },
    keys: "32 by 32 squares: arrow keys move, space paints or clears",
    key(pressed) {
      const move = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[pressed];
      if (!move && pressed !== " ") return false;
      cursor ??= [15, 15];
      if (move) cursor = cursor.map((v, i) => Math.min(SIDE - 1, Math.max(0, v + move[i])));
      else { hidden = false; paint(...cursor, !drawing[cursor[1] * SIDE + cursor[0]]); }
      return true;
    },
    say() {
      const wrong = run.wrong(depth), strangers = wrong.slice(0, 3), folded = strangers.map(e => Math.min(e, 1 - e));
      const each = strangers.map((e, i) => `${NAMES[i]}: ${verdict(e)}`).join("; "), law = percent(list[settings.pool].wrong[depth - 1]);
      const end = Math.max(...folded) < 0.1 ? "Everybody reads it, or its negative, which is the same picture: there is no secret."
        : Math.min(...folded) > 0.25 ? "Nobody but the holder of the sample can read it yet: add layers." : "Strangers begin to read it.";
      return `${layers(depth)}. Readers who have only the network and feed it ${each}. Predicted for strangers: ${law} wrong on average, up to a negative. ${end} (Control, another network: ${percent(wrong[3])} wrong.)`;
    },
  };
}

function pool(table) {
  const list = table.layers, COUNT = 400, STEPS = 110, settings = { pool: at(list, 64) };
  let random, w, layer, found = {}, done;
  const NEAR = velocity(1.8), fresh = () => {
    w = Float64Array.from({ length: COUNT }, () => unseen(table.dim, random)); layer = 0; done = false;
  };
  const within = () => w.reduce((sum, each) => sum + (Math.abs(each) > NEAR), 0);
  const heights = Array.from({ length: COUNT }, (_, i) => 0.14 * ((i * 0.618) % 1));
  return {
    title: "Turn the pool",
    lead: "The authors draw a large pool of rows and keep those that answer the sample best. How much does the pool do? Set it, press Play: how many layers until half of the unseen inputs are within 1 % of an end?",
    refute: "It would be refuted if ordinary rows (n/k = 1) never got there, or if points left the line.",
    settings,
    controls: [
      pool_of(list, [[0, "none (control)"], ...published(list)]),
    ],
    start(seed) { random = generator(seed * 1000 + settings.pool); fresh(); },
    begin() { if (done) fresh(); },
    advance() {
      const one = list[settings.pool];
      for (let i = Math.ceil(one.depth / STEPS); i > 0 && !done; i--) {
        w = w.map(each => advance(one, each, random)); layer++;
        done = 2 * within() >= COUNT;
      }
      if (done) found[settings.pool] = layer;
      return !done;
    },
    slow: () => list[settings.pool].depth < STEPS ? 2200 / list[settings.pool].depth : 0,
    layout: halves,
    draw(g, { boxes: [left, right] }, colours) {
      dial(g, left, Array.from(w, (each, i) => [angle(each), heights[i]]), colours);
      const x = left.x + left.width / 2, y = left.y + left.height - 60;
      label(g, `layer ${layer}`, x, y - 24, colours.ink, "center", 22);
      label(g, `${percent(within() / COUNT)} arrived`, x, y, colours.soft, "center", 14);
      const powers = [0, 1, 2, 3], log = Math.log10;
      const { X, Y } = axes(g, right, colours, { x: [0, 6], y: [0, 3.6], ylabel: "layers needed",
        xticks: [[0, "1"], [2, "100"], [4, "10,000"], [6, "a million"]], yticks: powers.map(p => [p, String(10 ** p)]),
        xlabel: "pool n/k; line predicted, points measured" });
      line(g, list.map(each => [X(log(each.ratio)), Y(log(each.depth))]), colours.ink);
      const here = list[settings.pool];
      g.strokeStyle = colours.ink; g.lineWidth = 2; g.beginPath(); g.arc(X(log(here.ratio)), Y(log(here.depth)), 9, 0, 7); g.stroke();
      for (const [i, depth] of Object.entries(found)) dot(g, X(log(list[i].ratio)), Y(log(depth)), colours.plus);
    },
    say() {
      const here = list[settings.pool], predicted = layers(here.depth), last = list[list.length - 1], gain = here.gain.toPrecision(2);
      const set = settings.pool ? `A pool of ${times(here.ratio)} rows for each row kept` : "No pool at all, ordinary random rows";
      if (!layer) return `${set}: predicted, ${predicted} until half of the inputs are there (a gain of ${gain} nats a layer). Press Play.`;
      if (!done) return `${set}: layer ${layer}, ${percent(within() / COUNT)} of the inputs have arrived; half are predicted at ${here.depth}.`;
      return `${set}: half had arrived after ${layers(layer)} (predicted ${here.depth}; ${gain} nats a layer). ${settings.pool
        ? `A pool of a million would still take ${last.depth}; no pool takes ${list[0].depth.toLocaleString("en")}. The first rows thrown away do nearly all, more do little.`
        : "Slow, but it happens: no selection, no sample, no training is needed."}`;
    },
  };
}

const SCENES = [ball, ends, secret, pool];

// ---- the page around them

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined) made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

/** Whether what lies behind an element is dark. */
function isDark(host) {
  for (let e = host; e; e = e.parentElement) {
    const [r, g, b, alpha = 1] = getComputedStyle(e).backgroundColor.match(/[\d.]+/g)?.map(Number) ?? [];
    if (r !== undefined && alpha > 0) return 0.3 * r + 0.6 * g + 0.1 * b < 128;
  }
  return matchMedia("(prefers-color-scheme: dark)").matches;
}

let mounted = 0;

/** Put the explorer into `host`; returns what takes it away. `seed`: of the first networks. */
export function mount(host, table, seed = 1) {
  const id = `ce${++mounted}`, still = matchMedia("(prefers-reduced-motion: reduce)");
  const scenes = SCENES.map(make => make(table)), canvas = element("canvas"), g = canvas.getContext("2d");
  const lead = element("p", { id: `${id}-lead` }), say = element("p", { class: "say" }), refute = element("p", { class: "refute" });
  const controls = element("div", { class: "row" }), panel = element("div", { role: "tabpanel", id: `${id}-panel` });
  let scene, colours, size, frame = 0, then = null, spoken = 0, waited = 0, dragging = false, inputs = {};

  const running = () => frame !== 0;
  const play = element("button", { type: "button", class: "play", onclick: () => running() ? stop() : go() }, "Play");
  const again = element("button", { type: "button", onclick: () => { stop(); seed++; scene.start(seed); show(); } }, "Another seed");
  const tabs = scenes.map((each, i) => element("button", { type: "button", role: "tab", id: `${id}-tab${i}`,
    "aria-controls": `${id}-panel`, onclick: () => choose(i), onkeydown: event => {
      const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (by) { const next = (i + by + scenes.length) % scenes.length; choose(next); tabs[next].focus(); }
    } }, each.title));

  function draw() {
    const ratio = devicePixelRatio || 1;
    if (canvas.width !== Math.round(size.width * ratio) || canvas.height !== Math.round(size.height * ratio)) {
      canvas.width = Math.round(size.width * ratio); canvas.height = Math.round(size.height * ratio);
    }
    g.setTransform(ratio, 0, 0, ratio, 0, 0);
    g.clearRect(0, 0, size.width, size.height);
    scene.draw(g, size, colours);
  }
  function speak() {
    const text = scene.say();
    if (say.textContent !== text) { say.textContent = text; canvas.setAttribute("aria-label", `${scene.keys ? `${scene.keys}. ` : ""}${text}`); }
    for (const [name, refresh] of Object.entries(inputs)) refresh(name);
  }
  /** Everything anew: after a setting, a size or a theme has changed. */
  function show() {
    const dark = isDark(host.parentElement ?? host), width = Math.max(240, canvas.clientWidth);
    colours = dark ? DARK : LIGHT;
    root.style.colorScheme = dark ? "dark" : "light";
    for (const [name, value] of Object.entries(colours)) root.style.setProperty(`--ce-${name}`, value);
    size = { ...scene.layout(width), width };
    canvas.style.height = `${size.height}px`;
    draw(); speak();
  }
  function tick(now) {
    const ms = Math.min(now - (then ?? now), 100); then = now; waited += ms;
    const due = !scene.slow || waited >= scene.slow();
    const goes = due ? scene.advance(ms) : true;
    if (due) waited = 0;
    draw();
    if (now - spoken > 200 || !goes) { speak(); spoken = now; }
    if (goes) frame = requestAnimationFrame(tick); else stop();
  }
  function go() {
    if (running()) return;
    scene.begin?.(); then = null; waited = 0;
    if (still.matches) { while (scene.advance(100)); show(); return; }
    say.setAttribute("aria-live", "off"); play.textContent = "Pause";
    frame = requestAnimationFrame(tick);
  }
  function stop() {
    cancelAnimationFrame(frame); frame = 0;
    say.setAttribute("aria-live", "polite"); play.textContent = "Play";
  }

  function range(control, i) {
    const { name, min, max, marks = [] } = control, list = `${id}-${name}${i}-marks`;
    const get = () => control.get ? control.get() : scene.settings[name];
    const put = value => { stop(); control.set ? control.set(value) : scene.settings[name] = value;
      if (control.restart) scene.start(seed); scene.change?.(name); show(); };
    const shown = element("output", { for: `${id}-${name}` });
    const input = element("input", { type: "range", id: `${id}-${name}`, min, max, step: 1, list: marks.length ? list : null,
      oninput: () => put(Number(input.value)) });
    inputs[name] = () => { const v = get(); if (input.value !== String(v)) input.value = v;
      if (shown.textContent !== control.text(v)) { shown.textContent = control.text(v); input.setAttribute("aria-valuetext", control.text(v)); } };
    const ticks = element("datalist", { id: list }, ...marks.map(([value]) => element("option", { value })));
    const buttons = marks.map(([value, text]) => element("button", { type: "button",
      "aria-label": `${text}, ${control.label}: ${control.text(value)}`, onclick: () => put(value) }, text));
    return element("div", { class: "control" }, element("label", { for: `${id}-${name}` }, control.label, shown), input,
      ...(marks.length ? [ticks, element("div", { class: "marks" }, name === "degrees" ? "try" : "as published", ...buttons)] : []));
  }
  function choice({ name, label, options }) {
    const select = element("select", { id: `${id}-${name}`, onchange: () => { stop(); scene.settings[name] = select.selectedIndex; show(); } },
      ...options.map(text => element("option", {}, text)));
    inputs[name] = () => { select.selectedIndex = scene.settings[name]; };
    return element("div", { class: "control" }, element("label", { for: `${id}-${name}` }, label), select);
  }
  const button = ({ label, press }) => element("button", { type: "button", onclick: () => { press(go); show(); } }, label);

  function choose(i) {
    stop();
    scene = scenes[i]; inputs = {};
    tabs.forEach((tab, j) => { tab.setAttribute("aria-selected", i === j); tab.tabIndex = i === j ? 0 : -1; });
    panel.setAttribute("aria-labelledby", `${id}-tab${i}`);
    lead.textContent = scene.lead; refute.textContent = scene.refute;
    canvas.setAttribute("role", scene.keys ? "application" : "img");
    scene.keys ? canvas.tabIndex = 0 : canvas.removeAttribute("tabindex");
    const made = scene.controls.map((control, j) => control.press ? button(control) : control.options ? choice(control) : range(control, j));
    const presses = made.filter(each => each.tagName === "BUTTON");
    controls.replaceChildren(...made.filter(each => each.tagName !== "BUTTON"));
    buttons.replaceChildren(play, ...presses, again);
    if (!scene.started) { scene.start(seed); scene.started = true; }
    show();
  }

  const place = event => { const box = canvas.getBoundingClientRect(); return [event.clientX - box.left, event.clientY - box.top]; };
  canvas.addEventListener("pointerdown", event => {
    if (!scene.grab?.(...place(event))) return;
    dragging = true; stop(); canvas.setPointerCapture(event.pointerId); scene.drag(...place(event)); show();
  });
  canvas.addEventListener("pointermove", event => { if (dragging) { scene.drag(...place(event)); show(); } });
  for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => { dragging = false; });
  canvas.addEventListener("touchstart", event => {
    if (scene.grab?.(...place(event.touches[0]))) event.preventDefault(); // draw instead of scrolling
  }, { passive: false });
  canvas.addEventListener("keydown", event => {
    if (scene.key?.(event.key)) { event.preventDefault(); event.stopPropagation(); stop(); show(); }
  });

  const buttons = element("div", { class: "row" });
  panel.append(lead, canvas, buttons, say, controls, refute);
  const root = element("section", { class: "ce", "aria-label": "Explore the law" }, element("style", {}, STYLE),
    element("div", { role: "tablist", "aria-label": "Scenes" }, ...tabs), panel);
  host.replaceChildren(root);
  choose(0);
  const sized = new ResizeObserver(() => show()), themed = new MutationObserver(() => show());
  sized.observe(canvas.parentElement);
  for (const e of [document.documentElement, document.body])
    themed.observe(e, { attributes: true, attributeFilter: ["class", "data-theme", "data-jp-theme-light"] });
  return () => { stop(); sized.disconnect(); themed.disconnect(); };
}

export default { render: ({ model, el }) => mount(el, model.get("table"), model.get("seed")) };
