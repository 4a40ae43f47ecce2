import type { Container, Manifest, PodSpec } from './kustomize.js';
import { matches, workloadsOf } from './kustomize.js';

/** Each rule names what breaks it. */
type Rule = (manifests: readonly Manifest[]) => string[];

const ALLOWED_VOLUMES = ['configMap', 'emptyDir', 'projected', 'secret', 'persistentVolumeClaim', 'csi'];
const podOf = (workload: Manifest): PodSpec => workload.spec!.template!.spec;
const all = (pod: PodSpec): Container[] => [...(pod.initContainers ?? []), ...pod.containers];

const perPod =
  (rule: (pod: PodSpec) => string[]): Rule =>
  (manifests) =>
    workloadsOf(manifests).flatMap((w) => rule(podOf(w)).map((what) => `${w.kind}/${w.metadata.name}: ${what}`));

const perContainer = (rule: (container: Container) => string | undefined): Rule =>
  perPod((pod) => all(pod).flatMap((c) => (rule(c) === undefined ? [] : [`${c.name}: ${rule(c)}`])));

const restrictedPod = perPod((pod) => [
  ...['hostNetwork', 'hostPID', 'hostIPC'].filter((field) => pod[field] === true),
  ...(pod.securityContext?.['runAsNonRoot'] === true ? [] : ['may run as root']),
  ...(Number(pod.securityContext?.['runAsUser']) > 0 ? [] : ['names no user']),
  ...(pod.securityContext?.seccompProfile?.type === 'RuntimeDefault' ? [] : ['has no seccomp profile']),
  ...(pod.volumes ?? []).flatMap(({ name, ...source }) =>
    Object.keys(source).every((kind) => ALLOWED_VOLUMES.includes(kind)) ? [] : [`volume ${name} is not allowed`],
  ),
]);

const restrictedContainer = perContainer(({ securityContext: s, ports }) => {
  if (s?.['privileged'] === true) return 'is privileged';
  if (s?.['allowPrivilegeEscalation'] !== false) return 'may gain privileges';
  if (s['readOnlyRootFilesystem'] !== true) return 'may write to its root';
  if (s['runAsNonRoot'] === false || s['runAsUser'] === 0) return 'runs as root';
  if (!s.capabilities?.drop?.includes('ALL') || s.capabilities.add !== undefined) return 'has capabilities';
  return ports?.some((port) => 'hostPort' in port) ? 'takes a port of the host' : undefined;
});

const pinned = perContainer(({ image }) =>
  image !== undefined && /(:[^:/]*\d[^:/]*|@sha256:[0-9a-f]{64})$/.test(image) && !image.endsWith(':latest')
    ? undefined
    : `image ${image} is not pinned`,
);

const sized = perContainer(({ resources }) =>
  resources?.requests?.['cpu'] && resources.requests['memory'] && resources.limits?.['memory']
    ? undefined
    : 'has no requests of cpu and memory, or no limit of memory',
);

const probed = perPod((pod) =>
  pod.containers.flatMap((container) =>
    ['startupProbe', 'livenessProbe', 'readinessProbe'].flatMap((name) => {
      const probe = container[name] as
        | { grpc?: { port: number; service: string }; httpGet?: { port: string } }
        | undefined;
      if (!probe) return [`${container.name} has no ${name}`];
      const port = probe.grpc?.port ?? probe.httpGet?.port;
      if (!container.ports?.some((p) => p.containerPort === port || p.name === port))
        return [`${name} of ${container.name} asks port ${port}, which is not its own`];
      const wanted = name === 'readinessProbe' ? 'readiness' : 'liveness';
      return probe.grpc && probe.grpc.service !== wanted ? [`${name} asks for ${probe.grpc.service}`] : [];
    }),
  ),
);

/** Only the init step of the agents holds a token, in a volume that no other container mounts. */
const tokens = perPod((pod) => {
  const volumes = (pod.volumes ?? [])
    .filter((v) => JSON.stringify(v).includes('serviceAccountToken'))
    .map((v) => v.name);
  const holders = pod.containers.filter((c) => c.volumeMounts?.some((m) => volumes.includes(m.name)));
  return [
    ...(pod.automountServiceAccountToken === false ? [] : ['mounts a token of its account']),
    ...holders.map((c) => `${c.name} holds a token`),
  ];
});

const named: Rule = (manifests) => {
  const accounts = manifests.filter((m) => m.kind === 'ServiceAccount');
  const configs = new Set(manifests.filter((m) => m.kind === 'ConfigMap').map((m) => m.metadata.name));
  return workloadsOf(manifests).flatMap((w) => {
    const used = [...JSON.stringify(podOf(w)).matchAll(/"config(?:MapRef|MapKeyRef)":\{[^}]*"name":"([^"]+)"/g)];
    return [
      ...(accounts.some(
        (a) => a.metadata.name === podOf(w).serviceAccountName && a.automountServiceAccountToken === false,
      )
        ? []
        : [`${w.metadata.name}: no account of its own`]),
      ...used.flatMap(([, name]) => (configs.has(name!) ? [] : [`${w.metadata.name}: no ConfigMap ${name}`])),
    ];
  });
};

const budgeted: Rule = (manifests) => {
  const budgets = manifests.filter((m) => m.kind === 'PodDisruptionBudget');
  return workloadsOf(manifests).flatMap((w) => {
    const own = budgets.filter((b) => matches(b.spec!.selector, w.spec!.template!.metadata.labels));
    if (own.length !== 1) return [`${w.metadata.name} has ${own.length} budgets`];
    return own[0]!.spec!.maxUnavailable === 1 ? [] : [`${w.metadata.name}: not one at a time`];
  });
};

/** Services and selectors find pods, and ports are those of the pods. */
const reachable: Rule = (manifests) =>
  manifests
    .filter((m) => m.kind === 'Service')
    .flatMap((service) => {
      const spec = service.spec as unknown as { selector: Record<string, string>; ports: { targetPort: string }[] };
      const pods = workloadsOf(manifests).filter((w) =>
        matches({ matchLabels: spec.selector }, w.spec!.template!.metadata.labels),
      );
      if (pods.length !== 1) return [`Service/${service.metadata.name} finds ${pods.length} workloads`];
      const ports = podOf(pods[0]!).containers.flatMap((c) => c.ports?.map((p) => p.name) ?? []);
      return spec.ports.flatMap((p) =>
        ports.includes(p.targetPort) ? [] : [`Service/${service.metadata.name}: no port ${p.targetPort}`],
      );
    });

const leastRights: Rule = (manifests) =>
  manifests
    .filter((m) => m.kind === 'Role' || m.kind === 'ClusterRole')
    .flatMap((role) =>
      (role.rules ?? []).flatMap((rule) =>
        rule.resources.join() === 'nodes' && rule.verbs.join() === 'get'
          ? []
          : [`${role.metadata.name}: ${JSON.stringify(rule)}`],
      ),
    );

const denied: Rule = (manifests) => {
  const policies = manifests.filter((m) => m.kind === 'NetworkPolicy');
  const isDeny = ({ spec }: Manifest): boolean =>
    matches(spec!.podSelector, {}) && spec!.policyTypes?.length === 2 && !spec!.ingress && !spec!.egress;
  return policies.some(isDeny) ? [] : ['nothing denies by default'];
};

export const RULES: Readonly<Record<string, Rule>> = {
  restrictedPod,
  restrictedContainer,
  pinned,
  sized,
  probed,
  tokens,
  named,
  budgeted,
  reachable,
  leastRights,
  denied,
};
