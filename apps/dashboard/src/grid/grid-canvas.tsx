import { useEffect, useRef } from 'preact/hooks';
import { roundStep } from '../model/ticks.js';
import { CELL, type GridModel, type GridView } from './grid-model.js';
import { paint, sliceOf } from './grid-pixels.js';
import { centre, clampView, pan, type Viewport, zoom, WIDTH_MAX } from './viewport.js';

interface GridCanvasProps {
  readonly grid: GridModel;
  readonly shown: GridView;
  readonly selected: number | undefined;
  readonly onSelect: (partition: number) => void;
}

const LABELS = 92;
const AXIS = 20;
const ZOOM_STEP = 1.25;
const KEY_PIXELS = 80;
/** From this width on cells are told apart by lines. */
const GAPS_FROM = 4;
const NAMES = ['none', 'follower', 'leader', 'behind', 'leaving', 'arriving'] as const;

const variable = (name: string): string => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** #rrggbb to what a little-endian pixel is. */
const pixelOf = (hex: string): number => {
  const rgb = Number.parseInt(hex.slice(1), 16);
  return (0xff_00_00_00 | ((rgb & 0xff) << 16) | (rgb & 0xff00) | (rgb >> 16)) >>> 0;
};

/** Draws itself when something changed, at most once a frame, and only what is in sight. */
class GridPainter {
  view: Viewport = { first: 0, width: 0 };
  grid: GridModel;
  shown: GridView;
  selected: number | undefined;
  private readonly buffer = document.createElement('canvas');
  private colours = new Uint32Array(NAMES.length);
  private ink = { text: '', line: '', mark: '', font: '', letter: '' };
  private isAsked = false;
  frames = 0;

  constructor(
    private readonly canvas: HTMLCanvasElement,
    props: GridCanvasProps,
  ) {
    this.grid = props.grid;
    this.shown = props.shown;
    this.readColours();
  }

  readColours(): void {
    this.colours = Uint32Array.from(NAMES, (name) => pixelOf(variable(`--cell-${name}`)));
    this.ink = {
      text: variable('--quiet'),
      line: variable('--line'),
      mark: variable('--text'),
      font: `11px ${variable('--mono')}`,
      letter: variable('--cell-letter'),
    };
  }

  get plotWidth(): number {
    return Math.max(1, this.canvas.clientWidth - LABELS);
  }

  get rowHeight(): number {
    return Math.max(
      2,
      Math.min(26, Math.floor((this.canvas.clientHeight - AXIS) / Math.max(1, this.shown.rows.length))),
    );
  }

  show(view: Viewport): void {
    this.view = clampView(view, this.shown.columns.length, this.plotWidth);
    this.ask();
  }

  ask(): void {
    if (this.isAsked) return;
    this.isAsked = true;
    requestAnimationFrame(() => {
      this.isAsked = false;
      this.draw();
    });
  }

  columnAt(x: number): number {
    return Math.floor(this.view.first + (x - LABELS) / this.view.width);
  }

