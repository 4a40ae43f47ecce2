// kafka.json from kafkajs, whose DefaultPartitioner is the Java client's; see keys.mjs for how to install it.
import path from 'node:path';
import { byteKeys, empty, oracle, write } from './keys.mjs';

const { load, version, folderOf } = oracle('kafkajs');
const murmur2 = load(path.join(folderOf, 'src/producer/partitioners/default/murmur2.js'));
const { Partitioners } = load('kafkajs');
const PARTITIONS = 12;
const partitionMetadata = Array.from({ length: PARTITIONS }, (_, partitionId) => ({ partitionId, leader: 1 }));
const partition = Partitioners.DefaultPartitioner();
const cases = [empty, ...byteKeys].map((key) => ({
  key: key.toString('hex'),
  token: String(murmur2(key) & 0x7fffffff),
  partition: partition({ topic: 't', partitionMetadata, message: { key } }),
}));
write('kafka', { name: 'kafkajs, murmur2 and DefaultPartitioner', version }, { partitions: PARTITIONS }, cases);
