"use strict";
// What the page's tables, files and planes need. Texts are put in as text, never as markup.

const one = (selector, root = document) => root.querySelector(selector);
const all = (selector, root = document) => [...root.querySelectorAll(selector)];
const made = (tag, text = "", attributes = {}) => {
  const element = document.createElement(tag);
  element.textContent = text;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
};

const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
const unpacked = (async () => {
  const packed = bytes(JSON.parse(one("#data").textContent));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).json();
})();

// -- files -----------------------------------------------------------------------------------

// A text that a spreadsheet would take for a formula has an apostrophe before it.
const field = (value) => {
  let text = value === null || value === undefined ? "" : String(value);
  if (/^[=+\-@\t\n＝＋－＠]/.test(text) && !Number.isFinite(Number(text))) text = `'${text}`;
  return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
};
const csv = (rows) => rows.map((row) => row.map(field).join(",")).join("\n") + "\n";
const hand = (name, text) => {
  const address = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  made("a", "", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
};

for (const button of all("button[data-file]")) {
  button.addEventListener("click", async () => {
    hand(button.dataset.file, (await unpacked)[button.dataset.name]);
  });
}

// -- tables ----------------------------------------------------------------------------------

const words = (cell) => {
  const below = one("small", cell);
  const text = below ? cell.textContent.slice(0, -below.textContent.length) : cell.textContent;
  return below ? `${text} ${below.textContent}` : text;
};
const ordered = new Intl.Collator("en", { numeric: true });

function sort(header) {
  const table = header.closest("table");
  const body = one("tbody", table);
  const place = header.cellIndex;
  const down = header.getAttribute("aria-sort") === "ascending";
  for (const other of all("thead th[aria-sort]", table)) other.setAttribute("aria-sort", "none");
  header.setAttribute("aria-sort", down ? "descending" : "ascending");
  const key = (row) => {
    const cell = row.cells[place];
    if (cell.dataset.v !== undefined) return Number(cell.dataset.v);
    return header.classList.contains("n") ? parseFloat(cell.firstChild?.data) : cell.textContent;
  };
  const rows = [...body.rows].map((row) => [key(row), row]);
  rows.sort(([a], [b]) => {
    const empty = (value) => value === "" || Number.isNaN(value);
    if (empty(a) || empty(b)) return empty(a) - empty(b); // what has no value comes last
    const less = typeof a === "number" ? a - b : ordered.compare(a, b);
    return down ? -less : less;
  });
  body.append(...rows.map(([, row]) => row));
}

// "heading: text" asks one column, other words any; all words must be there.
function filter(table, text) {
  const heads = all("thead th", table).map((head) => head.textContent.trim().toLowerCase());
  const asked = text.trim().toLowerCase();
  const [, name, rest] = asked.match(/^([^:]+):\s*(.*)$/) || [];
  const place = name === undefined ? -1 : heads.indexOf(name.trim());
  let shown = 0;
  for (const row of one("tbody", table).rows) {
    const own = (place < 0 ? [...row.cells].slice(1) : [row.cells[place]]).map(words);
    const content = own.join(" ").toLowerCase();
    const found = place < 0 ? asked.split(/\s+/).every((word) => content.includes(word)) : content.includes(rest);
    row.hidden = !found;
    shown += found;
  }
  const total = one("tbody", table).rows.length;
  one(`#${CSS.escape(`count-${table.id}`)}`).textContent = `${shown === total ? "" : `${shown} of `}${total} row${total === 1 ? "" : "s"}`;
}

const tabular = (table) => all("tr", table).filter((row) => !row.hidden).map((row) => [...row.cells].slice(1).map((cell) => words(cell).trim()));

document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  if (button.hasAttribute("data-sort")) sort(button.closest("th"));
  if (button.dataset.export) hand(`${button.dataset.export}.csv`, csv(tabular(document.getElementById(button.dataset.export))));
});
for (const input of all("input[data-filter]")) {
  input.addEventListener("input", () => filter(document.getElementById(input.dataset.filter), input.value));
}

// What a link leads to is shown: a row that is filtered out, a claim that is closed.
function reveal() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!target) return;
  if (target.hidden) {
    const table = target.closest("table");
    one(`#${CSS.escape(`filter-${table.id}`)}`).value = "";
    filter(table, "");
  }
  for (let element = target; element; element = element.parentElement) {
    if (element.tagName === "DETAILS") element.open = true;
  }
  target.scrollIntoView({ block: "center" });
}
addEventListener("hashchange", reveal);
if (location.hash) reveal();

// -- claims ----------------------------------------------------------------------------------

