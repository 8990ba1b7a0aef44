// Charts: a legend that switches lines, and dygraphs, set up as the PNG charts look.

const CANVAS_COLORS = {
  light: {axis: '#5a626b', grid: '#d8dce1', text: '#5a626b', paper: '#ffffff'},
  dark: {axis: '#a3abb4', grid: '#363c44', text: '#a3abb4', paper: '#15181c'},
};
const FONT_SIZE = 12, NAME_WIDTH = 16, LONGEST_NAME = 240;
const FONT = `${FONT_SIZE}px system-ui, sans-serif`;

function element(tag, name, text) {
  const made = document.createElement(tag);
  if (name) made.className = name;
  if (text !== undefined) made.textContent = text;
  return made;
}

const measuring = document.createElement('canvas').getContext('2d');

function textWidth(text) {
  measuring.font = FONT;
  return measuring.measureText(text).width;
}

class Chart {
  constructor(figure) {
    this.figure = figure;
    this.plot = figure.querySelector('.plot');
    this.hint = figure.querySelector('.hint');
    this.data = JSON.parse(figure.querySelector('script').textContent);
    this.visible = this.data.series.map(() => true);
    this.rows = this.mergeRows();
    this.setHint();
    this.addLegend();
    const names = this.data.x_names || [];
    const longest = Math.max(0, ...names.map(textWidth));
    this.xAxisHeight = names.length ? Math.min(LONGEST_NAME, Math.ceil(longest)) + 10 : 22;
    this.plot.style.height = `calc(var(--plot-height) + ${this.xAxisHeight}px)`;
  }

  isDrawn(y) { return y !== null && !(this.data.log && y <= 0); }

  // [x, a value for each series], by x; null where a series has no point, NaN where it has a gap.
  mergeRows() {
    const rows = new Map(), {series} = this.data;
    series.forEach((s, i) => s.y.forEach((y, k) => {
      const x = s.x ? s.x[k] : k;
      if (x === null) return;
      if (!rows.has(x)) rows.set(x, [x, ...series.map(() => null)]);
      rows.get(x)[i + 1] = this.isDrawn(y) ? y : NaN;
    }));
    return [...rows.values()].sort((a, b) => a[0] - b[0]);
  }

  setHint() {
    this.hint.textContent = matchMedia('(hover: none)').matches
        ? 'Tap for values. Pinch to zoom, tap twice to zoom out.'
        : 'Hover for values. Drag to zoom, double-click to zoom out.';
  }

  // A line without a name is switched with the named one before it.
  addLegend() {
    if (this.data.bar) {
      this.addBar();
      return;
    }
    const list = this.figure.querySelector('.legend');
    this.swatches = [];
    this.values = [];
    let group = [];
    this.data.series.forEach((s, i) => {
      if (s.name === null || s.y.length === 0) {
        group.push(i);
        return;
      }
      const members = group = [i], item = element('li'), button = element('button');
      const swatch = element('span', s.dashed ? 'swatch dashed' : 'swatch');
      const value = element('span', 'value');
      button.type = 'button';
      button.setAttribute('aria-pressed', 'true');
      button.append(swatch, element('span', 'name', s.name), value);
      button.onclick = () => this.toggle(button, members);
      this.swatches[i] = swatch;
      this.values[i] = value;
      item.append(button);
      list.append(item);
    });
    this.color();
  }

  // Many lines that are an order: their colours from the lightest to the darkest.
  addBar() {
    const list = this.figure.querySelector('.legend'), [first, last] = this.data.bar;
    const item = element('li', 'bar');
    this.swatches = [];
    this.values = [];
    this.bar = element('span', 'colors');
    item.append(element('span', 'name', first), this.bar, element('span', 'name', last));
    list.append(item);
    this.color();
  }

  toggle(button, members) {
    const shown = button.getAttribute('aria-pressed') === 'false';
    button.setAttribute('aria-pressed', String(shown));
    for (const i of members) this.visible[i] = shown;
    if (!this.graph) return;
    if (!this.zoomed) this.graph.updateOptions({valueRange: this.yHome()}, true);
    this.graph.setVisibility(this.visible, true);
  }

  colors() { return this.data.series.map(s => s[theme()]); }

  color() {
    if (this.bar)
      this.bar.style.background = `linear-gradient(to right, ${this.colors().join(',')})`;
    this.swatches.forEach((swatch, i) => swatch.style.borderColor = this.data.series[i][theme()]);
  }

