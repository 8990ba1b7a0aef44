// Heat maps: a row a layer, a column an epoch, drawn on a canvas.

// The colours of the PNG heat maps, from little to much; on dark paper the other way round, so that
// little is near the paper there, too.
const RAMP = ['#fff7c2', '#a9dcb8', '#45b0b8', '#236fa8', '#1c2f70', '#140a2e']
  .map(c => [1, 3, 5].map(i => parseInt(c.slice(i, i + 2), 16)));
const ZERO_COLOR = '#d55e00';
const ROW_HEIGHT = 16, COLUMN_LABELS = 20;

function rampColor(t) {
  const shown = Math.max(0, Math.min(1, theme() === 'dark' ? 1 - t : t));
  const at = shown * (RAMP.length - 1);
  const i = Math.min(RAMP.length - 2, Math.floor(at));
  const mixed = RAMP[i].map((c, k) => Math.round(c + (at - i) * (RAMP[i + 1][k] - c)));
  return `rgb(${mixed.join(' ')})`;
}

// The text, its end replaced where it is longer than room.
function fitText(context, text, room) {
  if (context.measureText(text).width <= room) return text;
  const characters = [...text];
  while (characters.length && context.measureText(characters.join('') + '…').width > room)
    characters.pop();
  return characters.join('') + '…';
}

class HeatMap {
  constructor(figure) {
    this.plot = figure.querySelector('.plot');
    this.canvas = this.plot.querySelector('canvas');
    this.hint = figure.querySelector('.hint');
    this.data = JSON.parse(figure.querySelector('script').textContent);
    this.rows = this.data.row_names.length;
    this.columns = this.data.columns.length;
    this.height = this.rows * ROW_HEIGHT + COLUMN_LABELS;
    this.plot.style.height = `${this.height}px`;
    this.findRange();
    this.scale = figure.querySelector('.scale');
    this.setHint();
    this.canvas.onpointermove = this.canvas.onpointerdown = event => this.point(event);
    this.canvas.onpointerleave = this.canvas.onblur = () => this.setHint();
    this.canvas.onkeydown = event => this.step(event);
  }

  setHint() { this.hint.textContent = 'Point at a cell for its value, or use the arrow keys.'; }

  value(row, column) { return this.data.values[row * this.columns + column]; }

  findRange() {
    const scaled = this.data.values.filter(v => !this.isEmpty(v) && !this.isZero(v));
    this.min = scaled.reduce((a, b) => Math.min(a, b), Infinity);
    this.max = scaled.reduce((a, b) => Math.max(a, b), -Infinity);
  }

  // 0..1 along the scale.
  place(value) {
    const at = this.data.log ? Math.log10 : v => v;
    return this.max > this.min ? (at(value) - at(this.min)) / (at(this.max) - at(this.min)) : 0.5;
  }

  isZero(value) { return this.data.log && value === 0; }

  isEmpty(value) { return value === null || (this.data.log && value < 0); }

  // null for an empty cell.
  cellColor(value) {
    if (this.isEmpty(value)) return null;
    return this.isZero(value) ? ZERO_COLOR : rampColor(this.place(value));
  }

  drawScale() {
    const swatch = (color, text) => {
      const shown = element('span', 'cell');
      shown.style.background = color ?? '';
      this.scale.append(shown, element('span', '', text));
    };
    this.scale.textContent = '';
    if (this.min <= this.max) {
      const bar = element('span', 'ramp');
      const stops = RAMP.map((c, i) => rampColor(i / (RAMP.length - 1)));
      bar.style.background = `linear-gradient(to right, ${stops.join(', ')})`;
      this.scale.append(element('span', '', formatNumber(this.min)), bar,
        element('span', '', formatNumber(this.max)));
    }
    if (this.data.values.some(v => this.isZero(v))) swatch(ZERO_COLOR, '0');
    if (this.data.values.some(v => this.isEmpty(v))) swatch(null, 'no value');
  }

  show(row, column) {
    const value = this.value(row, column), {row_names, columns, x_label} = this.data;
    const where = columns[column] === null ? '–' : formatNumber(columns[column]);
    this.at = [row, column];
    this.hint.textContent = `${row_names[row]}, ${x_label ?? 'column'} ${where}: ` +
        (value === null ? 'no value' : formatNumber(value));
  }

  point(event) {
    const column = Math.floor((event.offsetX - this.left) / this.width * this.columns);
    const row = Math.floor(event.offsetY / ROW_HEIGHT);
    const inside = column >= 0 && column < this.columns && row >= 0 && row < this.rows;
    if (inside) this.show(row, column);
    else this.setHint();
  }

  step(event) {
    const steps = {ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1]};
    const by = steps[event.key];
    if (!by) return;
    event.preventDefault();
    const [row, column] = this.at || [0, 0], within = (v, end) => Math.max(0, Math.min(end - 1, v));
    this.show(within(row + by[0], this.rows), within(column + by[1], this.columns));
  }

  draw() {
    this.drawScale();
    const width = this.plot.clientWidth, ratio = pixelRatio();
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(this.height * ratio);
    this.canvas.style.height = `${this.height}px`;
    const context = this.canvas.getContext('2d');
    context.scale(ratio, ratio);
    context.font = FONT;
    const {row_names} = this.data;
    const longest = Math.max(...row_names.map(textWidth));
    this.left = Math.min(Math.ceil(longest), Math.floor(0.4 * width)) + 8;
    this.width = width - this.left - 8;
    context.textAlign = 'right';
    context.textBaseline = 'middle';
    row_names.forEach((name, row) => {
      context.fillStyle = CANVAS_COLORS[theme()].text;
      const text = fitText(context, name, this.left - 8);
      context.fillText(text, this.left - 6, (row + 0.5) * ROW_HEIGHT);
      this.drawRow(context, row);
    });
    this.drawColumnLabels(context);
    this.drawn = true;
  }

  // Whole device pixels leave no seams between cells.
  columnStart(column) { return this.left + Math.round(column * this.width / this.columns); }

  drawRow(context, row) {
    for (let column = 0; column < this.columns; column++) {
      const color = this.cellColor(this.value(row, column)), x = this.columnStart(column);
      if (!color) continue;
      context.fillStyle = color;
      context.fillRect(x, row * ROW_HEIGHT, this.columnStart(column + 1) - x, ROW_HEIGHT);
    }
  }

  drawColumnLabels(context) {
    const labels = this.data.columns.map(c => c === null ? '' : formatNumber(c));
    const room = Math.max(...labels.map(textWidth)) + 12;
    const stride = Math.max(1, Math.ceil(room * this.columns / this.width));
    context.textAlign = 'center';
    context.fillStyle = CANVAS_COLORS[theme()].text;
    for (let column = 0; column < this.columns; column += stride)
      context.fillText(labels[column], this.left + (column + 0.5) * this.width / this.columns,
        this.rows * ROW_HEIGHT + COLUMN_LABELS / 2 + 1);
  }

  refresh() {
    if (this.drawn) this.draw();
  }
}