async function units(place) {
  if (place.dataset.shown) return;
  place.dataset.shown = "yes";
  const { names, rows } = (await unpacked)[place.dataset.units];
  const rank = ["fails", "ambiguous", "missing", "holds"];
  const outcome = names.indexOf("outcome");
  const listed = [...rows].sort((a, b) => rank.indexOf(a[outcome]) - rank.indexOf(b[outcome]));
  const table = made("table");
  table.append(made("caption", "Units, those that fail first"));
  const head = made("tr");
  head.append(...names.map((name) => made("th", name, { scope: "col" })));
  const body = made("tbody");
  for (const row of listed) {
    const line = made("tr");
    line.append(...row.map((value, i) => made(i ? "td" : "th", value ?? "", i ? {} : { scope: "row" })));
    body.append(line);
  }
  const top = made("thead");
  top.append(head);
  table.append(top, body);
  const box = made("div", "", { class: "scroll", tabindex: "0", role: "region", "aria-label": "units" });
  box.append(table);
  const button = made("button", "CSV of the units", { type: "button" });
  button.addEventListener("click", () => hand(`${place.dataset.units}.csv`, csv([names, ...listed])));
  place.replaceChildren(box, button);
}
for (const place of all("[data-units]")) {
  place.closest("details").addEventListener("toggle", () => units(place));
}
addEventListener("beforeprint", () => {
  for (const claim of all("details.claim")) claim.open = true;
});

// -- boundary explorer -----------------------------------------------------------------------

const LOW = [143, 195, 232], MIDDLE = [255, 255, 255], HIGH = [247, 197, 107];
const mixed = (p) => {
  const [from, to, t] = p < 0.5 ? [LOW, MIDDLE, 2 * p] : [MIDDLE, HIGH, 2 * p - 1];
  return from.map((value, i) => Math.round(value + (to[i] - value) * t));
};
const percent = (value) => (value === null ? "–" : `${(100 * value).toFixed(1)}%`);
const LABELS = ["#0072b2", "#d55e00"];

