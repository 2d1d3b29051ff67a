/**
 * A SageMaker model package as the AWS command line describes it. A command instead of an SDK: the client of SageMaker alone is larger than all
 * of kashi, and whoever runs such a registry has the command line with its credentials.
 */
import { execFile } from 'node:child_process';
import { KashiError } from '../domain/errors.ts';
import { type ModelSource, TransientStoreError } from '../ports.ts';
import { fieldsOf, listOf, textOf } from './model-source-http.ts';

const WAIT_MS = 60_000;

export const DESCRIBE_MODEL_PACKAGE: readonly string[] = [
  'aws',
  'sagemaker',
  'describe-model-package',
  '--output',
  'json',
  '--model-package-name',
  '{version}',
];

/** `command`: prints a DescribeModelPackage answer; {model} and {version} in it are the group and the ARN. */
export function sageMakerSource(command: readonly string[] = DESCRIBE_MODEL_PACKAGE): ModelSource {
  return {
    name: 'sagemaker',
    versions: async (model, version) => {
      // A name that begins with a dash would be an option of the command.
      if (model.startsWith('-') || version.startsWith('-')) return [];
      const words = command.map((word) => word.replaceAll('{model}', model).replaceAll('{version}', version));
      const printed = await run(words);
      if (printed === null) return [];
      const found = parse(printed, words[0] ?? '');
      const [container] = listOf(fieldsOf(found['InferenceSpecification'])['Containers']);
      const custom = Object.fromEntries(
        Object.entries(fieldsOf(found['CustomerMetadataProperties'])).map(([name, value]) => [name, textOf(value)]),
      );
      const life = fieldsOf(found['ModelLifeCycle']);
      const number = textOf(found['ModelPackageVersion']);
      if (number === '') return [];
      return [
        {
          version: number,
          id: textOf(found['ModelPackageArn']),
          aliases: [],
          states: [textOf(found['ModelApprovalStatus']), textOf(life['Stage'])].filter((state) => state !== ''),
          metrics: Object.fromEntries(
            Object.entries(custom).flatMap(([name, value]) => (name.startsWith('metric.') ? [[name.slice(7), value]] : [])),
          ),
          environment: textOf(container?.['Image']) === '' ? {} : { image: textOf(container?.['Image']) },
          provenance: {
            script: custom['script'] ?? '',
            code_revision: textOf(fieldsOf(found['MetadataProperties'])['CommitId']) || (custom['code_revision'] ?? ''),
            data_set: custom['data_set'] ?? '',
            training_job: custom['training_job'] ?? '',
            artifacts: textOf(container?.['ModelDataUrl']),
          },
        },
      ];
    },
  };
}

/** What it printed; null when it says that there is no such package. */
async function run(words: readonly string[]): Promise<string | null> {
  const [program = '', ...rest] = words;
  return await new Promise((done, fail) => {
    execFile(program, rest, { timeout: WAIT_MS, maxBuffer: 16 * 1024 ** 2 }, (error, stdout, stderr) => {
      if (error === null) done(stdout);
      else if (/does not exist|ValidationException/.test(stderr)) done(null);
      else if ('code' in error && (error.code as unknown) === 'ENOENT')
        fail(new KashiError('config_invalid', 'the command of a model registry is not there', { where: program }));
      else fail(new TransientStoreError(`${program}: ${stderr.trim().split('\n').at(-1) ?? error.message}`));
    });
  });
}

function parse(text: string, program: string): Readonly<Record<string, unknown>> {
  try {
    return fieldsOf(JSON.parse(text));
  } catch (cause) {
    throw new KashiError('store_unsuitable', 'a model registry answers no JSON', { where: program }, { cause });
  }
}
