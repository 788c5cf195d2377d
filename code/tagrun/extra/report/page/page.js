// The report's own script: sorting, filtering, curves, and the details of a single run.
// What others wrote enters the page as text (textContent) and numbers alone, never as markup, an address or the name of a property.
'use strict';
const data = JSON.parse(document.getElementById('data').textContent);
const COLOURS = ['#0077bb', '#ee7733', '#009988', '#ee3377', '#33bbee', '#cc3311', '#8a8f98'];    // Paul Tol's vibrant: for colour-blind readers too
const DASHES = [[], [7, 4], [2, 3]], BORDERS = ['solid', 'dashed', 'dotted'];                       // with the colours 21 runs can be told apart
const CHARTS = 8, LEGEND = 40, CARDS = 4;           // shown at first; names in the legend
const WHOLE = [1, 2, 5].flatMap(digit => [0, 1, 2, 3, 4, 5, 6, 7, 8].map(power => digit * 10 ** power)).sort((a, b) => a - b);     // steps between epochs
const byName = new Map(data.runs.map((run, index) => [run.name, index]));
const get = id => document.getElementById(id);

function make(tag, properties, ...children) {
  const element = document.createElement(tag);
  Object.assign(element, properties);
  element.append(...children.filter(child => child !== null && child !== undefined));
  return element;
}

const text = index => index === null || index === undefined ? '' : data.texts[index];
const style = slot => ({ colour: COLOURS[slot % COLOURS.length], dash: Math.floor(slot / COLOURS.length) % DASHES.length });

function swatch(slot) {
  const span = make('span', { className: 'swatch' });
  span.style.borderTopColor = style(slot).colour;
  span.style.borderTopStyle = BORDERS[style(slot).dash];
  return span;
}

// --- the table ---

const body = document.querySelector('#runs tbody');
const rows = [...body.rows];                        // in the order of data.runs
const low = rows.map(row => row.textContent.toLowerCase());
const picked = new Map();                           // run: its slot of colour and dash
let order = rows.map((_, index) => index);
let shown = new Set(order);

function value(index, column) {
  return column < 0 ? data.runs[index].name : data.runs[index].cells[column];
}

function compare(a, b) {                            // numbers before words; t2 before t10
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  if (typeof a === 'number') return -1;
  return typeof b === 'number' ? 1 : collator.compare(a, b);
}
const collator = new Intl.Collator('en', { numeric: true });

function sort(column, heading) {
  const before = heading.getAttribute('aria-sort');
  const falls = before ? before === 'ascending' : column >= 0 && data.columns[column].better === 'max';
  for (const other of document.querySelectorAll('#runs thead th')) other.removeAttribute('aria-sort');
  heading.setAttribute('aria-sort', falls ? 'descending' : 'ascending');
  const keyed = order.map(index => [index, value(index, column)]);
  const valued = keyed.filter(pair => pair[1] !== null).sort((a, b) => falls ? compare(b[1], a[1]) : compare(a[1], b[1]));
  order = [...valued, ...keyed.filter(pair => pair[1] === null)].map(pair => pair[0]);    // runs without a value come last
  body.append(...order.map(index => rows[index]));
}

function columnNamed(word) {
  const names = ['run', ...data.columns.map(column => column.name)], lower = names.map(name => name.toLowerCase());
  const monitored = (data.monitor || '').toLowerCase().split('/')[0] + '/' + word;
  const at = [lower.indexOf(word), lower.indexOf(monitored), lower.findIndex(name => name.endsWith('/' + word))].find(position => position >= 0);
  return at === undefined ? null : at - 1;
}

const TESTS = {
  '=': (a, b) => a === b, '!=': (a, b) => a !== b, '<': (a, b) => a < b, '<=': (a, b) => a <= b, '>': (a, b) => a > b, '>=': (a, b) => a >= b,
};

function test(word) {                               // a function of a run's number, or null for an unknown column
  const parts = /^([^<>=!]+)(<=|>=|!=|==?|<|>)(.+)$/.exec(word);
  if (!parts) return index => low[index].includes(word);
  const column = columnNamed(parts[1]), holds = TESTS[parts[2] === '==' ? '=' : parts[2]], wanted = parts[3];
  if (column === null) return null;
  return index => {
    const cell = value(index, column);
    if (cell === null) return false;
    return typeof cell === 'number' && !Number.isNaN(Number(wanted)) ? holds(cell, Number(wanted)) : holds(String(cell).toLowerCase(), wanted);
  };
}

