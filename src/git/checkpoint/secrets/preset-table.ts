/**
 * The rules of `@secretlint/secretlint-rule-preset-recommend` that are used, by name. `trigger` matches wherever the rule
 * could find something, and is quick: the rules are only loaded, and only those run, whose trigger matches.
 *
 * Left out: `gcp` reads the disk by path (what it looks for has a private key in it anyway), `privatekey` knows fewer keys
 * than own-rules.ts, `filter-comments` lets a comment in a file switch the search off.
 */
export interface PresetEntry {
  readonly kind: string;
  readonly trigger: RegExp;
}

const addressWithPassword = /:\/\/[^\s/:@]{1,256}:[^\s/@]{1,256}@/;

export const presetTable: ReadonlyMap<string, PresetEntry> = new Map(
  Object.entries({
    '1password': { kind: 'a 1Password service account token', trigger: /ops_ey[A-Za-z0-9]{20}/ },
    anthropic: { kind: 'an Anthropic API key', trigger: /sk-ant-api0/ },
    aws: { kind: 'an AWS secret access key', trigger: /(?:KEY|[Kk]ey)["']?\s*(?::|=)>?\s*["']?[A-Za-z0-9/+=]{40}/ },
    basicauth: { kind: 'an address with a password', trigger: addressWithPassword },
    'database-connection-string': { kind: 'a database address with a password', trigger: addressWithPassword },
    databricks: { kind: 'a Databricks token', trigger: /dapi[A-Fa-f0-9]{32}/ },
    docker: { kind: 'a Docker access token', trigger: /dckr_pat_/ },
    figma: { kind: 'a Figma token', trigger: /figd_[A-Za-z0-9_-]{40}/ },
    github: { kind: 'a GitHub token', trigger: /gh[opusr]_[A-Za-z0-9_]{36}|github_pat_/ },
    gitlab: { kind: 'a GitLab token', trigger: /glpat-/ },
    grafana: { kind: 'a Grafana token', trigger: /glc_[A-Za-z0-9+/]{32}|glsa_[A-Za-z0-9]{32}/ },
    groq: { kind: 'a Groq API key', trigger: /gsk_[A-Za-z0-9]{52}/ },
    'hashicorp-vault': { kind: 'a HashiCorp Vault token', trigger: /hv[sbr]\.[A-Za-z0-9_-]{90}/ },
    huggingface: { kind: 'a Hugging Face token', trigger: /hf_[A-Za-z]{34}/ },
    linear: { kind: 'a Linear API key', trigger: /lin_api_/ },
    notion: { kind: 'a Notion token', trigger: /ntn_[0-9]{11}/ },
    npm: { kind: 'an npm access token', trigger: /npm_[A-Za-z0-9_]{36}|_authToken=[^$]|:x-oauth-basic@/ },
    openai: { kind: 'an OpenAI API key', trigger: /T3BlbkFJ/ },
    sendgrid: { kind: 'a SendGrid API key', trigger: /SG\.\w{10,128}\.\w{10}/ },
    shopify: { kind: 'a Shopify token', trigger: /shp(?:pa|ca|at|ss)_[A-Za-z0-9]{32}/ },
    slack: { kind: 'a Slack token', trigger: /xox[abopr]-|xapp-|hooks\.slack\.com\/services\// },
    vercel: { kind: 'a Vercel token', trigger: /vc[piark]_[A-Za-z0-9]{20}/ },
  }),
);

/** Rules of the preset that are deliberately not used. */
export const leftOut: readonly string[] = ['gcp', 'privatekey', 'filter-comments'];