  // Levels are within the range, which is as wide as the chart wants it at least.
  widen(min, max) {
    for (const {at} of this.data.levels)
      if (this.isDrawn(at)) [min, max] = [Math.min(min, at), Math.max(max, at)];
    const lack = this.data.y_span - (max - min);
    if (this.data.log || !(lack > 0) || min > max) return [min, max];
    const low = min >= 0 ? Math.max(0, min - lack / 2) : min - lack / 2;
    return [low, low + this.data.y_span];
  }

  // Without up to a quarter of the values where the others would get a twentieth of the axis.
  trim(values) {
    const sorted = [...values].sort((a, b) => a - b), count = sorted.length;
    const most = Math.floor(count / 4), levels = this.data.levels.map(level => level.at);
    const shown = (above, below) => [
      Math.min(sorted[below], ...levels), Math.max(sorted[count - 1 - above], ...levels)];
    let above = 0, below = 0;
    const further = () => {
      const [first, last] = shown(above, below);
      for (let a = above; a <= most; a++)
        for (let b = below; a + b <= most; b++) {
          const [low, high] = shown(a, b), range = high - low;
          if (!(range > 0 && range < (last - first) / 20)) continue;
          const isFar = (!a || sorted[count - a] - high >= 10 * range) &&
              (!b || low - sorted[b - 1] >= 10 * range);
          if (!isFar) continue;
          [above, below] = [a, b];
          return true;
        }
      return false;
    };
    if (most > 0) while (further());
    return sorted.slice(below, count - above);
  }

  // What y shows of the lines that are on: the same rules as for PNG charts.
  yHome() {
    const {log, y_min, y_max} = this.data, most = 6;
    let min = y_min, max = y_max, shown = [];
    if (y_min === 0 && y_max === 0) {
      min = Infinity;
      max = -Infinity;
      this.data.series.forEach((s, i) => {
        for (const y of this.visible[i] ? s.y : []) if (this.isDrawn(y)) shown.push(y);
      });
      if (this.data.trims && !log) shown = this.trim(shown);
      for (const y of shown) [min, max] = [Math.min(min, y), Math.max(max, y)];
      [min, max] = this.widen(min, max);
      if (min > max) [min, max] = [log ? 0.1 : 0, 1];
      else if (!log && min > 0 && min < max / 2) min = 0;
    }
    const inRange = value => Math.max(-1e300, Math.min(1e300, value));
    return log ? logRange(min, max) : linearRange(inRange(min), inRange(max), most);
  }

  xHome() {
    if (this.data.x_names) return [-0.5, this.data.x_names.length - 0.5];
    const first = this.rows[0][0], last = this.rows[this.rows.length - 1][0];
    const pad = last > first ? (last - first) / 100 : Math.abs(first) / 10 || 0.5;
    return [first - pad, last + pad];
  }

  // Names are set as HTML by dygraphs, hence the escapes.
  nameTicks(low, high, pixels) {
    const names = this.data.x_names, end = names.length - 1, ticks = [];
    const stride = Math.max(1, Math.ceil(NAME_WIDTH * (high - low) / pixels));
    const last = Math.min(end, Math.floor(high));
    for (let i = Math.max(0, Math.ceil(low)); i <= last; i++) {
      // The last name always stands, and none so close before it that they touch.
      if (i !== end && (i % stride || end - i < stride)) continue;
      const holder = element('div', '', names[i]);
      ticks.push({v: i, label: holder.innerHTML});
    }
    return ticks;
  }

  xText(x) {
    const {x_names, x_label} = this.data;
    if (x_names) return x_names[x] ?? String(x);
    return (x_label ? x_label + ' ' : '') + formatNumber(x);
  }

  showValues(row) {
    this.hint.textContent = this.xText(this.rows[row][0]);
    this.values.forEach((value, i) => {
      const y = this.rows[row][i + 1];
      value.textContent = y === null || Number.isNaN(y) || !this.visible[i] ? '–' : formatNumber(y);
    });
  }

  hideValues() {
    this.setHint();
    for (const i in this.values) this.values[i].textContent = '';
  }

  // The level to compare with; its name stands above it, or below where the plot ends.
  drawLevels(context, area, graph) {
    const {reference, reference_name, levels} = this.data;
    this.drawLevel(context, area, graph, reference, reference_name, false);
    levels.forEach(({at, name}, i) => this.drawLevel(context, area, graph, at, name, i % 2 === 1));
  }

