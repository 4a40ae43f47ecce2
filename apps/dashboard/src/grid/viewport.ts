/** Which columns of a grid are in sight: `first` may be a fraction, `width` is of one column in pixels. */
export interface Viewport {
  readonly first: number;
  readonly width: number;
}

export const WIDTH_MAX = 28;

/** No wider than useful, no narrower than what fills the canvas, never beside the columns. */
export const clampView = (view: Viewport, columns: number, canvasWidth: number): Viewport => {
  const least = canvasWidth / Math.max(1, columns);
  const width = Math.min(Math.max(view.width, Math.min(least, WIDTH_MAX)), WIDTH_MAX);
  const inSight = canvasWidth / width;
  return { width, first: Math.min(Math.max(0, view.first), Math.max(0, columns - inSight)) };
};

export const pan = (view: Viewport, pixels: number): Viewport => ({ ...view, first: view.first + pixels / view.width });

/** The column under `x` stays under it. */
export const zoom = (view: Viewport, factor: number, x: number): Viewport => {
  const width = Math.min(view.width * factor, WIDTH_MAX);
  return { width, first: view.first + x / view.width - x / width };
};

/** So far that the column is in the middle, wide enough to see it. */
export const centre = (column: number, canvasWidth: number, width: number): Viewport => ({
  width,
  first: column + 0.5 - canvasWidth / width / 2,
});
