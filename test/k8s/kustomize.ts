import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';

export const root = join(import.meta.dirname, '../..');

export const OVERLAYS = ['base', 'dev', 'production', 'external-etcd'] as const;
export type Overlay = (typeof OVERLAYS)[number];

export interface Container {
  name: string;
  image?: string;
  args?: string[];
  command?: string[];
  env?: { name: string; value?: string }[];
  ports?: { name: string; containerPort: number }[];
  securityContext?: Record<string, unknown> & { capabilities?: { drop?: string[]; add?: string[] } };
  resources?: { requests?: Record<string, string>; limits?: Record<string, string> };
  volumeMounts?: { name: string; mountPath: string; readOnly?: boolean }[];
  [probe: string]: unknown;
}

export interface PodSpec {
  serviceAccountName?: string;
  automountServiceAccountToken?: boolean;
  securityContext?: Record<string, unknown> & { seccompProfile?: { type: string } };
  containers: Container[];
  initContainers?: Container[];
  volumes?: ({ name: string } & Record<string, unknown>)[];
  [other: string]: unknown;
}

export interface Selector {
  matchLabels?: Record<string, string>;
}
export interface Peer {
  podSelector?: Selector;
  namespaceSelector?: Selector;
  ipBlock?: { cidr: string };
}
export interface Rule {
  from?: Peer[];
  to?: Peer[];
  ports?: { port: number; protocol: string }[];
}

/** The fields that the checks read; what an object may have at all is checked against the Kubernetes models. */
export interface Manifest {
  apiVersion: string;
  kind: string;
  metadata: { name: string; namespace?: string; labels?: Record<string, string> };
  data?: Record<string, string>;
  rules?: { apiGroups: string[]; resources: string[]; verbs: string[] }[];
  automountServiceAccountToken?: boolean;
  spec?: {
    replicas?: number;
    serviceName?: string;
    selector?: Selector & Record<string, unknown>;
    maxUnavailable?: number;
    podSelector?: Selector;
    policyTypes?: string[];
    ingress?: Rule[];
    egress?: Rule[];
    template?: { metadata: { labels: Record<string, string> }; spec: PodSpec };
    [other: string]: unknown;
  };
}

/** Needs no cluster: kubectl only builds. */
export const buildFolder = (folder: string): Manifest[] => {
  const kubectl = execFileSync(process.execPath, ['tools/kubectl.mjs'], { cwd: root, encoding: 'utf8' }).trim();
  const text = execFileSync(kubectl, ['kustomize', folder], { cwd: root, encoding: 'utf8', stdio: 'pipe' });
  return parseAllDocuments(text).map((document) => {
    if (document.errors.length > 0) throw document.errors[0]!;
    return document.toJS() as Manifest;
  });
};

export const buildOverlay = (overlay: Overlay): Manifest[] =>
  buildFolder(overlay === 'base' ? 'k8s/base' : `k8s/overlays/${overlay}`);

export const workloadsOf = (manifests: readonly Manifest[]): Manifest[] =>
  manifests.filter(({ spec }) => spec?.template !== undefined);

/** The app of a workload: `agent` of the pods named storage-agent, otherwise as its pods are named. */
export const APPS: Readonly<Record<string, string>> = {
  'control-plane': 'control plane',
  'storage-agent': 'agent',
  router: 'router',
  etcd: 'etcd',
};

export const matches = (selector: Selector | undefined, labels: Readonly<Record<string, string>>): boolean =>
  Object.entries(selector?.matchLabels ?? {}).every(([key, value]) => labels[key] === value);
