import { runSchedule } from './schedule.js';
const from = Number(process.argv[2] ?? 1);
const to = Number(process.argv[3] ?? from);
const print = process.argv.includes('--trace') ? { print: (l: string) => console.log(l.slice(0, 300)) } : {};
let bad = 0; let cpu = 0;
const t0 = performance.now();
for (let seed = from; seed <= to; seed += 1) {
  const t = process.cpuUsage();
  const r = await runSchedule(seed, print);
  const used = process.cpuUsage(t); const ms = (used.user + used.system) / 1000; cpu += ms;
  if (r.violations.length > 0) {
    bad += 1;
    console.log(`seed ${seed} ${r.events} events ${ms.toFixed(0)} ms\n  ${r.violations.map((v) => v.slice(0, 600)).join('\n  ')}`);
  } else if (to - from < 20) console.log(`seed ${seed} ok ${r.digest} ${r.events} events, ${r.acknowledged} acks, ${r.moves} moves, ${r.faults.length} faults, ${(r.virtualMs / 1000).toFixed(0)} s virtual, ${ms.toFixed(0)} ms`);
}
console.log(`${to - from + 1} schedules, ${bad} bad, ${(cpu / (to - from + 1)).toFixed(0)} ms of CPU each`);
process.exit(0);
