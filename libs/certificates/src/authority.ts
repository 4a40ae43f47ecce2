import type { KeyObject } from 'node:crypto';
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  randomBytes,
  sign,
  X509Certificate,
} from 'node:crypto';
import { isIP } from 'node:net';
import { AsnConvert, OctetString } from '@peculiar/asn1-schema';
import {
  AlgorithmIdentifier,
  AttributeTypeAndValue,
  AttributeValue,
  AuthorityKeyIdentifier,
  BasicConstraints,
  Certificate,
  ExtendedKeyUsage,
  Extension,
  Extensions,
  GeneralName,
  id_ce_authorityKeyIdentifier,
  id_ce_basicConstraints,
  id_ce_extKeyUsage,
  id_ce_keyUsage,
  id_ce_subjectAltName,
  id_ce_subjectKeyIdentifier,
  id_kp_clientAuth,
  id_kp_serverAuth,
  KeyIdentifier,
  KeyUsage,
  KeyUsageFlags,
  Name,
  RelativeDistinguishedName,
  SubjectAlternativeName,
  SubjectKeyIdentifier,
  SubjectPublicKeyInfo,
  TBSCertificate,
  Validity,
  Version,
} from '@peculiar/asn1-x509';
import type { PeerIdentity } from '@cadastre/core';
import { identityUri, invalid } from '@cadastre/core';

/** A certificate and the key that goes with it, PEM. */
export interface Issued {
  readonly certificate: string;
  readonly key: string;
}

