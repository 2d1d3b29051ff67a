/** The official FOCUS validator (focus-validator on PyPI), installed into a cache outside of git, and its report as data. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const VERSION = '2.2.1';
const ROOT = join(import.meta.dirname, '..', '..', '.cache', `focus-validator-${VERSION}`);
/** Rule model of FOCUS 1.2 that comes with it. */
const MODEL = '1.2.0.1';
const MINUTE_MS = 60_000;

/** What kashi's export supports: conditional columns are checked for exactly these. */
const CRITERIA = [
  'ACCOUNT_NAMING_SUPPORTED',
  'BILLING_BASED_ON_PROVISIONED_RESOURCES_SUPPORTED',
  'MULTIPLE_PRICING_CATEGORIES_SUPPORTED',
  'NEGOTIATED_PRICING_SUPPORTED',
  'PUBLIC_PRICE_LIST_SUPPORTED',
  'REGION_SUPPORTED',
  'RESOURCE_TYPE_ASSIGNMENT_SUPPORTED',
  'SUB_ACCOUNT_SUPPORTED',
  'TAGGING_SUPPORTED',
  'UNIT_PRICING_SUPPORTED',
  'USAGE_MEASUREMENT_SUPPORTED',
];

export interface Validator {
  readonly python: string;
  readonly packages: string;
}

/** Null, and why, when it cannot be had: no Python, no registry. */
export function installValidator(): Validator | { readonly missing: string } {
  const ready = found();
  if (ready !== null) return ready;
  const building = `${ROOT}.building`;
  rmSync(building, { recursive: true, force: true });
  mkdirSync(join(ROOT, '..'), { recursive: true });
  const python = ['python3.13', 'python3.12', 'python3'].find((name) => spawnSync(name, ['--version']).status === 0);
  if (python === undefined) return { missing: 'no Python 3' };
  const steps = [
    [python, '-m', 'venv', building],
    // It asks for Python 3.12 because of one line (see below); its packages of data need versions that suit each other.
    [
      join(building, 'bin', 'python'),
      '-m',
      'pip',
      'install',
      '--quiet',
      '--ignore-requires-python',
      `focus-validator==${VERSION}`,
      'pyarrow==20.0.0',
    ],
  ];
  for (const [command = '', ...rest] of steps) {
    const { status, stderr } = spawnSync(command, rest, { encoding: 'utf8', timeout: 10 * MINUTE_MS });
    if (status !== 0) return { missing: `${command} ${rest.join(' ')}: ${(stderr ?? '').trim().split('\n').at(-1)}` };
  }
  renameSync(building, ROOT);
  const installed = found();
  if (installed === null) return { missing: 'the package is not where it should be' };
  mendForPython311(installed.packages);
  return installed;
}

function found(): Validator | null {
  const lib = join(ROOT, 'lib');
  if (!existsSync(lib)) return null;
  const packages = join(lib, readdirSync(lib)[0] ?? '', 'site-packages');
  return existsSync(join(packages, 'focus_validator')) ? { python: join(ROOT, 'bin', 'python'), packages } : null;
}

/** One f-string holds a backslash, which Python reads from 3.12 on only. The same text without it; no rule is touched. */
function mendForPython311(packages: string): void {
  const file = join(packages, 'focus_validator', 'config_objects', 'focus_to_duckdb_converter.py');
  const text = readFileSync(file, 'utf8');
  const newer = `f"'{k.replace('\\"', '\\"\\"')}'"`;
  writeFileSync(file, text.replace(newer, `"'" + k.replace('"', '""') + "'"`));
}

export interface Report {
  readonly passed: number;
  readonly skipped: number;
  /** Rules that failed, but for alternatives of a rule that passed: 'InvoiceId must be null' and '… must not be null' are the two halves of an OR. */
  readonly failed: readonly string[];
  readonly alternatives: readonly string[];
}

export function validate({ python, packages }: Validator, parquet: string): Report {
  const run = 'import sys; from focus_validator.main import main; sys.exit(main())';
  const options = ['--data-file', parquet, '--validate-version', MODEL, '--block-download', '--focus-dataset', 'CostAndUsage'];
  const { stdout, stderr } = spawnSync(python, ['-c', run, ...options, '--applicability-criteria', CRITERIA.join(',')], {
    // It looks for its list of currencies from here.
    cwd: packages,
    encoding: 'utf8',
    timeout: 5 * MINUTE_MS,
    maxBuffer: 64 * 1024 ** 2,
  });
  const rules = new Map(
    [...stdout.matchAll(/^\S+ (\S+): (PASS|FAIL|SKIPPED)\b/gm)].map(([, id = '', status = '']) => [id, status] as const),
  );
  if (rules.size === 0) throw new Error(`the validator did not report: ${stderr.slice(-2000)}`);
  const of = (status: string): string[] => [...rules].filter(([, its]) => its === status).map(([id]) => id);
  const excused = alternativesThatPassed(packages, (id) => rules.get(id) === 'PASS');
  const failed = of('FAIL');
  return {
    passed: of('PASS').length,
    skipped: of('SKIPPED').length,
    failed: failed.filter((id) => !excused.has(id)),
    alternatives: failed.filter((id) => excused.has(id)),
  };
}

interface Requirement {
  readonly CheckFunction?: string;
  readonly ModelRuleId?: string;
  readonly Items?: readonly Requirement[];
}

interface RuleModel {
  readonly ModelRules: Readonly<Record<string, { readonly ValidationCriteria: { readonly Requirement?: Requirement } }>>;
}

/** Members of OR rules of which at least one member holds. */
function alternativesThatPassed(packages: string, passed: (id: string) => boolean): Set<string> {
  const model = JSON.parse(readFileSync(join(packages, 'focus_validator', 'rules', `model-${MODEL}.json`), 'utf8')) as RuleModel;
  const excused = new Set<string>();
  for (const { ValidationCriteria } of Object.values(model.ModelRules)) {
    const { CheckFunction, Items = [] } = ValidationCriteria.Requirement ?? {};
    const members = Items.flatMap(({ ModelRuleId }) => (ModelRuleId === undefined ? [] : [ModelRuleId]));
    if (CheckFunction === 'OR' && members.some(passed)) for (const id of members) excused.add(id);
  }
  return excused;
}
