/** Messages as the protobuf loader gives them: 64-bit numbers are decimal strings, enums are names, bytes are Buffers. */
export interface WireHeader {
  readonly cluster_id: string;
  readonly member_id: string;
  readonly revision: string;
}

export interface WireKeyValue {
  readonly key: Buffer;
  readonly value: Buffer;
  readonly create_revision: string;
  readonly mod_revision: string;
  readonly version: string;
  readonly lease: string;
}

export interface WireRangeResponse {
  readonly header: WireHeader;
  readonly kvs: readonly WireKeyValue[];
  readonly more: boolean;
}

export interface WireOpResponse {
  readonly response: 'response_put' | 'response_delete_range' | 'response_range';
  readonly response_range?: WireRangeResponse;
  readonly response_delete_range?: { readonly deleted: string };
}

export interface WireTxnResponse {
  readonly header: WireHeader;
  readonly succeeded: boolean;
  readonly responses: readonly WireOpResponse[];
}

export interface WireEvent {
  readonly type: string;
  readonly kv: WireKeyValue;
}

export interface WireWatchResponse {
  readonly header: WireHeader;
  readonly watch_id: string;
  readonly created: boolean;
  readonly canceled: boolean;
  readonly compact_revision: string;
  readonly cancel_reason: string;
  readonly fragment: boolean;
  readonly events: readonly WireEvent[];
}

export interface WireLeaseGrantResponse {
  readonly header: WireHeader;
  readonly ID: string;
  readonly TTL: string;
  readonly error: string;
}

export interface WireKeepAliveResponse {
  readonly header: WireHeader;
  readonly ID: string;
  /** Seconds; 0 when the lease is gone. */
  readonly TTL: string;
}

export interface WireStatusResponse {
  readonly header: WireHeader;
  readonly version: string;
  readonly dbSize: string;
  readonly dbSizeInUse: string;
  readonly leader: string;
  readonly errors: readonly string[];
}

export interface WireAlarmResponse {
  readonly alarms: readonly { readonly memberID: string; readonly alarm: string }[];
}
