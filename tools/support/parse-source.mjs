import { createRequire } from 'node:module';

// Loaded at the first use: the tools that run before anything is installed must be able to import this file's neighbours.
let parseSync;
const loadParser = () => (parseSync ??= createRequire(import.meta.url)('@swc/core').parseSync);

/**
 * Reads one TypeScript file, `tsx` with markup. Returns `{ imports, globals, declared }`:
 * `imports` as `{ specifier, isType, line }` (import, export-from, dynamic import, import type, import-equals),
 * `globals` as `{ name, line }` for each use of an identifier as a value (`setTimeout`), of `object.property` (`Date.now`)
 * and of `new Date()`, `declared` as the set of names that the file itself binds. Throws on a syntax error.
 */
export function parseSource(text, { tsx = false } = {}) {
  // The leading statement pins where the file begins: the parser's positions count on from file to file.
  const module = loadParser()(`;${text}`, { syntax: 'typescript', tsx, decorators: true, target: 'es2022' });
  const toLine = lineFinder(text, module.span.start + 1);
  const found = { imports: [], globals: [], declared: new Set() };
  visit(module, undefined, (node, parent, key) => inspect(node, parent, key, found, toLine));
  return found;
}

function lineFinder(text, base) {
  const bytes = Buffer.from(text);
  return (node) => {
    let line = 1;
    const end = node.span.start - base;
    for (let at = 0; at < end; at += 1) if (bytes[at] === 10) line += 1;
    return line;
  };
}

function visit(node, parent, enter, key) {
  if (Array.isArray(node)) {
    for (const child of node) visit(child, parent, enter, key);
    return;
  }
  if (node === null || typeof node !== 'object') return;
  if (typeof node.type === 'string') enter(node, parent, key);
  const next = typeof node.type === 'string' ? node : parent;
  for (const [name, child] of Object.entries(node)) if (name !== 'span') visit(child, next, enter, name);
}

function inspect(node, parent, key, found, toLine) {
  const source = importOf(node);
  if (source) found.imports.push({ ...source, line: toLine(node) });
  const name = bindingOf(node, parent, key);
  if (name) found.declared.add(name);
  const used = globalOf(node, parent, key);
  for (const each of used) found.globals.push({ name: each, line: toLine(node) });
}

function importOf(node) {
  switch (node.type) {
    case 'ImportDeclaration':
      return { specifier: node.source.value, isType: node.typeOnly || allTypes(node.specifiers) };
    case 'ExportNamedDeclaration':
      return node.source
        ? { specifier: node.source.value, isType: node.typeOnly || allTypes(node.specifiers) }
        : undefined;
    case 'ExportAllDeclaration':
      return { specifier: node.source.value, isType: node.typeOnly === true };
    case 'TsImportType':
      return { specifier: node.argument.value, isType: true };
    case 'TsExternalModuleReference':
      return { specifier: node.expression.value, isType: false };
    case 'CallExpression':
      return dynamicImportOf(node);
    default:
      return undefined;
  }
}

function allTypes(specifiers) {
  return specifiers.length > 0 && specifiers.every((each) => each.isTypeOnly === true);
}

function dynamicImportOf(node) {
  const [first] = node.arguments;
  const isImport =
    node.callee.type === 'Import' || (node.callee.type === 'Identifier' && node.callee.value === 'require');
  return isImport && first?.expression.type === 'StringLiteral'
    ? { specifier: first.expression.value, isType: false }
    : undefined;
}

const bindingKeys = {
  VariableDeclarator: ['id'],
  FunctionDeclaration: ['identifier'],
  ClassDeclaration: ['identifier'],
  ImportSpecifier: ['local'],
  ImportDefaultSpecifier: ['local'],
  ImportNamespaceSpecifier: ['local'],
  Parameter: ['pat'],
  ArrowFunctionExpression: ['params'],
  CatchClause: ['param'],
  AssignmentPatternProperty: ['key'],
  KeyValuePatternProperty: ['value'],
  ArrayPattern: ['elements'],
  RestElement: ['argument'],
  AssignmentPattern: ['left'],
};

function bindingOf(node, parent, key) {
  if (node.type !== 'Identifier' || !parent) return undefined;
  return bindingKeys[parent.type]?.includes(key) ? node.value : undefined;
}

function globalOf(node, parent, key) {
  if (node.type === 'NewExpression' && isNamed(node.callee, 'Date') && (node.arguments?.length ?? 0) === 0)
    return ['new Date()'];
  if (node.type === 'CallExpression' && isNamed(node.callee, 'Date')) return ['new Date()'];
  if (node.type === 'MemberExpression') return membersOf(node);
  if (node.type === 'VariableDeclarator' && node.id.type === 'ObjectPattern') return destructuredFrom(node);
  if (node.type === 'Identifier' && isValueUse(parent, key)) return [node.value];
  return [];
}

function membersOf({ object, property }) {
  const name = property.type === 'Identifier' ? property.value : computedName(property);
  if (name === undefined) return [];
  if (isNamed(object, 'globalThis') || isNamed(object, 'global')) return [name];
  const base = object.type === 'MemberExpression' && isNamed(object.object, 'globalThis') ? object.property : object;
  return base.type === 'Identifier' ? [`${base.value}.${name}`] : [];
}

function computedName(property) {
  return property.type === 'Computed' && property.expression.type === 'StringLiteral'
    ? property.expression.value
    : undefined;
}

function destructuredFrom({ id, init }) {
  if (init?.type !== 'Identifier') return [];
  return id.properties.flatMap((each) => (each.key?.type === 'Identifier' ? [`${init.value}.${each.key.value}`] : []));
}

// Everything that is an identifier in the tree but no use of a value: names of properties, labels, types.
function isValueUse(parent, key) {
  if (!parent) return false;
  if (parent.type.startsWith('Ts'))
    return (
      ['TsAsExpression', 'TsNonNullExpression', 'TsSatisfiesExpression'].includes(parent.type) && key === 'expression'
    );
  if (parent.type === 'MemberExpression' || parent.type === 'SuperPropExpression') return key === 'object';
  if (
    [
      'KeyValueProperty',
      'MethodProperty',
      'GetterProperty',
      'SetterProperty',
      'ClassProperty',
      'ClassMethod',
      'KeyValuePatternProperty',
    ].includes(parent.type)
  )
    return key === 'value';
  if (
    [
      'ImportSpecifier',
      'ImportDefaultSpecifier',
      'ImportNamespaceSpecifier',
      'ExportSpecifier',
      'LabeledStatement',
      'BreakStatement',
      'ContinueStatement',
      'MetaProperty',
    ].includes(parent.type)
  )
    return parent.type === 'ExportSpecifier' && key === 'orig';
  return !(bindingKeys[parent.type]?.includes(key) ?? false);
}

function isNamed(node, name) {
  return node.type === 'Identifier' && node.value === name;
}
