import type { LabelRule } from './policy.js';

/** Whether a node with these labels meets the rule. */
export const meetsRule = (labels: Readonly<Record<string, string>>, rule: LabelRule): boolean => {
  const value = labels[rule.label];
  switch (rule.op) {
    case 'in':
      return value !== undefined && (rule.values ?? []).includes(value);
    case 'notIn':
      return value === undefined || !(rule.values ?? []).includes(value);
    case 'exists':
      return value !== undefined;
    case 'notExists':
      return value === undefined;
  }
};

export const meetsAll = (labels: Readonly<Record<string, string>>, rules: readonly LabelRule[]): boolean =>
  rules.every((rule) => meetsRule(labels, rule));

/** As an operator would say it: `zone in a, b`. */
export const describeRule = ({ label, op, values = [] }: LabelRule): string => {
  switch (op) {
    case 'in':
      return `${label} in ${values.join(', ')}`;
    case 'notIn':
      return `${label} not in ${values.join(', ')}`;
    case 'exists':
      return `${label} exists`;
    case 'notExists':
      return `no ${label}`;
  }
};
