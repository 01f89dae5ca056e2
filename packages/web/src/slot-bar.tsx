/** The slots of a host: used ones filled. Each is drawn as long as they can be told apart. */

const CELLS_MAX = 32;
const [WIDTH, HEIGHT, GAP] = [256, 10, 2];

export function SlotBar({ used, slots }: { used: number; slots: number }) {
  const label = `${used} of ${slots} slots used`;
  const tone = used > slots ? 'is-over' : '';
  return (
    <svg class={`slots ${tone}`} viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" role="img" aria-label={label}>
      <title>{label}</title>
      {slots > CELLS_MAX || used > slots ? <Whole used={used} slots={slots} /> : <Cells used={used} slots={slots} />}
    </svg>
  );
}

function Whole({ used, slots }: { used: number; slots: number }) {
  const share = slots === 0 ? (used > 0 ? 1 : 0) : Math.min(1, used / slots);
  return (
    <>
      <rect width={WIDTH} height={HEIGHT} rx="2" />
      <rect class="used" width={share * WIDTH} height={HEIGHT} rx="2" />
    </>
  );
}

function Cells({ used, slots }: { used: number; slots: number }) {
  const width = (WIDTH - GAP * (slots - 1)) / slots;
  return Array.from({ length: slots }, (_, index) => (
    <rect key={index} class={index < used ? 'used' : ''} x={index * (width + GAP)} width={width} height={HEIGHT} rx="1.5" />
  ));
}
