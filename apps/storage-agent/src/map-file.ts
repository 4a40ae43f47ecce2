import { join } from 'node:path';
import type { KeyspaceMap } from '@cadastre/core';
import { decodeColumns, encodeColumns } from '@cadastre/contracts';
import type { Logger } from '@cadastre/runtime';
import { sha256Hex } from '@cadastre/runtime';
import type { Files } from './files.js';

const SUFFIX = '.map';

/** Last-known-good maps, one file a keyspace: SHA-256 in hex, a line feed, the columns. */
export class MapFile {
  private readonly folder: string;

  constructor(
    dataDir: string,
    private readonly logger: Logger,
    private readonly files: Files,
  ) {
    this.folder = join(dataDir, 'map');
  }

  async load(): Promise<KeyspaceMap[]> {
    await this.files.makeFolder(this.folder);
    const names = (await this.files.list(this.folder)).filter((name) => name.endsWith(SUFFIX));
    const maps = await Promise.all(names.map((name) => this.read(name)));
    return maps.filter((map) => map !== undefined);
  }

  /** A damaged file is as good as none: the control plane has the map. */
  private async read(name: string): Promise<KeyspaceMap | undefined> {
    try {
      const bytes = (await this.files.read(join(this.folder, name))) ?? Buffer.alloc(0);
      const columns = bytes.subarray(65);
      if (sha256Hex(columns) !== bytes.toString('latin1', 0, 64)) throw new Error('checksum does not match');
      return decodeColumns(columns);
    } catch (error) {
      this.logger.warn('saved map cannot be used', { event: 'map-file-damaged', file: name, error });
      return undefined;
    }
  }

  async save(map: KeyspaceMap): Promise<void> {
    const columns = encodeColumns(map);
    await this.files.replace(
      join(this.folder, `${map.spec.name}${SUFFIX}`),
      Buffer.concat([Buffer.from(`${sha256Hex(columns)}\n`), columns]),
    );
  }

  async drop(keyspace: string): Promise<void> {
    await this.files.remove(join(this.folder, `${keyspace}${SUFFIX}`));
  }
}
