// Plan: read package sources in both formats, as machines in the field have them, and choose the mirror and suites from them.
import { describe, expect, it } from '@jest/globals';
import { findMirror, parseList, parseStanzas, suitesFor } from './apt.mjs';

describe('package sources', () => {
  it('reads the one-line format, with options, comments and other kinds of lines', () => {
    const text = [
      '# deb http://no.example/debian bookworm main',
      'deb-src http://no.example/debian bookworm main',
      'deb [arch=amd64 signed-by=/usr/share/keyrings/k.gpg] http://mirror.example/debian bookworm main contrib # ours',
      'deb https://other.example/repo stable main',
    ].join('\n');
    expect(parseList(text)).toEqual([
      {
        uri: 'http://mirror.example/debian',
        suites: ['bookworm'],
        components: ['main', 'contrib'],
        signedBy: '/usr/share/keyrings/k.gpg',
      },
      { uri: 'https://other.example/repo', suites: ['stable'], components: ['main'], signedBy: undefined },
    ]);
  });

  it('reads stanzas, with continued lines, comments, several mirrors, and leaves disabled ones out', () => {
    const text = [
      'Types: deb deb-src\n# a comment\nURIs: http://a.example/debian\n  http://b.example/debian\nSuites: bookworm bookworm-updates',
      'Components: main\nSigned-By: /usr/share/keyrings/k.gpg\n\nEnabled: no\nTypes: deb\nURIs: http://c.example\nSuites: bookworm\n',
    ].join('\n');
    const common = {
      suites: ['bookworm', 'bookworm-updates'],
      components: ['main'],
      signedBy: '/usr/share/keyrings/k.gpg',
    };
    expect(parseStanzas(text)).toEqual([
      { uri: 'http://a.example/debian', ...common },
      { uri: 'http://b.example/debian', ...common },
    ]);
  });

  it('does not take an embedded key for the path of one', () => {
    const text =
      'Types: deb\nURIs: http://a.example\nSuites: x\nComponents: main\nSigned-By:\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n';
    expect(parseStanzas(text)[0]?.signedBy).toBeUndefined();
  });

  it('takes the mirror of the own release, not that of security updates or of a vendor', () => {
    const source = (uri: string, ...suites: string[]) => ({ uri, suites, components: ['main'], signedBy: undefined });
    const ours = source('http://mirror.example/debian', 'bookworm', 'bookworm-updates');
    expect(
      findMirror(
        [source('http://v.example', 'nodistro'), source('http://s.example', 'bookworm-security'), ours],
        'bookworm',
      ),
    ).toBe(ours);
    expect(findMirror([source('http://v.example', 'nodistro')], 'bookworm')).toBeUndefined();
  });

  it('asks an older Debian for the newer etcd first, any other for its own', () => {
    const asked = (id: string, codename: string) =>
      suitesFor({ id, codename }).map(({ suite, component }) => `${suite}/${component}`);
    expect(asked('debian', 'bookworm')).toEqual(['trixie/main', 'bookworm/main']);
    expect(asked('debian', 'trixie')).toEqual(['trixie/main']);
    expect(asked('ubuntu', 'noble')).toEqual(['noble/universe']);
  });
});
