import { beforeAll, describe, expect, it } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { Manifest, Overlay, Selector } from './kustomize.js';
import { buildFolder, buildOverlay, matches, OVERLAYS, root, workloadsOf } from './kustomize.js';
import { documentedEdges, edgesOf } from './network.js';
import { RULES } from './policies.js';

const load = createRequire(import.meta.url);
const built = new Map<Overlay, Manifest[]>();
const of = (overlay: Overlay): Manifest[] => structuredClone(built.get(overlay)!);
beforeAll(() => {
  for (const overlay of OVERLAYS) built.set(overlay, buildOverlay(overlay));
}, 120_000);

const modelOf = ({ apiVersion, kind }: Manifest): string => {
  const group = apiVersion === 'v1' ? 'v1' : apiVersion;
  return `kubernetes-models/${group}/${kind}`;
};

describe.each([...OVERLAYS])('k8s: %s', (overlay) => {
  // Plan: kubectl builds it; no two objects share a name, and all that can be is in the namespace.
  it('builds, each object once', () => {
    const names = of(overlay).map((m) => `${m.kind}/${m.metadata.name}`);
    expect(names.length).toBeGreaterThan(20);
    expect(new Set(names).size).toBe(names.length);
    const outside = of(overlay)
      .filter((m) => m.metadata.namespace !== 'cadastre')
      .map((m) => m.kind);
    expect(outside.filter((kind) => !['Namespace', 'ClusterRole', 'ClusterRoleBinding'].includes(kind))).toEqual([]);
  });

  // Plan: every object passes the check that is compiled from the OpenAPI schema of its kind.
  it('fits the schemas of Kubernetes', () => {
    for (const manifest of of(overlay)) {
      const model = load(modelOf(manifest)) as Record<string, new (data: object) => { validate(): void }>;
      const { apiVersion: _, kind, ...data } = manifest;
      expect(() => new model[kind]!(data).validate()).not.toThrow();
    }
  });

  // Plan: every rule of ours finds nothing.
  it.each(Object.keys(RULES))('keeps the rule %s', (rule) => {
    expect(RULES[rule]!(of(overlay))).toEqual([]);
  });

  // Plan: what the policies let through is what the table of docs/operations.md says, no more, no less; no connection has one willing side.
  it('talks as the docs say', () => {
    const { edges, halves } = edgesOf(of(overlay));
    expect(halves).toEqual([]);
    const page = readFileSync(join(root, 'docs/operations.md'), 'utf8');
    expect([...edges].sort()).toEqual([...documentedEdges(page, overlay)].sort());
  });

  // Plan: the settings in each ConfigMap, with what the pod adds, are taken by the very program that reads them.
  it('gives settings that the programs take', async () => {
    const programs = {
      'control-plane': ['control-plane/dist/config.js', 'parseConfig'],
      agents: ['storage-agent/dist/config.js', 'agentConfig'],
      router: ['router/dist/config.js', 'routerConfig'],
    } as const;
    for (const [name, [path, reader]] of Object.entries(programs)) {
      const workload = workloadsOf(of(overlay)).find((w) => w.metadata.name === `cadastre-${name}`)!;
      const config = of(overlay).find(
        (m) => m.kind === 'ConfigMap' && m.metadata.name.startsWith(`cadastre-${name}-`),
      )!;
      const env: Record<string, string> = { ...config.data, POD_IP: '10.0.0.1', POD_NAMESPACE: 'cadastre' };
      for (const { name: key, value } of workload.spec!.template!.spec.containers[0]!.env ?? [])
        env[key] =
          value?.replaceAll(/\$\((\w+)\)/g, (_all, other: string) => env[other]!) ?? env[key] ?? `cadastre-${name}-0`;
      delete env['CADASTRE_AGENT_LABEL_FILE']; // written by the init step
      const module = (await import(join(root, 'apps', path))) as Record<
        string,
        (argv: string[], env: object) => object
      >;
      expect(module[reader]!([], env)).toMatchObject({ id: `cadastre-${name}-0` });
    }
  });
});

const configOf = (manifests: readonly Manifest[], name: string): Record<string, string> =>
  manifests.find((m) => m.kind === 'ConfigMap' && new RegExp(`^${name}-[a-z0-9]+$`).test(m.metadata.name))!.data!;

interface Asked {
  readonly driver?: string;
  readonly volumeAttributes?: Record<string, string>;
}

/** What each pod asks the issuers for, and where it finds it. */
const certificatesOf = (manifests: readonly Manifest[]) =>
  workloadsOf(manifests).flatMap((w) => {
    const { volumes = [], containers } = w.spec!.template!.spec;
    return volumes.flatMap(({ name, ...source }) => {
      const { driver, volumeAttributes = {} } = (source['csi'] ?? {}) as Asked;
      const asked = Object.fromEntries(
        Object.entries(volumeAttributes).map(([key, value]) => [key.replace('csi.cert-manager.io/', ''), value]),
      );
      const at = containers[0]!.volumeMounts?.find((m) => m.name === name)?.mountPath;
      return driver === 'csi.cert-manager.io' ? [{ workload: w.metadata.name, at, asked }] : [];
    });
  });

