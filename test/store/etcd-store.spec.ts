import { EtcdStore } from '@cadastre/store';
import { startEtcd } from '@cadastre/testkit';
import { describeStoreContract } from '../../libs/store/src/testing/store-contract.js';

describeStoreContract('etcd', async () => {
  const etcd = await startEtcd();
  return {
    connect: () => new EtcdStore({ endpoints: etcd.endpoints, namespace: 'contract/', progressPeriodMs: 200 }),
    close: () => etcd.stop(),
  };
});
