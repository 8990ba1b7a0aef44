// Numbers as text, and the ticks and ranges of axes.

function power(exponent) {
  return '10' + String(exponent).replace('-', '⁻').replace(/\d/g, d => '⁰¹²³⁴⁵⁶⁷⁸⁹'[d]);
}

function formatNumber(value) {
  const size = Math.abs(value);
  if (size === 0 || (size >= 1e-3 && size < 1e6)) return String(Number(value.toPrecision(5)));
  const [mantissa, exponent] = value.toExponential(3).split('e');
  return `${Number(mantissa)}×${power(Number(exponent))}`;
}

// The smallest of 1, 2, 5, 10, … times a power of ten that is not below least.
function niceStep(least, whole) {
  let exponent = Math.floor(Math.log10(least));
  let mantissa = [1, 2, 5].find(m => m * 10 ** exponent >= least * (1 - 1e-9));
  if (!mantissa) [mantissa, exponent] = [1, exponent + 1];
  return whole && exponent < 0 ? {mantissa: 1, exponent: 0} : {mantissa, exponent};
}

// Negative powers of ten are not exact; dividing by positive ones rounds once.
function multiple(step, n) {
  return step.exponent < 0 ? n * step.mantissa / 10 ** -step.exponent
                           : n * step.mantissa * 10 ** step.exponent;
}

function linearTicks(low, high, most, whole) {
  const ticks = [], largest = Math.max(Math.abs(low), Math.abs(high));
  const step = niceStep((high - low) / most, whole), decimals = Math.max(0, -step.exponent);
  const top = Math.floor(Math.log10(largest));
  const label = value => {
    if (value === 0) return '0';
    if (largest < 1e6 && decimals <= 4) return value.toFixed(decimals);
    return `${(value / 10 ** top).toFixed(Math.max(0, top - step.exponent))}×${power(top)}`;
  };
  const first = Math.ceil(low / multiple(step, 1) - 1e-6);
  const last = Math.floor(high / multiple(step, 1) + 1e-6);
  for (let n = first; n <= last; n++) {
    const v = multiple(step, n);
    ticks.push({v, label: label(v)});
  }
  return ticks;
}

// A tick without a label is a line of the grid only.
function logTicks(low, high, most) {
  const first = Math.log10(low), last = Math.log10(high), decades = last - first, ticks = [];
  if (decades < 1) return linearTicks(low, high, most, false);
  const stride = [1, 2, 5, 10, 20, 50, 100].find(s => decades / s < most) || 200;
  const add = (digit, exponent, numbered) => {
    const v = digit * 10 ** exponent;
    if (v < low * (1 - 1e-6) || v > high) return;
    const label = (digit > 1 ? digit + '×' : '') + power(exponent);
    ticks.push(numbered ? {v, label} : {v});
  };
  for (let e = Math.floor(first); e <= Math.ceil(last); e++) {
    if (e % stride === 0 || stride <= 5) add(1, e, e % stride === 0);
    for (let digit = 2; decades <= 3 && digit <= 9; digit++)
      add(digit, e, decades <= 2 && (digit === 2 || digit === 5));
  }
  return ticks;
}

// Ranges reach a hair beyond their last tick, which dygraphs leaves out at the very end.
const HAIR = 1e-4;

function logRange(min, max) {
  let low = Math.max(-307, Math.floor(Math.log10(min) + 1e-9));
  let high = Math.min(307, Math.ceil(Math.log10(max) - 1e-9));
  if (low >= high) [low, high] = [low - 1, high + 1];
  return [10 ** low, 10 ** (high + HAIR * (high - low))];
}

function linearRange(min, max, most) {
  const largest = Math.max(Math.abs(min), Math.abs(max));
  if (!(max - min > 1e-7 * largest)) {
    const pad = largest < 1e-290 ? 1 : largest / 10;
    [min, max] = [min - pad, max + pad];
  }
  const step = niceStep((max - min) / most, false), one = multiple(step, 1);
  const low = multiple(step, Math.floor(min / one + 1e-6));
  const high = multiple(step, Math.ceil(max / one - 1e-6));
  return [low, high + HAIR * (high - low)];
}