  private draw(): void {
    const ratio = devicePixelRatio || 1;
    const { clientWidth, clientHeight } = this.canvas;
    if (this.canvas.width !== Math.round(clientWidth * ratio)) this.canvas.width = Math.round(clientWidth * ratio);
    if (this.canvas.height !== Math.round(clientHeight * ratio)) this.canvas.height = Math.round(clientHeight * ratio);
    const context = this.canvas.getContext('2d')!;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, clientWidth, clientHeight);
    this.drawCells(context);
    this.drawLines(context);
    this.drawNames(context);
    this.frames += 1;
    this.canvas.dataset['frames'] = String(this.frames);
    this.canvas.dataset['view'] = `${this.view.first.toFixed(2)} ${this.view.width.toFixed(3)}`;
  }

  private drawCells(context: CanvasRenderingContext2D): void {
    const slice = sliceOf(this.view, this.shown, this.plotWidth);
    if (slice.width === 0 || slice.height === 0) return;
    this.buffer.width = slice.width;
    this.buffer.height = slice.height;
    const image = new ImageData(slice.width, slice.height);
    paint(this.grid, this.shown, slice, this.colours, new Uint32Array(image.data.buffer));
    const inner = this.buffer.getContext('2d')!;
    inner.putImageData(image, 0, 0);
    const pixel = this.view.width * slice.each;
    context.save();
    context.beginPath();
    context.rect(LABELS, AXIS, this.plotWidth, slice.height * this.rowHeight);
    context.clip();
    context.imageSmoothingEnabled = false;
    context.drawImage(
      this.buffer,
      LABELS - (this.view.first - slice.first) * this.view.width,
      AXIS,
      slice.width * pixel,
      slice.height * this.rowHeight,
    );
    if (this.view.width >= 12 && this.rowHeight >= 12) this.drawLetters(context, slice.first, slice.width);
    context.restore();
  }

  /** Where there is room the leader has its letter too: nobody needs to tell colours apart. */
  private drawLetters(context: CanvasRenderingContext2D, first: number, count: number): void {
    context.font = this.ink.font;
    context.fillStyle = this.ink.letter;
    context.textAlign = 'center';
    context.textBaseline = 'middle';
    const letters = ['', '', 'L', '?', '−', '+'];
    for (let i = 0; i < count; i += 1) {
      const partition = this.shown.columns[first + i]!;
      const x = LABELS + (first + i + 0.5 - this.view.first) * this.view.width;
      for (const [y, row] of this.shown.rows.entries()) {
        const cell = this.grid.cells[row * this.grid.partitions + partition]!;
        if (cell > CELL.follower) context.fillText(letters[cell]!, x, AXIS + (y + 0.5) * this.rowHeight);
      }
    }
  }

  private drawLines(context: CanvasRenderingContext2D): void {
    const { rows, columns } = this.shown;
    context.strokeStyle = this.ink.line;
    context.lineWidth = 1;
    context.beginPath();
    for (let y = 1; y < rows.length; y += 1) {
      const isEdge = this.grid.zones[rows[y]!] !== this.grid.zones[rows[y - 1]!];
      if (!isEdge && this.rowHeight < 8) continue;
      const at = AXIS + y * this.rowHeight + 0.5;
      context.moveTo(isEdge ? 0 : LABELS, at);
      context.lineTo(LABELS + this.plotWidth, at);
    }
    if (this.view.width >= GAPS_FROM) {
      const until = LABELS + Math.min(this.plotWidth, (columns.length - this.view.first) * this.view.width);
      for (let x = LABELS + (1 - (this.view.first % 1)) * this.view.width; x < until; x += this.view.width) {
        context.moveTo(x, AXIS);
        context.lineTo(x, AXIS + rows.length * this.rowHeight);
      }
    }
    context.stroke();
    if (this.selected === undefined) return;
    const column = columns.indexOf(this.selected);
    if (column < 0) return;
    context.strokeStyle = this.ink.mark;
    context.lineWidth = 2;
    const x = LABELS + (column - this.view.first) * this.view.width;
    if (x >= LABELS - 1) context.strokeRect(x, AXIS, Math.max(2, this.view.width), rows.length * this.rowHeight);
  }

  private drawName(context: CanvasRenderingContext2D, row: number, y: number): void {
    context.textAlign = 'left';
    context.fillText(this.grid.nodes[row]!.slice(0, 13), 2, y);
    context.textAlign = 'right';
    context.fillText(this.grid.zones[row]!.slice(-7), LABELS - 6, y);
    context.textAlign = 'left';
  }

  private drawNames(context: CanvasRenderingContext2D): void {
    const { rows, columns } = this.shown;
    context.font = this.ink.font;
    context.fillStyle = this.ink.text;
    context.textBaseline = 'middle';
    context.textAlign = 'left';
    const every = Math.max(1, Math.ceil(12 / this.rowHeight));
    for (let y = 0; y < rows.length; y += every) this.drawName(context, rows[y]!, AXIS + (y + 0.5) * this.rowHeight);
    const { first, width } = this.view;
    const step = roundStep(60 / width);
    for (let column = Math.ceil(first / step) * step; column < columns.length; column += step) {
      const x = (column - first) * width;
      if (x > this.plotWidth - 20) break;
      context.fillText(String(columns[column]), LABELS + x + 2, 9);
    }
  }
}