describe('k8s: TLS', () => {
  const PREFIXES = { 'control-plane': 'CADASTRE_CP', agents: 'CADASTRE_AGENT', router: 'CADASTRE_ROUTER' } as const;

  // Plan: every program has its files from a volume that asks for its very identity, etcd is asked by https alone, nothing says --insecure.
  it.each(['base', 'production', 'external-etcd'] as const)('is everywhere in %s', (overlay) => {
    const manifests = of(overlay);
    const certificates = certificatesOf(manifests);
    for (const [name, prefix] of Object.entries(PREFIXES)) {
      const config = configOf(manifests, `cadastre-${name}`);
      const own = certificates.find((c) => c.workload === `cadastre-${name}` && c.asked['uri-sans'])!;
      expect(['CERT', 'KEY', 'CA'].map((file) => config[`${prefix}_TLS_${file}`])).toEqual(
        ['tls.crt', 'tls.key', 'ca.crt'].map((file) => `${own.at}/${file}`),
      );
      const role = name === 'agents' ? 'agent' : name;
      expect(own.asked).toMatchObject({
        'issuer-name': 'cadastre',
        'uri-sans': `spiffe://cadastre/${role}/\${POD_NAME}`,
      });
    }
    expect(JSON.stringify(manifests)).not.toMatch(/INSECURE|http:\/\/(cadastre-)?etcd/);
    const identified = certificates.filter((c) => c.asked['uri-sans']);
    expect(identified.every((c) => c.asked['issuer-name'] === 'cadastre')).toBe(true);
    const forEtcd = certificates.filter((c) => !c.asked['uri-sans']);
    expect(forEtcd.every((c) => c.asked['issuer-name'] === 'cadastre-etcd')).toBe(true);
    expect(forEtcd).toHaveLength(overlay === 'external-etcd' ? 0 : 2);
  });

  // Plan: the overlay for one's own machine says --insecure aloud, and asks for no certificate.
  it('is not in dev', () => {
    expect(certificatesOf(of('dev'))).toEqual([]);
    for (const [name, prefix] of Object.entries(PREFIXES))
      expect(configOf(of('dev'), `cadastre-${name}`)).toMatchObject({
        [`${prefix}_INSECURE`]: 'true',
        [`${prefix}_TLS_CERT`]: '',
      });
    expect(configOf(of('dev'), 'cadastre-etcd')).toMatchObject({ CADASTRE_ETCD_SCHEME: 'http', ETCD_CERT_FILE: '' });
  });

  // Plan: the component with authorities of one's own, in a folder as docs/operations.md describes it; its issuers are those that pods ask.
  it('has issuers for those who have none', () => {
    const folder = join(root, '.cadastre', 'k8s-check', 'own-ca');
    mkdirSync(folder, { recursive: true });
    const lines = ['resources: [../../../k8s/overlays/production]', 'components: [../../../k8s/components/own-ca]'];
    writeFileSync(join(folder, 'kustomization.yaml'), [...lines, 'namespace: cadastre', ''].join('\n'));
    const manifests = buildFolder('.cadastre/k8s-check/own-ca');
    const named = (kind: string) => manifests.filter((m) => m.kind === kind).map((m) => m.metadata.name);
    expect(new Set(certificatesOf(manifests).map((c) => c.asked['issuer-name']))).toEqual(
      new Set(named('Issuer').filter((name) => name !== 'cadastre-self-signed')),
    );
    const issued = manifests.filter(
      (m) => m.apiVersion === 'cert-manager.io/v1' && m.kind === 'Certificate',
    ) as unknown as {
      spec: { uris?: string[]; issuerRef: { name: string } };
    }[];
    for (const { spec } of issued) expect(named('Issuer')).toContain(spec.issuerRef.name);
    expect(issued.flatMap(({ spec }) => spec.uris ?? [])).toEqual([
      'spiffe://cadastre/client/example',
      'spiffe://cadastre/operator/team',
    ]);
  });
});

