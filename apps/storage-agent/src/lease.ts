/**
 * Read leases. Each follower node grants each node that it follows a lease with every beat it answers: for LEASE_MS from the arrival of
 * the beat it will not itself lead what it follows there (see `LeaderRole.mayRead` for why that is enough). The leader counts from the
 * moment at which it sent the beat, and somewhat shorter, so the follower's lease always ends later, as long as
 * - the monotonic clocks of two nodes do not differ in rate by more than DRIFT: they need not agree on the time, and the wall clock may
 *   jump as it likes;
 * - a machine whose monotonic clock stands still is not running either. A virtual machine that is suspended and resumed with its clock
 *   stopped breaks this; do not suspend one that serves.
 * It bounds how much longer a failover can take, so it is shorter than the detection of a death.
 */
export const LEASE_MS = 800;
const DRIFT = 0.05;
/** As the leader counts it. */
export const HELD_MS = LEASE_MS * (1 - DRIFT);
/** In ticks of the agent. */
export const BEAT_TICKS = 2;
