import { RATES_MAX } from './board.js';

const [WIDTH, HEIGHT] = [120, 28];

/** The last minutes at a glance; the number beside it says what it is now, so a reader of the screen need not hear it. */
export function Sparkline({ values }: { values: readonly number[] }) {
  const highest = Math.max(...values, 0);
  const step = WIDTH / (RATES_MAX - 1);
  const start = WIDTH - (values.length - 1) * step;
  const points = values.map((value, index) => {
    const y = highest === 0 ? HEIGHT - 1.5 : HEIGHT - 1.5 - (value / highest) * (HEIGHT - 3);
    return `${(start + index * step).toFixed(1)},${y.toFixed(1)}`;
  });
  const area = `${start.toFixed(1)},${HEIGHT} ${points.join(' ')} ${WIDTH},${HEIGHT}`;
  return (
    <svg class="sparkline" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} width={WIDTH} height={HEIGHT} aria-hidden="true">
      {values.length > 1 && <polygon points={area} />}
      {values.length > 1 && <polyline points={points.join(' ')} />}
    </svg>
  );
}