  drawLevel(context, area, graph, reference, reference_name, atRight) {
    const colors = CANVAS_COLORS[theme()];
    const y = reference_name === null ? NaN : Math.round(graph.toDomYCoord(reference)) + 0.5;
    if (!(y >= area.y && y <= area.y + area.h)) return;
    context.save();
    context.strokeStyle = context.fillStyle = colors.text;
    context.setLineDash([5, 5]);
    context.beginPath();
    context.moveTo(area.x, y);
    context.lineTo(area.x + area.w, y);
    context.stroke();
    context.font = FONT;
    const base = y - FONT_SIZE - 6 > area.y ? y - 6 : y + FONT_SIZE + 4;
    const width = context.measureText(reference_name).width;
    const left = atRight ? Math.max(area.x, area.x + area.w - width - 12) : area.x + 6;
    context.fillStyle = colors.paper;
    context.fillRect(left, base - FONT_SIZE + 1, width + 6, FONT_SIZE + 3);
    context.fillStyle = colors.text;
    context.fillText(reference_name, left + 3, base);
    context.restore();
  }

  axisOptions() {
    const {x_names, log} = this.data, whole = this.rows.every(row => Number.isInteger(row[0]));
    const yTicks = log ? logTicks : linearTicks;
    return {
      x: {
        axisLabelWidth: x_names ? NAME_WIDTH : 60,
        ticker: (low, high, pixels) => x_names
            ? this.nameTicks(low, high, pixels)
            : linearTicks(low, high, Math.max(2, pixels / 50), whole),
      },
      y: {
        axisLabelWidth: 58,
        ticker: (low, high, pixels) => yTicks(low, high, Math.max(2, pixels / 40), false),
      },
    };
  }

  // A finger alone scrolls the page; two zoom.
  interactions() {
    const model = Dygraph.defaultInteractionModel;
    const withTwo = act => (event, graph, context) => {
      if (event.touches.length > 1) act(event, graph, context);
    };
    return {...model, touchstart: withTwo(model.touchstart), touchmove: withTwo(model.touchmove)};
  }

  draw() {
    if (this.graph) return;
    if (!this.rows.some(row => row.slice(1).some(Number.isFinite))) {
      this.plot.textContent = 'no values to draw';
      this.plot.classList.add('empty');
      this.hint.remove();
      return;
    }
    const labels = this.data.series.map((s, i) => `s${i}`), series = {};
    labels.forEach((label, i) => {
      if (this.data.series[i].dashed) series[label] = {strokePattern: [8, 5]};
    });
    if (this.data.x_names) this.plot.classList.add('named');
    this.graph = new Dygraph(this.plot, this.rows, {
      labels: ['x', ...labels],
      series,
      colors: this.colors(),
      visibility: [...this.visible],
      strokeWidth: 2,
      pointSize: 3,
      connectSeparatedPoints: true,
      logscale: this.data.log,
      dateWindow: this.xHome(),
      valueRange: this.yHome(),
      legend: 'never',
      highlightCircleSize: 4,
      axisLabelFontSize: FONT_SIZE,
      axisLineColor: CANVAS_COLORS[theme()].axis,
      axisLineWidth: 1,
      gridLineColor: CANVAS_COLORS[theme()].grid,
      gridLineWidth: 1,
      pixelRatio: pixelRatio(),
      xAxisHeight: this.xAxisHeight,
      rightGap: 14,
      axes: this.axisOptions(),
      interactionModel: this.interactions(),
      underlayCallback: (context, area, graph) => this.drawLevels(context, area, graph),
      highlightCallback: (event, x, points, row) => this.showValues(row),
      unhighlightCallback: () => this.hideValues(),
      zoomCallback: (low, high, ranges) => this.keepZoom(ranges[0]),
    });
    this.graph.resetZoom = () => this.zoomOut();
  }

  // dygraphs forgets a zoom of y whenever it lays the chart out again.
  keepZoom(range) {
    this.zoomed = true;
    this.graph.updateOptions({valueRange: range}, true);
  }

  zoomOut() {
    this.zoomed = false;
    this.graph.clearSelection();
    this.graph.updateOptions({dateWindow: this.xHome(), valueRange: this.yHome()});
  }

  // Takes over the theme's colours and the room that there is.
  refresh() {
    this.color();
    if (!this.graph) return;
    const {axis, grid} = CANVAS_COLORS[theme()], {width, height} = this.graph.size();
    const resized = width !== this.plot.clientWidth || height !== this.plot.clientHeight;
    const options = {
      colors: this.colors(),
      axisLineColor: axis,
      gridLineColor: grid,
      pixelRatio: pixelRatio(),
    };
    this.graph.updateOptions(options, resized);
    if (resized) this.graph.resize();
  }
}
