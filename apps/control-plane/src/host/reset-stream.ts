/** HTTP/2's ENHANCE_YOUR_CALM, which gRPC clients read as RESOURCE_EXHAUSTED (gRPC over HTTP/2, "HTTP2 Transport Mapping"). */
const ENHANCE_YOUR_CALM = 0xb;

interface Http2StreamLike {
  close?(code: number): void;
}

/**
 * Ends a gRPC stream at once, with what waits in it. The status of a call is sent after its data, so a reader that takes no data would
 * never get it, and the data would stay in memory.
 */
export const resetStream = (call: object): void => {
  const { stream } = (call as { call?: { stream?: Http2StreamLike } }).call ?? {};
  stream?.close?.(ENHANCE_YOUR_CALM);
};
