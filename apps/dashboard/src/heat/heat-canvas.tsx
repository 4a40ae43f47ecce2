import { useEffect, useRef } from 'preact/hooks';
import type { Heat } from '../model/api.types.js';
import type { Cell } from './heat-model.js';
import { HeatPainter } from './heat-painter.js';

interface HeatCanvasProps {
  readonly heat: Heat;
  /** The cell under the pointer, or that the keys are at. */
  readonly onPoint: (cell: Cell | undefined) => void;
  readonly onZoom: (a: Cell, b: Cell) => void;
  readonly onChoose: (cell: Cell) => void;
  readonly onAll: () => void;
}

const CLICK_PIXELS = 4;

const stepped = (heat: Heat, { step, bucket }: Cell, dx: number, dy: number): Cell => ({
  step: Math.min(heat.steps - 1, Math.max(0, step + dx)),
  bucket: Math.min(heat.buckets - 1, Math.max(0, bucket + dy)),
});

const ARROWS: Readonly<Record<string, readonly [number, number]>> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
  PageUp: [0, -16],
  PageDown: [0, 16],
  Home: [-1e6, 0],
  End: [1e6, 0],
};

/** @returns whether the key means something here */
const onKey = (event: KeyboardEvent, painter: HeatPainter, props: HeatCanvasProps): boolean => {
  const { heat } = props;
  const at = painter.cursor ?? { step: heat.steps - 1, bucket: 0 };
  const arrow = ARROWS[event.key];
  if (arrow) {
    const to = painter.cursor ? stepped(heat, at, ...arrow) : at;
    painter.brush = event.shiftKey ? { from: painter.brush?.from ?? at, to } : undefined;
    painter.cursor = to;
    props.onPoint(to);
  } else if (event.key === 'Enter' && painter.brush) {
    props.onZoom(painter.brush.from, painter.brush.to);
    painter.brush = undefined;
  } else if (event.key === 'Enter') props.onChoose(at);
  else if (event.key === 'Escape' && painter.brush) painter.brush = undefined;
  else if (event.key === 'Escape') props.onAll();
  else return false;
  painter.ask();
  return true;
};

const attach = (canvas: HTMLCanvasElement, painter: HeatPainter, props: { current: HeatCanvasProps }): (() => void) => {
  let press: { readonly x: number; readonly y: number; readonly cell: Cell } | undefined;
  const down = (event: PointerEvent) => {
    if (event.button !== 0) return;
    press = { x: event.offsetX, y: event.offsetY, cell: painter.cellAt(event.offsetX, event.offsetY) };
    canvas.setPointerCapture(event.pointerId);
  };
  const move = (event: PointerEvent) => {
    const cell = painter.cellAt(event.offsetX, event.offsetY);
    const isDrag = press && Math.hypot(event.offsetX - press.x, event.offsetY - press.y) > CLICK_PIXELS;
    if (press) painter.brush = isDrag ? { from: press.cell, to: cell } : undefined;
    props.current.onPoint(cell);
    painter.ask();
  };
  const up = () => {
    const { brush } = painter;
    if (press && brush) props.current.onZoom(brush.from, brush.to);
    else if (press) props.current.onChoose(press.cell);
    cancel();
  };
  const cancel = () => {
    press = undefined;
    painter.brush = undefined;
    painter.ask();
  };
  const leave = () => !press && props.current.onPoint(painter.cursor);
  const key = (event: KeyboardEvent) => {
    if (onKey(event, painter, props.current)) event.preventDefault();
  };
  const ask = () => painter.ask();
  const on = [
    ['pointerdown', down],
    ['pointermove', move],
    ['pointerup', up],
    ['pointercancel', cancel],
    ['pointerleave', leave],
    ['keydown', key],
    ['focus', ask],
    ['blur', ask],
  ] as const;
  for (const [name, listener] of on) canvas.addEventListener(name, listener as EventListener);
  const fit = new ResizeObserver(ask);
  fit.observe(canvas);
  const dark = matchMedia('(prefers-color-scheme: dark)');
  dark.addEventListener('change', ask);
  return () => {
    fit.disconnect();
    dark.removeEventListener('change', ask);
  };
};

/** Time across, partitions down. Drag a frame to zoom, click a cell; the keys can do the same. */
export const HeatCanvas = (props: HeatCanvasProps) => {
  const canvas = useRef<HTMLCanvasElement>(null);
  const painter = useRef<HeatPainter | undefined>(undefined);
  const latest = useRef(props);
  latest.current = props;
  const { heat } = props;
  useEffect(() => {
    const made = new HeatPainter(canvas.current!);
    painter.current = made;
    return attach(canvas.current!, made, latest);
  }, []);
  useEffect(() => {
    const made = painter.current!;
    if (made.cursor) made.cursor = stepped(heat, made.cursor, 0, 0);
    made.show(heat);
  }, [heat]);
  return (
    <canvas
      id="heat"
      class="heat"
      ref={canvas}
      tabIndex={0}
      role="application"
      aria-describedby="heat-point"
      aria-label="Load over time: time across, partitions down. Arrow keys go from cell to cell, with shift they span a frame, enter zooms into it or opens the partition, escape shows all."
    />
  );
};
