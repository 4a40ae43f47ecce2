import type { GridModel, GridView } from './grid-model.js';
import type { Viewport } from './viewport.js';

export interface Slice {
  /** Columns of pixels, and rows: one row a node. */
  readonly width: number;
  readonly height: number;
  /** Left edge of the first column of pixels, in columns of the grid. */
  readonly first: number;
  /** How many columns of the grid a column of pixels stands for: 1, or more when there is no room. */
  readonly each: number;
}

export const sliceOf = (view: Viewport, grid: GridView, canvasWidth: number): Slice => {
  const { columns, rows } = grid;
  const height = rows.length;
  if (view.width < 1) {
    const width = Math.min(Math.ceil(canvasWidth), Math.ceil(columns.length * view.width));
    return { width, height, first: view.first, each: 1 / view.width };
  }
  const first = Math.floor(view.first);
  const last = Math.min(columns.length, Math.ceil(view.first + canvasWidth / view.width));
  return { width: Math.max(0, last - first), height, first, each: 1 };
};

/** Colours what is in sight into `out`, one pixel a cell; of cells that share a pixel the highest shows. `colours` by cell. */
export const paint = (grid: GridModel, shown: GridView, slice: Slice, colours: Uint32Array, out: Uint32Array): void => {
  const { rows, columns } = shown;
  for (let y = 0; y < slice.height; y += 1) {
    const base = rows[y]! * grid.partitions;
    for (let x = 0; x < slice.width; x += 1) {
      const from = Math.floor(slice.first + x * slice.each);
      const to = Math.min(columns.length, Math.max(from + 1, Math.floor(slice.first + (x + 1) * slice.each)));
      let best = 0;
      for (let c = from; c < to; c += 1) {
        const cell = grid.cells[base + columns[c]!]!;
        if (cell > best) best = cell;
      }
      out[y * slice.width + x] = colours[best]!;
    }
  }
};