describe('k8s: production', () => {
  // Plan: what runs more than once is kept apart: never two on one machine, and over zones, each by a selector that finds its own pods.
  it.each(['control-plane', 'router', 'etcd', 'agents'])('keeps the pods of %s apart', (name) => {
    const { spec } = workloadsOf(of('production')).find((w) => w.metadata.name === `cadastre-${name}`)!;
    const { metadata, spec: pod } = spec!.template!;
    const rules = pod as unknown as {
      topologySpreadConstraints: { topologyKey: string; labelSelector: Selector }[];
      affinity: { podAntiAffinity: Record<string, { topologyKey: string; labelSelector: Selector }[]> };
    };
    const apart = rules.affinity.podAntiAffinity['requiredDuringSchedulingIgnoredDuringExecution']!;
    const spread = rules.topologySpreadConstraints;
    expect([...apart, ...spread].map((r) => r.topologyKey)).toEqual([
      'kubernetes.io/hostname',
      'topology.kubernetes.io/zone',
    ]);
    for (const rule of [...apart, ...spread]) expect(matches(rule.labelSelector, metadata.labels)).toBe(true);
    expect(spec!.replicas).toBeGreaterThanOrEqual(3);
  });

  // Plan: the folder of one's own that docs/operations.md describes builds, and every pod of ours has the image that it names.
  it('takes an image from a folder of your own', () => {
    const folder = join(root, '.cadastre', 'k8s-check', 'mine');
    mkdirSync(folder, { recursive: true });
    const images = 'images: [{name: cadastre, newName: registry.example/team/cadastre, newTag: "0.1.0"}]';
    const lines = ['resources: [../../../k8s/overlays/production]', 'namespace: cadastre', images];
    writeFileSync(join(folder, 'kustomization.yaml'), `${lines.join('\n')}\n`);
    const pods = workloadsOf(buildFolder('.cadastre/k8s-check/mine')).map((w) => w.spec!.template!.spec);
    const used = new Set(
      pods.flatMap((pod) => [...(pod.initContainers ?? []), ...pod.containers].map((c) => c.image!)),
    );
    expect([...used].filter((image) => !image.includes('etcd'))).toEqual(['registry.example/team/cadastre:0.1.0']);
  });
});

describe('the checks of k8s', () => {
  // Plan: all objects become literals of the interfaces generated from the OpenAPI schema, and the compiler looks for unknown fields.
  it('know every field of every object', () => {
    const folder = join(root, '.cadastre', 'k8s-check');
    mkdirSync(folder, { recursive: true });
    const check = (manifests: readonly Manifest[]): string => {
      const lines = manifests.map((m, i) => {
        const model = `import('${modelOf(m)}').I${m.kind}`;
        return `export const m${i}: ${model} = ${JSON.stringify(m)};`;
      });
      const file = join(folder, 'manifests.ts');
      writeFileSync(file, `${lines.join('\n')}\n`);
      const flags = ['--ignoreConfig', '--noEmit', '--strict', '--skipLibCheck', '--module', 'nodenext', '--types', ''];
      const { stdout, status } = spawnSync(join(root, 'node_modules/.bin/tsc'), [...flags, file], {
        cwd: root,
        encoding: 'utf8',
      });
      return status === 0 ? '' : stdout;
    };
    expect(check(OVERLAYS.flatMap(of))).toBe('');
    const wrong = of('base');
    (workloadsOf(wrong)[0]!.spec!.template!.spec as Record<string, unknown>)['terminationGraceSeconds'] = 3;
    expect(check(wrong)).toContain('terminationGraceSeconds');
  }, 60_000);

  // Plan: each rule is broken once on purpose, and finds it.
  const pod = (m: Manifest[]) => workloadsOf(m)[0]!.spec!.template!.spec;
  const breakers: Record<string, (m: Manifest[]) => void> = {
    restrictedPod: (m) => (pod(m)['hostNetwork'] = true),
    restrictedContainer: (m) => (pod(m).containers[0]!.securityContext!['privileged'] = true),
    pinned: (m) => (pod(m).containers[0]!.image = 'cadastre:latest'),
    sized: (m) => delete pod(m).containers[0]!.resources!.limits,
    probed: (m) => delete pod(m).containers[0]!['readinessProbe'],
    tokens: (m) => (pod(m).automountServiceAccountToken = true),
    named: (m) => (pod(m).serviceAccountName = 'default'),
    budgeted: (m) =>
      m.splice(
        m.findIndex((o) => o.kind === 'PodDisruptionBudget'),
        1,
      ),
    reachable: (m) => (pod(m).containers[0]!.ports = []),
    leastRights: (m) => m.find((o) => o.kind === 'ClusterRole')!.rules![0]!.verbs.push('list'),
    denied: (m) => (m.find((o) => o.metadata.name === 'cadastre-default-deny')!.spec!.egress = [{}]),
  };
  it.each(Object.keys(RULES))('find what breaks the rule %s', (rule) => {
    const manifests = of('base');
    breakers[rule]!(manifests);
    expect(RULES[rule]!(manifests)).not.toEqual([]);
  });

  // Plan: a policy that lets one more in, and one that only one side agrees to, are both seen.
  it('find a connection too many', () => {
    const manifests = of('base');
    const before = edgesOf(manifests).edges.size;
    manifests
      .find((m) => m.kind === 'NetworkPolicy' && m.metadata.name === 'cadastre-etcd')!
      .spec!.ingress!.push({
        from: [{ podSelector: { matchLabels: { 'app.kubernetes.io/name': 'router' } } }],
        ports: [{ port: 2379, protocol: 'TCP' }],
      });
    expect(edgesOf(manifests).edges.size).toBe(before + 1);
    expect(edgesOf(manifests).halves).toEqual(['router > etcd : 2379']);
  });
});