async function explore(root) {
  const networks = (await unpacked)[root.dataset.explorer];
  const part = (name) => one(`[data-part="${name}"]`, root);
  const canvas = one("canvas", root);
  const draw = canvas.getContext("2d");
  const fill = (select, labels) => {
    const kept = select.selectedIndex;
    select.replaceChildren(...labels.map((label, i) => made("option", label, { value: i })));
    select.selectedIndex = kept >= 0 && kept < labels.length ? kept : labels.length - 1;
  };
  const place = { row: -1, column: -1 };
  const chosen = () => {
    const network = networks[part("network").selectedIndex];
    const time = network.times[part("time").selectedIndex];
    return { network, time, plane: time.planes[part("plane").selectedIndex] };
  };
  const shown = (layer) => one(`[data-layer="${layer}"]`, root).checked;
  const size = canvas.width;
  const across = (plane, x) => ((x - plane.across[0]) / (plane.across[1] - plane.across[0])) * size;
  const upward = (plane, y) => size - ((y - plane.up[0]) / (plane.up[1] - plane.up[0])) * size;

  function background(plane) {
    const [rows, columns] = plane.size;
    const counts = (plane.counts ??= bytes(plane.grid));
    const image = new ImageData(columns, rows);
    counts.forEach((count, i) => {
      const target = 4 * ((rows - 1 - Math.floor(i / columns)) * columns + (i % columns));
      image.data.set([...mixed(count / plane.levels), 255], target);
    });
    const small = made("canvas", "", { width: columns, height: rows });
    small.getContext("2d").putImageData(image, 0, 0);
    draw.imageSmoothingEnabled = false;
    draw.clearRect(0, 0, size, size);
    draw.drawImage(small, 0, 0, size, size);
  }

  function stroke(path, colour, width, dashes) {
    draw.beginPath();
    path();
    draw.strokeStyle = colour;
    draw.lineWidth = width;
    draw.setLineDash(dashes);
    draw.stroke();
    draw.setLineDash([]);
  }

  function rules(network, plane) {
    const straight = (cuts, vertical) => () => {
      for (const cut of cuts) {
        const at = vertical ? across(plane, cut) : upward(plane, cut);
        draw.moveTo(vertical ? at : 0, vertical ? 0 : at);
        draw.lineTo(vertical ? at : size, vertical ? size : at);
      }
    };
    if (shown("simple") && plane.rules.simple) stroke(straight(plane.rules.simple, true), "#cc79a7", 5, [12, 5]);
    if (shown("achievable") && plane.rules.achievable) stroke(straight(plane.rules.achievable, false), "#009e73", 4, [4, 5]);
    if (!shown("learned")) return;
    stroke(() => {
      for (const line of plane.learned) {
        for (let i = 0; i < line.length; i += 2) {
          const point = [across(plane, line[i]), upward(plane, line[i + 1])];
          if (i) draw.lineTo(...point);
          else draw.moveTo(...point);
        }
      }
    }, "#000", 2.5, []);
  }

  function points(network, time, plane) {
    const { label, exception, position } = network.points;
    const xs = position[network.simple], ys = position[plane.coordinate];
    xs.forEach((x, i) => {
      if (!shown(exception[i] ? "exceptions" : "points")) return;
      const [h, v, r] = [across(plane, x), upward(plane, ys[i]), exception[i] ? 6 : 3.5];
      draw.beginPath();
      if (exception[i]) {
        for (const [dh, dv] of [[-r, 0], [0, -r], [r, 0], [0, r]]) draw.lineTo(h + dh, v + dv);
        draw.closePath();
      } else draw.arc(h, v, r, 0, 7);
      draw.fillStyle = time.fitted[i] ? LABELS[label[i]] : "#fff";
      draw.strokeStyle = time.fitted[i] && exception[i] ? "#000" : LABELS[label[i]];
      draw.lineWidth = 1.5;
      draw.fill();
      draw.stroke();
    });
  }

  function read() {
    const { network, plane } = chosen();
    const [rows, columns] = plane.size;
    if (place.row < 0) {
      part("read").textContent = "";
      return;
    }
    const middle = (side, i, n) => side[0] + ((i + 0.5) * (side[1] - side[0])) / n;
    const x = middle(plane.across, place.column, columns), y = middle(plane.up, place.row, rows);
    const count = plane.counts[place.row * columns + place.column];
    const below = (cuts, value) => cuts.filter((cut) => cut <= value).length;
    const said = Object.entries(plane.rules).map(([rule, cuts]) => `the ${rule} rule ${below(cuts, rule === "simple" ? x : y) % 2 ? "+" : "−"}`);
    part("read").textContent = `x${network.simple} = ${x.toFixed(3)}, x${plane.coordinate} = ${y.toFixed(3)}: the network says + in ${count} of ${plane.levels} contexts; ${said.join(", ")}`;
  }

  function render() {
    const { network, time, plane } = chosen();
    background(plane);
    rules(network, plane);
    points(network, time, plane);
    if (place.row >= 0) {
      const [rows, columns] = plane.size;
      const [w, h] = [size / columns, size / rows];
      draw.strokeStyle = "#000";
      draw.lineWidth = 2;
      draw.strokeRect(place.column * w, size - (place.row + 1) * h, w, h);
    }
    read();
  }

  function show() {
    const { network, time, plane } = chosen();
    const estimate = ([value, low, high]) => (value === null ? "–" : `${percent(value)} [${percent(low)}, ${percent(high)}]`);
    part("zones").replaceChildren(
      ...network.zones.map((zone, i) => {
        const row = made("tr");
        row.append(made("th", zone, { scope: "row" }), made("td", estimate(plane.risk[i]), { class: "n" }), made("td", estimate(plane.simple[i]), { class: "n" }));
        return row;
      }),
    );
    const cuts = plane.cuts[0] === null ? "" : ` Along x${plane.coordinate} its label changes ${plane.cuts[0].toFixed(2)} [${plane.cuts.slice(1).map((end) => (end === null ? "–" : end.toFixed(2))).join(", ")}] times; the achievable rule’s changes ${plane.achievable} times.`;
    part("facts").textContent = `The network ${time.fits}.${cuts}`;
    render();
  }

  function options() {
    const { network } = chosen();
    fill(part("time"), network.times.map((time) => time.words));
    fill(part("plane"), network.times[0].planes.map((plane) => `x${network.simple} and x${plane.coordinate}`));
    show();
  }

  fill(part("network"), networks.map((network) => network.label));
  part("network").selectedIndex = 0;
  fill(part("time"), networks[0].times.map((time) => time.words));
  fill(part("plane"), networks[0].times[0].planes.map((plane) => `x${networks[0].simple} and x${plane.coordinate}`));
  part("plane").selectedIndex = 0;
  show();

  part("network").addEventListener("change", options);
  for (const name of ["plane", "time"]) part(name).addEventListener("change", show);
  for (const box of all("[data-layer]", root)) box.addEventListener("change", render);
  part("export").addEventListener("click", () => {
    const { network, time, plane } = chosen();
    const [rows, columns] = plane.size;
    const middle = (side, i, n) => side[0] + ((i + 0.5) * (side[1] - side[0])) / n;
    const lines = [...plane.counts].map((count, i) => [
      middle(plane.across, i % columns, columns), middle(plane.up, Math.floor(i / columns), rows), count / plane.levels,
    ]);
    hand(`${network.name}-x${plane.coordinate}-${time.updates}.csv`, csv([[`x${network.simple}`, `x${plane.coordinate}`, "proportion"], ...lines]));
  });
  const at = (event) => {
    const { plane } = chosen();
    const box = canvas.getBoundingClientRect();
    const inside = (value, n) => Math.min(n - 1, Math.max(0, Math.floor(value * n)));
    place.column = inside((event.clientX - box.left) / box.width, plane.size[1]);
    place.row = inside(1 - (event.clientY - box.top) / box.height, plane.size[0]);
    render();
  };
  canvas.addEventListener("pointermove", at);
  canvas.addEventListener("pointerdown", at);
  canvas.addEventListener("keydown", (event) => {
    const move = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [1, 0], ArrowDown: [-1, 0] }[event.key];
    if (!move) return;
    event.preventDefault();
    const [rows, columns] = chosen().plane.size;
    if (place.row < 0) [place.row, place.column] = [Math.floor(rows / 2), Math.floor(columns / 2)];
    else {
      place.row = Math.min(rows - 1, Math.max(0, place.row + move[0]));
      place.column = Math.min(columns - 1, Math.max(0, place.column + move[1]));
    }
    render();
  });
}
for (const root of all("[data-explorer]")) explore(root);
