import { readFileSync } from 'node:fs';

/**
 * Start time of a process in clock ticks since boot: tells a live owner from a new process with its old pid, as in containers,
 * where a process is pid 1 in every life. '' where /proc is not there.
 */
const startOf = (pid: number): string => {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
  } catch {
    return '';
  }
};

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
};

/** What names this process for good, for a lock file. */
export const processMark = (): string => `${process.pid} ${startOf(process.pid)}`;

/** Whether the process that left `mark` still runs. A mark that cannot be read belongs to nobody. */
export const isMarkAlive = (mark: string): boolean => {
  const [pid = '', start = ''] = mark.trim().split(' ');
  const number = Number(pid);
  if (!Number.isInteger(number) || number <= 0 || !isAlive(number)) return false;
  const now = startOf(number);
  if (now === '' || start === '') return number !== process.pid;
  return now === start;
};
