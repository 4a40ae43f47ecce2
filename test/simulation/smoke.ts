import { World } from './world.js';
const world = new World({ seed: Number(process.argv[2] ?? 1), agents: 4, controlPlanes: 2, clients: 1 });
world.trace.print = (l) => console.log(l);
const t0 = performance.now();
world.startAll();
await world.scheduler.run(20_000);
console.log(world.scheduler.events, world.scheduler.digest, performance.now() - t0, world.violations);
process.exit(0);