function filter() {
  const tests = get('filter').value.toLowerCase().split(/\s+/).filter(Boolean).map(test);
  const unknown = tests.includes(null);
  get('filter').setAttribute('aria-invalid', unknown);
  shown = new Set(order.filter(index => tests.every(holds => !holds || holds(index))));
  rows.forEach((row, index) => { row.hidden = !shown.has(index); });
  get('count').textContent = unknown ? 'there is no such column' : tests.length ? `${shown.size} of ${rows.length}` : '';
}

// --- which runs have curves ---

function pick(indexes) {
  picked.clear();
  for (const index of indexes) if (data.runs[index].curves) picked.set(index, picked.size);
  mark();
}

function toggle(index, on) {
  if (!on) picked.delete(index);
  else {
    const taken = new Set(picked.values());
    let slot = 0;
    while (taken.has(slot)) slot++;
    picked.set(index, slot);
  }
  mark();
}

function mark() {
  rows.forEach((row, index) => {
    const cell = row.cells[0], old = cell.querySelector('.swatch');
    cell.firstChild.checked = picked.has(index);
    if (old) old.remove();
    if (picked.has(index)) cell.append(swatch(picked.get(index)));
  });
  const named = [...picked].slice(0, LEGEND).map(([index, slot]) =>
    make('span', {}, swatch(slot), ` ${data.runs[index].name} `, make('span', { className: 'was' }, data.runs[index].label)));
  get('legend').replaceChildren(...named, ...(picked.size > LEGEND ? [`and ${picked.size - LEGEND} more; a curve says its name`] : []));
  draw();
}

// --- curves ---

let charts = [], all = false;
const log = get('log');

function points(curve) {                            // [epochs, values]: a curve that was not thinned has its values alone
  return Array.isArray(curve[0]) ? curve : [curve.map((_, at) => at + 1), curve];
}

function aligned(metric, runs) {                    // uPlot's data: the epochs of all, and of each run its values at them
  const curves = runs.map(index => points(data.runs[index].curves[metric]));
  const epochs = [...new Set(curves.flatMap(curve => curve[0]))].sort((a, b) => a - b), rowOf = new Map(epochs.map((epoch, at) => [epoch, at]));
  const columns = curves.map(([xs, ys]) => {
    const column = new Array(epochs.length).fill(null);
    xs.forEach((x, at) => { if (!log.checked || ys[at] > 0) column[rowOf.get(x)] = ys[at]; });
    return column;
  });
  return [epochs, ...columns];
}

function draw() {
  for (const chart of charts) chart.plot.destroy();
  charts = [];
  get('charts').replaceChildren();
  const runs = [...picked.keys()];
  const metrics = data.curves.map((_, metric) => metric).filter(metric => runs.some(index => data.runs[index].curves[metric]));
  get('curves').hidden = !data.curves.length;
  const wanted = all ? metrics : metrics.slice(0, CHARTS);
  get('more').hidden = wanted.length === metrics.length;
  get('more').textContent = `${metrics.length - wanted.length} more curves`;
  for (const metric of wanted) chart(metric, runs.filter(index => data.runs[index].curves[metric]));
}

function chart(metric, runs) {
  const tip = make('div', { className: 'tip', hidden: true }), panel = make('div', { className: 'chart' }, make('h3', {}, data.curves[metric]), tip);
  get('charts').append(panel);
  const many = runs.length > 2 * COLOURS.length;
  const series = runs.map(index => {
    const { colour, dash } = style(picked.get(index));
    return { stroke: colour, dash: DASHES[dash], width: many ? 1 : 1.8, spanGaps: true, points: { show: false } };
  });
  const axis = {                                    // greys that can be read on white and on black: a dark page may be printed
    stroke: '#80868f', grid: { stroke: 'rgba(128,128,128,.18)', width: 1 }, ticks: { stroke: 'rgba(128,128,128,.3)', width: 1 }, font: '12px system-ui, sans-serif',
  };
  const values = aligned(metric, runs);
  const single = values[0].length === 1;
  const plot = new uPlot({
    width: panel.clientWidth, height: 230, legend: { show: false },
    series: [{}, ...series.map(one => single ? { ...one, points: { show: true, size: 7 } } : one)],
    scales: { x: { time: false }, y: { distr: log.checked ? 3 : 1 } },
    axes: [{ ...axis, size: 30, incrs: WHOLE }, { ...axis, size: 58, values: (_, marks) => marks.map(tick) }],
    focus: { alpha: 0.25 }, cursor: { points: { show: false }, focus: { prox: 24 }, hover: { skip: [null, undefined], prox: null }, y: false },
    hooks: { setCursor: [u => showTip(u, tip, runs)] },
  }, values, panel);
  charts.push({ plot, panel });
}

