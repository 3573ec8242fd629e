/** Secrets that look real, put together at run time so that none stands in the repository. */
import { generateKeyPairSync } from 'node:crypto';

const letters = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ';
const digits = '0123456789';

/** Always the same, without a pattern: a linear congruential sequence (Numerical Recipes). */
export function random(length: number, alphabet = letters + digits, seed = 7): string {
  let state = seed;
  return Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return alphabet[Math.floor((state / 2 ** 32) * alphabet.length)] ?? '';
  }).join('');
}

const upper = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
const hex = '0123456789abcdef';
const pem = { type: 'pkcs8', format: 'pem' } as const;

export const awsSecret = random(40, undefined, 11);
export const awsKeyId = `AK${'IA'}${random(16, upper)}`;
export const awsEnvironment = `AWS_ACCESS_KEY_ID=${awsKeyId}\nAWS_SECRET_${'ACCESS'}_KEY=${awsSecret}\n`;
export const githubToken = `gh${'p'}_${random(36)}`;

/** Armour around bytes that are no key. */
export function armoured(kind: string, body: string, headers = ''): string {
  const lines = body.match(/.{1,64}/g) ?? [];
  return `-----${'BEGIN'} ${kind}-----\n${headers}${lines.join('\n')}\n-----END ${kind}-----\n`;
}

const opensshBody = `b3BlbnNzaC1rZXktdjEAAAAA${random(300)}`;
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
const ed25519 = generateKeyPairSync('ed25519').privateKey;

/** What each is called, and a text with it. */
export const secrets: Readonly<Record<string, readonly [kind: string, text: string]>> = {
  'RSA, PKCS #8': ['a private key', rsa.export(pem).toString()],
  'RSA, PKCS #1': ['a private key', rsa.export({ ...pem, type: 'pkcs1' }).toString()],
  'RSA, encrypted': [
    'a private key',
    armoured('RSA PRIVATE KEY', random(400), 'Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,0A1B\n\n'),
  ],
  'RSA, Windows line endings': ['a private key', rsa.export(pem).toString().replaceAll('\n', '\r\n')],
  'EC, SEC 1': ['a private key', ec.export({ ...pem, type: 'sec1' }).toString()],
  Ed25519: ['a private key', ed25519.export(pem).toString()],
  OpenSSH: ['a private key', armoured('OPENSSH PRIVATE KEY', opensshBody)],
  PGP: ['a private key', armoured('PGP PRIVATE KEY BLOCK', random(600), 'Version: GnuPG v2\n\n')],
  PuTTY: [
    'a private key',
    `PuTTY-User-${'Key'}-File-3: ssh-ed25519\nEncryption: none\nComment: x\nPublic-Lines: 2\n${random(64)}\n`,
  ],
  'a service account of Google': [
    'a private key',
    JSON.stringify({ type: 'service_account', private_key: rsa.export(pem) }),
  ],
  'a key in a program': [
    'a private key',
    ec
      .export(pem)
      .toString()
      .trim()
      .split('\n')
      .map((line) => `"${line}\\n" +`)
      .join('\n  '),
  ],
  'AWS, .env': ['an AWS secret access key', awsEnvironment],
  'AWS, credentials file': ['an AWS secret access key', `[default]\naws_secret_${'access'}_key = ${random(40)}\n`],
  'AWS, as the console saves it': ['an AWS access key pair', `Access key ID,Secret\n${awsKeyId},${random(38)}+/\n`],
  GitHub: ['a GitHub token', `token: ${githubToken}\n`],
  'GitHub, fine-grained': ['a GitHub token', `github_${'pat'}_${random(82)}`],
  GitLab: ['a GitLab token', `glp${'at'}-${random(20)}`],
  'GitLab, runner': ['a GitLab token', `glr${'t'}-${random(20)}`],
  Slack: ['a Slack token', `xox${'b'}-${random(12, digits)}-${random(13, digits)}-${random(24)}`],
  'Slack, webhook': [
    'a Slack token',
    `https://hooks.slack.com/${'services'}/T${random(8)}/B${random(8)}/${random(24)}`,
  ],
  npm: ['an npm access token', `//registry.example.org/:_authToken=npm_${random(36)}`],
  Stripe: ['a Stripe key', `stripe.key = "sk_${'live'}_${random(24)}"`],
  'Stripe, restricted': ['a Stripe key', `rk_${'test'}_${random(99)}`],
  OpenAI: ['an OpenAI API key', `sk-proj-${random(74)}T3Blbk${'FJ'}${random(74)}`],
  Anthropic: ['an Anthropic API key', `sk-ant-${'api03'}-${random(93)}AA`],
  'Anthropic, OAuth': ['an Anthropic token', `sk-ant-${'oat01'}-${random(93)}AA`],
  OpenRouter: ['an OpenRouter API key', `sk-or-${'v1'}-${random(64, hex)}`],
  Google: ['a Google API key', `AI${'za'}${random(35)}`],
  Groq: ['a Groq API key', `gs${'k'}_${random(52)}`],
  'Hugging Face': ['a Hugging Face token', `h${'f'}_${random(34, letters)}`],
  SendGrid: ['a SendGrid API key', `S${'G'}.${random(22)}.${random(43)}`],
  Shopify: ['a Shopify token', `shp${'at'}_${random(32)}`],
  Linear: ['a Linear API key', `lin_${'api'}_${random(40)}`],
  Notion: ['a Notion token', `nt${'n'}_${random(11, digits)}${random(35)}`],
  Grafana: ['a Grafana token', `gl${'c'}_${random(60)}=`],
  Vault: ['a HashiCorp Vault token', `hv${'s'}.${random(95)}`],
  Vercel: ['a Vercel token', `vc${'p'}_${random(40)}`],
  Databricks: ['a Databricks token', `da${'pi'}${random(32, hex)}`],
  Docker: ['a Docker access token', `dckr_${'pat'}_${random(27)}`],
  Figma: ['a Figma token', `fig${'d'}_${random(43)}`],
  '1Password': ['a 1Password service account token', onePassword()],
  PyPI: ['a PyPI token', `pypi-${'AgEI'}${random(120)}`],
  age: ['an age secret key', `AGE-SECRET-${'KEY'}-1${random(58, upper)}`],
  'basic authentication': ['an address with a password', `https://deploy:${random(20)}@git.acme.io/app.git`],
  PostgreSQL: ['a database address with a password', `DATABASE_URL=postgres://app:${random(20)}@db.acme.io:5432/app`],
};

/** Its JSON is as long as its form in base64 wants it: the last brace stands alone. */
function onePassword(): string {
  const json = JSON.stringify({ email: 'a@b.c', muk: { k: random(60) }, secretKey: random(40) });
  const filled = json.replace('a@', `${'a'.repeat(1 + ((4 - (json.length % 3)) % 3))}@`);
  return `ops_${Buffer.from(filled).toString('base64')}`;
}
