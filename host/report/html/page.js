// Tables that sort, and drawing when something comes into view, changes size, theme or is printed.

const darkness = matchMedia('(prefers-color-scheme: dark)');
let printing = false;

function theme() { return darkness.matches && !printing ? 'dark' : 'light'; }

function pixelRatio() { return Math.max(devicePixelRatio, printing ? 2 : 1); }

const collator = new Intl.Collator('en', {numeric: true});

// The first number of a cell such as "77.2 ± 0.6"; NaN where there is none.
function cellNumber(text) {
  const found = text.replace(/,/g, '').replace('−', '-').match(/-?\d+(\.\d*)?(e[-+]?\d+)?/i);
  return found ? Number(found[0]) : NaN;
}

// Cells without a number come last whichever way.
function compareCells(a, b, isNumber, sign) {
  if (!isNumber) return sign * collator.compare(a, b);
  const x = cellNumber(a), y = cellNumber(b);
  if (Number.isNaN(x) || Number.isNaN(y)) return Number.isNaN(x) - Number.isNaN(y);
  return sign * (x - y);
}

function sortTable(table, header) {
  const ascending = header.getAttribute('aria-sort') !== 'ascending', column = header.cellIndex;
  for (const other of header.parentNode.cells) other.removeAttribute('aria-sort');
  header.setAttribute('aria-sort', ascending ? 'ascending' : 'descending');
  const isNumber = header.classList.contains('right'), body = table.tBodies[0];
  const text = row => row.cells[column].textContent;
  const rows = [...body.rows];
  rows.sort((a, b) => compareCells(text(a), text(b), isNumber, ascending ? 1 : -1));
  body.append(...rows);
}

// A canvas goes to the printer as what was drawn and erased, which readers of PDF get wrong.
function picture(canvas) {
  const image = new Image();
  image.src = canvas.toDataURL();
  image.style.cssText = canvas.style.cssText;
  return image;
}

function start() {
  for (const table of document.querySelectorAll('table'))
    for (const header of table.tHead.rows[0].cells)
      header.querySelector('button').onclick = () => sortTable(table, header);

  const drawings = new Map();
  for (const figure of document.querySelectorAll('figure.chart'))
    drawings.set(figure, new Chart(figure));
  for (const figure of document.querySelectorAll('figure.heat'))
    drawings.set(figure, new HeatMap(figure));

  const refresh = () => {
    for (const drawing of drawings.values()) drawing.refresh();
  };
  const observer = new IntersectionObserver(entries => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      observer.unobserve(entry.target);
      drawings.get(entry.target).draw();
    }
  }, {rootMargin: '300px'});
  for (const figure of drawings.keys()) observer.observe(figure);

  darkness.addEventListener('change', refresh);
  addEventListener('resize', () => { // dygraphs sees to its own
    for (const drawing of drawings.values())
      if (drawing instanceof HeatMap) drawing.refresh();
  });
  addEventListener('beforeprint', () => {
    printing = true;
    document.body.classList.add('printing');
    for (const fold of document.querySelectorAll('details')) fold.open = true;
    refresh();
    for (const drawing of drawings.values()) drawing.draw();
    // The second of a chart's canvases only follows the pointer.
    for (const canvas of document.querySelectorAll('canvas:first-of-type'))
      canvas.after(picture(canvas));
  });
  addEventListener('afterprint', () => {
    printing = false;
    document.body.classList.remove('printing');
    for (const image of document.querySelectorAll('img')) image.remove();
    refresh();
  });
}

document.addEventListener('DOMContentLoaded', start);