function tick(number) {
  if (number === null) return '';
  return number !== 0 && (Math.abs(number) < 1e-3 || Math.abs(number) >= 1e6) ? number.toExponential(0) : String(Number(number.toPrecision(6)));
}

function showTip(u, tip, runs) {                    // the name and value of the curve next to the pointer
  const { left, top, idx } = u.cursor;
  tip.hidden = true;
  if (idx === null || idx === undefined || left < 0) return;
  let best = null, nearest = 40;
  for (let at = 1; at < u.data.length; at++) {
    const row = around(u.data[at], idx);
    if (row < 0) continue;
    const away = Math.abs(u.valToPos(u.data[at][row], 'y') - top);
    if (away < nearest) [nearest, best] = [away, [at, row]];
  }
  if (!best) return;
  const [at, row] = best;
  const run = data.runs[runs[at - 1]];
  tip.replaceChildren(`${run.name} `, swatch(picked.get(runs[at - 1])), ` ${run.unit} ${u.data[0][row]}: ${Number(u.data[at][row].toPrecision(5))}`);
  tip.hidden = false;
  const box = u.over, x = box.offsetLeft + left + 14, room = u.root.clientWidth - tip.offsetWidth;
  tip.style.transform = `translate(${Math.max(0, Math.min(x, room))}px, ${u.root.offsetTop + Math.max(0, top - 34)}px)`;
}

function around(column, at) {                       // the row nearest to `at` that has a value, or -1
  for (let away = 0; away < column.length; away++) {
    if (at - away >= 0 && column[at - away] !== null) return at - away;
    if (at + away < column.length && column[at + away] !== null) return at + away;
  }
  return -1;
}

// --- a single run ---

function table(pairs, headings, kind) {
  const head = headings ? [make('tr', {}, ...headings.map(word => make('th', {}, word)))] : [];
  return make('table', { className: kind || (headings ? 'figures' : '') }, ...head, ...pairs.map(([name, ...cells]) =>
    make('tr', {}, make('th', {}, name), ...cells.map(cell => cell instanceof Node && cell.tagName === 'TD' ? cell : make('td', {}, cell)))));
}

function fold(title, open, ...inside) {
  return make('details', { open }, make('summary', {}, title), ...inside);
}

function link(name) {                               // to another run, if this page has it
  return byName.has(name) ? make('a', { href: '#' + encodeURIComponent(name) }, name) : name;
}

function patch(words) {
  const kinds = { '+': 'plus', '-': 'minus', '@': 'at' };
  return make('pre', {}, ...words.split('\n').map(line => {
    const kind = /^(diff --git|--- |\+\+\+ )/.test(line) ? 'file' : kinds[line[0]] || '';
    return make('span', { className: kind }, line || ' ');
  }));
}

function matrix(confusion) {
  const head = make('tr', {}, make('th', {}, 'true \\ predicted'), ...confusion.classes.map(name => make('th', {}, name)));
  const lines = confusion.counts.map((line, row) => {
    const sum = line.reduce((a, b) => a + b, 0);
    return make('tr', {}, make('th', {}, confusion.classes[row]), ...line.map(count => {
      const cell = make('td', {}, count ? String(count) : '');
      cell.style.backgroundColor = `rgba(0, 119, 187, ${sum > 0 ? Math.min(1, Math.max(0, 0.75 * count / sum)) : 0})`;
      return cell;
    }));
  });
  return make('div', { className: 'matrix' }, make('table', {}, make('caption', {}, confusion.title), make('thead', {}, head), make('tbody', {}, ...lines)));
}

function argumentsOf(run) {
  const first = data.runs[0], lines = data.args.map((name, at) => [name, run.args[at], first.args[at]]);
  const own = lines.filter(line => line[1] !== null).map(([name, current]) => [name, current]);
  const changed = lines.filter(([, current, reference]) => current !== reference);
  const differing = changed.map(([name, current, reference]) => [name, current ?? '(none)', make('td', { className: 'was' }, reference ?? '(none)')]);
  const parts = [];
  if (run !== first) parts.push(make('p', {}, changed.length ? `Arguments that differ from ${first.name}:` : `The same arguments as ${first.name}.`));
  if (changed.length) parts.push(table(differing, ['', 'here', first.name]));
  return [...parts, fold(`All ${own.length} arguments`, false, table(own))];
}

