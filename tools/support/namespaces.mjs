import { capture } from './run.mjs';

/** Runs what follows in network, mount and process namespaces of its own; all in them ends with it. */
export const OWN_NAMESPACES = ['unshare', '--net', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc'];

/** Whether this user may, and the kernel can, and `ip` is here to furnish them. */
export function canIsolate() {
  if (process.platform !== 'linux' || process.getuid() !== 0) return false;
  const [command, ...flags] = OWN_NAMESPACES;
  return capture(command, [...flags, 'ip', 'link', 'add', 'probe', 'type', 'bridge']).ok;
}