export interface Term {
  /** Milliseconds since 1970. */
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

export interface IssueOptions extends Term {
  /** Of the subject, for people. */
  readonly name: string;
  /** Absent for what is no part of Cadastre, such as etcd. */
  readonly identity?: PeerIdentity;
  /** DNS names and IP addresses at which others reach it. */
  readonly hosts: readonly string[];
}

const COMMON_NAME = '2.5.4.3';
/** ecdsa-with-SHA256, RFC 5758; its parameters are left out. */
const ECDSA_SHA256 = new AlgorithmIdentifier({ algorithm: '1.2.840.10045.4.3.2' });

/** An authority of one's own, for development and tests: P-256, a key that lies in a file. Nothing for a cluster that others depend on. */
export const createAuthority = (cluster: string, term: Term): Issued => {
  const name = nameOf(`cadastre development CA of ${cluster}`);
  const pair = newKey();
  const keyId = keyIdOf(pair.publicKey);
  const extensions = [
    extension(id_ce_basicConstraints, new BasicConstraints({ cA: true, pathLenConstraint: 0 }), true),
    extension(id_ce_keyUsage, new KeyUsage(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign), true),
    extension(id_ce_subjectKeyIdentifier, new SubjectKeyIdentifier(keyId)),
  ];
  const der = signed({ subject: name, issuer: name, term, publicKey: pair.publicKey, extensions }, pair.privateKey);
  return { certificate: pem(der), key: keyPem(pair.privateKey) };
};

/** @throws CadastreError INVALID_ARGUMENT for an authority whose files do not go together, or a term that ends before it begins */
export const issueCertificate = (authority: Issued, options: IssueOptions): Issued => {
  if (options.notAfterMs <= options.notBeforeMs) throw invalid('days', 'end before they begin', 'give more than 0');
  const { issuer, key, keyId } = openAuthority(authority);
  const pair = newKey();
  const extensions = [
    extension(id_ce_basicConstraints, new BasicConstraints({ cA: false }), true),
    extension(id_ce_keyUsage, new KeyUsage(KeyUsageFlags.digitalSignature), true),
    extension(id_ce_extKeyUsage, new ExtendedKeyUsage([id_kp_serverAuth, id_kp_clientAuth])),
    extension(id_ce_subjectAltName, new SubjectAlternativeName(sansOf(options))),
    extension(id_ce_subjectKeyIdentifier, new SubjectKeyIdentifier(keyIdOf(pair.publicKey))),
    extension(id_ce_authorityKeyIdentifier, new AuthorityKeyIdentifier({ keyIdentifier: new KeyIdentifier(keyId) })),
  ];
  const subject = nameOf(options.name.slice(0, 64));
  const der = signed({ subject, issuer, term: options, publicKey: pair.publicKey, extensions }, key);
  return { certificate: pem(der), key: keyPem(pair.privateKey) };
};

const sansOf = ({ identity, hosts }: IssueOptions): GeneralName[] => [
  ...(identity ? [new GeneralName({ uniformResourceIdentifier: identityUri(identity) })] : []),
  ...hosts.map((host) => new GeneralName(isIP(host) === 0 ? { dNSName: host } : { iPAddress: host })),
];

interface ToSign {
  readonly subject: Name;
  readonly issuer: Name;
  readonly term: Term;
  readonly publicKey: KeyObject;
  readonly extensions: readonly Extension[];
}

const signed = ({ subject, issuer, term, publicKey, extensions }: ToSign, by: KeyObject): Buffer => {
  const tbsCertificate = new TBSCertificate({
    version: Version.v3,
    serialNumber: serialNumber(),
    signature: ECDSA_SHA256,
    issuer,
    validity: new Validity({ notBefore: new Date(term.notBeforeMs), notAfter: new Date(term.notAfterMs) }),
    subject,
    subjectPublicKeyInfo: AsnConvert.parse(spki(publicKey), SubjectPublicKeyInfo),
    extensions: new Extensions([...extensions]),
  });
  const signatureValue = bytesOf(sign('sha256', Buffer.from(AsnConvert.serialize(tbsCertificate)), by));
  return Buffer.from(
    AsnConvert.serialize(new Certificate({ tbsCertificate, signatureAlgorithm: ECDSA_SHA256, signatureValue })),
  );
};

const openAuthority = ({ certificate, key }: Issued): { issuer: Name; key: KeyObject; keyId: ArrayBuffer } => {
  const parsed = new X509Certificate(certificate);
  const privateKey = createPrivateKey(key);
  if (!parsed.ca) throw invalid('ca', 'is the certificate of nobody who issues', 'give one of: cadastre cert ca');
  if (!parsed.checkPrivateKey(privateKey)) throw invalid('ca', 'its key is another one', 'give both as they were made');
  if (privateKey.asymmetricKeyType !== 'ec')
    throw invalid('ca', `its key is ${privateKey.asymmetricKeyType}`, 'give one of: cadastre cert ca');
  const issuer = AsnConvert.parse(bytesOf(parsed.raw), Certificate).tbsCertificate.subject;
  return { issuer, key: privateKey, keyId: keyIdOf(createPublicKey(privateKey)) };
};

const newKey = () => generateKeyPairSync('ec', { namedCurve: 'P-256' });

const spki = (key: KeyObject): ArrayBuffer => bytesOf(key.export({ type: 'spki', format: 'der' }));

/** Method 1 of RFC 7093: any stable name of the key will do. */
const keyIdOf = (key: KeyObject): ArrayBuffer =>
  bytesOf(
    createHash('sha256')
      .update(Buffer.from(spki(key)))
      .digest()
      .subarray(0, 20),
  );

/** Positive, and 16 bytes with no leading zero, as DER wants it. */
const serialNumber = (): ArrayBuffer => {
  const bytes = randomBytes(16);
  bytes[0] = (bytes[0]! & 0x7f) | 0x40;
  return bytesOf(bytes);
};

const nameOf = (text: string): Name =>
  new Name([
    new RelativeDistinguishedName([
      new AttributeTypeAndValue({ type: COMMON_NAME, value: new AttributeValue({ utf8String: text }) }),
    ]),
  ]);

const extension = (extnID: string, value: object, critical = false): Extension =>
  new Extension({ extnID, critical, extnValue: new OctetString(AsnConvert.serialize(value)) });

const bytesOf = (bytes: Uint8Array): ArrayBuffer => Uint8Array.from(bytes).buffer;

const pem = (der: Buffer): string =>
  `-----BEGIN CERTIFICATE-----\n${der.toString('base64').replace(/.{1,64}/g, '$&\n')}-----END CERTIFICATE-----\n`;

const keyPem = (key: KeyObject): string => String(key.export({ type: 'pkcs8', format: 'pem' }));