function figures(run) {
  const lines = data.metrics.map((name, at) => [name, run.best[at], run.last[at]]).filter(line => line[1] !== null || line[2] !== null);
  return lines.length ? table(lines.map(([name, best, last]) => [name, best ?? '', last ?? '']), ['', 'best epoch', 'last epoch']) : make('p', {}, 'No metric yet.');
}

function card(index) {
  const run = data.runs[index], id = 'run-' + index, old = get(id);
  if (old) return old;
  const close = make('button', { type: 'button' }, 'close'), state = make('span', { className: run.kind }, run.status);
  const article = make('article', { id, tabIndex: -1 }, make('header', {}, make('h3', {}, run.name), state, close));
  close.addEventListener('click', () => { article.remove(); get('details').hidden = !get('cards').children.length; });
  if (run.message !== null) article.append(make('p', { className: 'message' }, text(run.message)));
  if (run.why !== null) article.append(make('p', { className: 'why' }, text(run.why)));
  for (const [words, name, kind, rest] of run.links) article.append(make('p', { className: kind }, words, ' ', link(name), rest));
  const facts = table(run.facts.map(([name, index]) => [name, text(index)]), null, 'facts');
  article.append(make('div', { className: 'columns' }, ...[[facts], [figures(run)], argumentsOf(run)].map(part => make('div', {}, ...part))));
  for (const [title, diff] of run.patches) article.append(diff === null ? make('p', {}, title) : fold(title, false, patch(text(diff))));
  if (run.matrices.length) article.append(fold('Confusion matrices', true, make('div', { className: 'matrices' }, ...run.matrices.map(matrix))));
  if (run.environment !== null) article.append(environment(run));
  if (run.log !== null) article.append(fold('The end of its log', false, make('pre', { className: 'log' }, text(run.log))));
  get('cards').append(article);
  get('details').hidden = false;
  return article;
}

function environment(run) {
  const { facts, packages } = data.environments[run.environment], first = data.runs.find(other => other.environment !== null);
  const same = run === first ? '' : first.environment === run.environment ? `, as that of ${first.name}` : `, not as that of ${first.name}`;
  const inside = [table(facts)], other = data.environments[first.environment];
  if (first.environment !== run.environment) inside.unshift(make('p', {}, 'What differs:'), differences(other, { facts, packages }, first.name));
  return fold('Environment' + same, false, ...inside, packages.length ? fold(`${packages.length} packages`, false, table(packages)) : null);
}

function differences(first, own, name) {
  const flat = one => new Map([...one.facts, ...one.packages]), references = flat(first), currents = flat(own);
  const names = [...new Set([...currents.keys(), ...references.keys()])].filter(key => currents.get(key) !== references.get(key));
  return table(names.map(key => [key, currents.get(key) ?? '(none)', make('td', { className: 'was' }, references.get(key) ?? '(none)')]), ['', 'here', name]);
}

function follow() {                                 // #t1/0 in the address opens that run
  let name = '';
  try { name = decodeURIComponent(location.hash.slice(1)); } catch { return; }
  if (!byName.has(name)) return;
  const opened = card(byName.get(name));
  opened.scrollIntoView({ block: 'start' });
  opened.focus({ preventScroll: true });
}

// --- begin ---

for (const heading of document.querySelectorAll('#runs thead th')) {
  const button = heading.querySelector('button');
  if (button) button.addEventListener('click', () => sort(Number(button.dataset.column), heading));
}
body.addEventListener('change', event => toggle(Number(event.target.closest('tr').dataset.run), event.target.checked));
body.addEventListener('click', event => { if (event.target.closest('a')) setTimeout(follow); });      // again, where the address is that run's already
get('filter').addEventListener('input', filter);
get('pick-top').addEventListener('click', () => pick(order.filter(index => shown.has(index)).slice(0, data.first)));
get('pick-all').addEventListener('click', () => pick(order.filter(index => shown.has(index))));
get('pick-none').addEventListener('click', () => pick([]));
get('more').addEventListener('click', () => { all = true; draw(); });
log.addEventListener('change', draw);
addEventListener('hashchange', follow);
let width = innerWidth;
addEventListener('resize', () => {                  // of the window: a phone's bar that comes and goes changes the height alone
  if (innerWidth === width) return;
  width = innerWidth;
  for (const { plot, panel } of charts) plot.setSize({ width: panel.clientWidth, height: 230 });
});
get('curves').hidden = !data.curves.length;
pick(data.top);
if (data.runs.length <= CARDS) data.runs.forEach((_, index) => card(index));
follow();
