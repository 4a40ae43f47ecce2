import type { Heat } from '../model/api.types.js';
import { roundStep, roundTime } from '../model/ticks.js';
import type { Cell, Scale } from './heat-model.js';
import { COLD, colourAt, scaleOf, shareOf } from './heat-model.js';

export const LEFT = 58;
export const BOTTOM = 20;
const TOP = 4;
const HATCH = 6;
/** In pixels, of a time with seconds and of the gap to the next. */
const TIME_WIDTH = 92;
const TIME_GAP = 16;

export interface Brush {
  readonly from: Cell;
  readonly to: Cell;
}

const variable = (name: string): string => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** Draws the map, at most once a frame: time from left to right, partitions from top to bottom. */
export class HeatPainter {
  cursor: Cell | undefined;
  brush: Brush | undefined;
  private heat: Heat | undefined;
  private readonly pixels = document.createElement('canvas');
  private isAsked = false;
  private frames = 0;

  constructor(private readonly canvas: HTMLCanvasElement) {}

  show(heat: Heat): void {
    this.heat = heat;
    this.paintPixels(heat, scaleOf(heat));
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

  /** The cell at a place on the canvas; the nearest one where it is beside them. */
  cellAt(x: number, y: number): Cell {
    const { steps = 1, buckets = 1 } = this.heat ?? {};
    const { width, height } = this.plot;
    const at = (share: number, count: number) => Math.min(count - 1, Math.max(0, Math.floor(share * count)));
    return { step: at((x - LEFT) / width, steps), bucket: at((y - TOP) / height, buckets) };
  }

  private get plot(): { readonly width: number; readonly height: number } {
    const { clientWidth, clientHeight } = this.canvas;
    return { width: Math.max(1, clientWidth - LEFT), height: Math.max(1, clientHeight - BOTTOM - TOP) };
  }

  private paintPixels(heat: Heat, scale: Scale | undefined): void {
    const { steps, buckets, values } = heat;
    this.pixels.width = Math.max(1, steps);
    this.pixels.height = Math.max(1, buckets);
    const image = new ImageData(this.pixels.width, this.pixels.height);
    for (let bucket = 0; bucket < buckets; bucket += 1)
      for (let step = 0; step < steps; step += 1) {
        const value = values[bucket * steps + step] ?? null;
        if (value === null) continue; // the hatching below shows
        const [r, g, b] = scale && value > 0 ? colourAt(shareOf(scale, value)) : COLD;
        image.data.set([r, g, b, 255], (bucket * steps + step) * 4);
      }
    this.pixels.getContext('2d')!.putImageData(image, 0, 0);
  }

  private draw(): void {
    const { canvas, heat } = this;
    const ratio = devicePixelRatio || 1;
    const { clientWidth, clientHeight } = canvas;
    if (canvas.width !== Math.round(clientWidth * ratio)) canvas.width = Math.round(clientWidth * ratio);
    if (canvas.height !== Math.round(clientHeight * ratio)) canvas.height = Math.round(clientHeight * ratio);
    const context = canvas.getContext('2d')!;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, clientWidth, clientHeight);
    if (heat) {
      this.drawHatching(context);
      context.imageSmoothingEnabled = false;
      context.drawImage(this.pixels, LEFT, TOP, this.plot.width, this.plot.height);
      this.drawNames(context, heat);
      this.drawMarks(context, heat);
    }
    this.frames += 1;
    canvas.dataset['frames'] = String(this.frames);
    canvas.dataset['cells'] = heat ? `${heat.steps} ${heat.buckets}` : '';
  }

  /** Where nobody measured: neither a colour of the scale nor the ground of the page. */
  private drawHatching(context: CanvasRenderingContext2D): void {
    const { width, height } = this.plot;
    context.save();
    context.beginPath();
    context.rect(LEFT, TOP, width, height);
    context.clip();
    context.fillStyle = variable('--track');
    context.fillRect(LEFT, TOP, width, height);
    context.strokeStyle = variable('--line');
    context.lineWidth = 1;
    context.beginPath();
    for (let x = LEFT - height; x < LEFT + width; x += HATCH) {
      context.moveTo(x, TOP + height);
      context.lineTo(x + height, TOP);
    }
    context.stroke();
    context.restore();
  }

  private drawNames(context: CanvasRenderingContext2D, heat: Heat): void {
    const { width, height } = this.plot;
    context.font = `11px ${variable('--mono')}`;
    context.fillStyle = variable('--quiet');
    context.textBaseline = 'middle';
    context.textAlign = 'right';
    const rows = Math.max(1, Math.min(heat.buckets, Math.floor(height / 28)));
    const every = roundStep(heat.buckets / rows);
    for (let bucket = 0; bucket < heat.buckets; bucket += every) {
      const y = TOP + ((bucket + 0.5) / heat.buckets) * height;
      context.fillText(String(heat.firstPartition + bucket * heat.partitionsPerBucket), LEFT - 6, y);
    }
    this.drawTimes(context, heat, width, TOP + height + BOTTOM / 2 + 2);
  }

  private drawTimes(context: CanvasRenderingContext2D, heat: Heat, width: number, y: number): void {
    const spanMs = heat.steps * heat.stepMs;
    const everyMs = roundTime((spanMs * TIME_WIDTH) / width);
    const form: Intl.DateTimeFormatOptions = { hour: '2-digit', minute: '2-digit' };
    if (everyMs < 60_000) form.second = '2-digit';
    context.textAlign = 'left';
    for (let at = Math.ceil(heat.fromMs / everyMs) * everyMs; at < heat.fromMs + spanMs; at += everyMs) {
      const x = ((at - heat.fromMs) / spanMs) * width;
      if (x + TIME_WIDTH > width + TIME_GAP) break;
      context.fillText(new Date(at).toLocaleTimeString(undefined, form), LEFT + x, y);
    }
  }

  private drawMarks(context: CanvasRenderingContext2D, heat: Heat): void {
    const { brush, cursor } = this;
    if (brush) this.outline(context, heat, brush.from, brush.to, 2);
    if (cursor && document.activeElement === this.canvas) this.outline(context, heat, cursor, cursor, 2);
  }

  /** A light line in a dark one: seen on every colour of the scale. */
  private outline(context: CanvasRenderingContext2D, heat: Heat, a: Cell, b: Cell, width: number): void {
    const { width: w, height: h } = this.plot;
    const x = (step: number) => LEFT + (step / heat.steps) * w;
    const y = (bucket: number) => TOP + (bucket / heat.buckets) * h;
    const left = x(Math.min(a.step, b.step));
    const top = y(Math.min(a.bucket, b.bucket));
    const right = x(Math.max(a.step, b.step) + 1);
    const bottom = y(Math.max(a.bucket, b.bucket) + 1);
    for (const [colour, grown] of [
      ['#000000', width],
      ['#ffffff', 0],
    ] as const) {
      context.strokeStyle = colour;
      context.lineWidth = width;
      context.strokeRect(left - grown, top - grown, right - left + 2 * grown, bottom - top + 2 * grown);
    }
  }
}
