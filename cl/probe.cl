/* Counts to outer * inner by a recurrence that has no closed form a compiler would find. */
__kernel void probe_loops(__global uint *out, uint outer, uint inner) {
  uint x = 1, i = 0;
  while (i < outer) {
    uint k = 0;
    while (k < inner) {
      x = x * 1664525u + 1013904223u;
      k++;
    }
    i++;
  }
  out[0] = x;
}