const onKey = (event: KeyboardEvent, painter: GridPainter, props: GridCanvasProps): boolean => {
  const { columns } = props.shown;
  const at = props.selected === undefined ? -1 : columns.indexOf(props.selected);
  const step = (by: number) => {
    const next = Math.min(Math.max(0, at < 0 ? Math.floor(painter.view.first) : at + by), columns.length - 1);
    if (next >= 0) props.onSelect(columns[next]!);
  };
  const middle = painter.plotWidth / 2;
  const acts: Readonly<Record<string, () => void>> = {
    ArrowRight: () => step(1),
    ArrowLeft: () => step(-1),
    PageDown: () => painter.show(pan(painter.view, KEY_PIXELS * 4)),
    PageUp: () => painter.show(pan(painter.view, -KEY_PIXELS * 4)),
    Home: () => painter.show({ ...painter.view, first: 0 }),
    End: () => painter.show({ ...painter.view, first: columns.length }),
    '+': () => painter.show(zoom(painter.view, ZOOM_STEP, middle)),
    '-': () => painter.show(zoom(painter.view, 1 / ZOOM_STEP, middle)),
  };
  acts[event.key]?.();
  return acts[event.key] !== undefined;
};

const attach = (canvas: HTMLCanvasElement, painter: GridPainter, props: { current: GridCanvasProps }): (() => void) => {
  let drag: { readonly x: number; readonly from: number; moved: boolean } | undefined;
  const down = (event: PointerEvent) => {
    drag = { x: event.clientX, from: painter.view.first, moved: false };
    canvas.setPointerCapture(event.pointerId);
  };
  const move = (event: PointerEvent) => {
    if (!drag) return;
    const dx = drag.x - event.clientX;
    if (Math.abs(dx) > 3) drag.moved = true;
    if (drag.moved) painter.show(pan({ ...painter.view, first: drag.from }, dx));
  };
  const up = (event: PointerEvent) => {
    const column = painter.columnAt(event.offsetX);
    const partition = props.current.shown.columns[column];
    if (drag && !drag.moved && event.offsetX >= LABELS && partition !== undefined) props.current.onSelect(partition);
    drag = undefined;
  };
  const wheel = (event: WheelEvent) => {
    event.preventDefault();
    const isPan = Math.abs(event.deltaX) > Math.abs(event.deltaY) || event.shiftKey;
    const next = isPan
      ? pan(painter.view, event.deltaX || event.deltaY)
      : zoom(painter.view, event.deltaY < 0 ? ZOOM_STEP : 1 / ZOOM_STEP, event.offsetX - LABELS);
    painter.show(next);
  };
  const key = (event: KeyboardEvent) => {
    if (onKey(event, painter, props.current)) event.preventDefault();
  };
  canvas.addEventListener('pointerdown', down);
  canvas.addEventListener('pointermove', move);
  canvas.addEventListener('pointerup', up);
  canvas.addEventListener('wheel', wheel, { passive: false });
  canvas.addEventListener('keydown', key);
  const fit = new ResizeObserver(() => painter.show(painter.view));
  fit.observe(canvas);
  const dark = matchMedia('(prefers-color-scheme: dark)');
  const recolour = () => {
    painter.readColours();
    painter.ask();
  };
  dark.addEventListener('change', recolour);
  return () => {
    fit.disconnect();
    dark.removeEventListener('change', recolour);
  };
};

/** Partitions across, nodes down. Drag or wheel; arrows choose a partition, + and - zoom. */
export const GridCanvas = (props: GridCanvasProps) => {
  const canvas = useRef<HTMLCanvasElement>(null);
  const painter = useRef<GridPainter | undefined>(undefined);
  const latest = useRef(props);
  latest.current = props;
  useEffect(() => {
    const made = new GridPainter(canvas.current!, props);
    painter.current = made;
    made.show(made.view);
    return attach(canvas.current!, made, latest);
  }, []);
  useEffect(() => {
    const made = painter.current!;
    made.grid = props.grid;
    made.shown = props.shown;
    made.selected = props.selected;
    const column = props.selected === undefined ? -1 : props.shown.columns.indexOf(props.selected);
    const isInSight = column >= made.view.first && column < made.view.first + made.plotWidth / made.view.width;
    made.show(
      column >= 0 && !isInSight
        ? centre(column, made.plotWidth, Math.min(WIDTH_MAX, Math.max(made.view.width, 14)))
        : made.view,
    );
  }, [props.grid, props.shown, props.selected]);
  const height = AXIS + Math.min(560, Math.max(120, props.shown.rows.length * 24));
  return (
    <canvas
      id="grid"
      class="grid"
      ref={canvas}
      tabIndex={0}
      role="application"
      aria-label="Partitions across, nodes down. Arrow keys choose a partition, plus and minus zoom, page up and down move."
      style={{ height: `${height}px` }}
    />
  );
};
