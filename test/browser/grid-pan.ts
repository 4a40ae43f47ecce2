export interface Pan {
  readonly frames: number;
  /** Of the wheel, before; each zooms in. */
  readonly steps: number;
  /** Positions of the pointer a frame. */
  readonly eachFrame?: number;
}

/** A script for the page of a keyspace: drags the grid. @returns [frames, frames that the canvas drew, milliseconds of each] */
export const panTo = ({ frames, steps, eachFrame = 1 }: Pan): string => `(async () => {
  const grid = document.getElementById('grid');
  const box = grid.getBoundingClientRect();
  const frame = () => new Promise((done) => requestAnimationFrame(done));
  const point = (type, x) => grid.dispatchEvent(new PointerEvent(type, { clientX: x, clientY: box.top + 40, pointerId: 1, bubbles: true }));
  grid.setPointerCapture = () => undefined;
  for (let i = 0; i < ${steps}; i += 1) {
    grid.dispatchEvent(new WheelEvent('wheel', { deltaY: -1, clientX: box.left + 600, cancelable: true }));
    await frame();
  }
  const before = Number(grid.dataset.frames);
  const took = [];
  let x = box.left + 600;
  point('pointerdown', x);
  let at = await frame();
  for (let i = 0; i < ${frames}; i += 1) {
    for (let n = 0; n < ${eachFrame}; n += 1) point('pointermove', (x -= 1));
    const next = await frame();
    took.push(next - at);
    at = next;
  }
  point('pointerup', x);
  return [${frames}, Number(grid.dataset.frames) - before, took];
})()`;
