import type { ComponentChildren } from 'preact';
import { useLayoutEffect, useRef, useState } from 'preact/hooks';

interface VirtualListProps<T> {
  readonly id: string;
  readonly label: string;
  readonly items: readonly T[];
  /** In pixels; every row has this height. */
  readonly rowHeight: number;
  readonly keyOf: (item: T) => string | number;
  readonly head: ComponentChildren;
  readonly row: (item: T) => ComponentChildren;
}

const SPARE = 6;

/** A table of thousands of rows of which only those in sight exist. */
export const VirtualList = <T,>({ id, label, items, rowHeight, keyOf, head, row }: VirtualListProps<T>) => {
  const box = useRef<HTMLDivElement>(null);
  const [view, setView] = useState({ top: 0, height: 600 });
  const look = () => {
    if (box.current) setView({ top: box.current.scrollTop, height: box.current.clientHeight });
  };
  useLayoutEffect(look, []);
  const first = Math.max(0, Math.floor(view.top / rowHeight) - SPARE);
  const last = Math.min(items.length, Math.ceil((view.top + view.height) / rowHeight) + SPARE);
  return (
    <div
      class="vlist"
      id={id}
      ref={box}
      onScroll={look}
      tabIndex={0}
      role="table"
      aria-label={label}
      aria-rowcount={items.length + 1}
    >
      <div class="vhead" role="row">
        {head}
      </div>
      <div class="vbody" role="rowgroup" style={{ height: `${items.length * rowHeight}px` }}>
        {items.slice(first, last).map((item, i) => (
          <div
            class="vrow"
            role="row"
            aria-rowindex={first + i + 2}
            key={keyOf(item)}
            style={{ height: `${rowHeight}px`, transform: `translateY(${(first + i) * rowHeight}px)` }}
          >
            {row(item)}
          </div>
        ))}
      </div>
    </div>
  );
};
