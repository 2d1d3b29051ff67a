/** A Firehose stream into the landing bucket, for producers that have no other way: CloudWatch Logs, agents without S3. */
import { CfnOutput, Duration, RemovalPolicy, Size } from 'aws-cdk-lib';
import { PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { CfnDeliveryStream } from 'aws-cdk-lib/aws-kinesisfirehose';
import { LogGroup, LogStream, RetentionDays } from 'aws-cdk-lib/aws-logs';
import type { Bucket } from 'aws-cdk-lib/aws-s3';
import { Construct } from 'constructs';
import { acknowledgeWildcard } from '../acknowledge.ts';

const BUFFER = { interval: Duration.minutes(5), size: Size.mebibytes(64) };

/** Records are lines: Firehose puts no line end between records of its own accord. At least once: kashi counts a row once all the same. */
export function deliveryStream(scope: Construct, stage: string, landing: Bucket): CfnDeliveryStream {
  const home = new Construct(scope, 'Firehose');
  const logs = new LogGroup(home, 'Logs', { retention: RetentionDays.SIX_MONTHS, removalPolicy: RemovalPolicy.DESTROY });
  const errors = new LogStream(home, 'Errors', { logGroup: logs, removalPolicy: RemovalPolicy.DESTROY });
  const role = new Role(home, 'Role', { assumedBy: new ServicePrincipal('firehose.amazonaws.com') });
  role.addToPolicy(
    new PolicyStatement({ actions: ['s3:PutObject', 's3:AbortMultipartUpload'], resources: [landing.arnForObjects('firehose/*')] }),
  );
  role.addToPolicy(
    new PolicyStatement({ actions: ['kms:GenerateDataKey', 'kms:Decrypt'], resources: [landing.encryptionKey?.keyArn ?? ''] }),
  );
  role.addToPolicy(
    new PolicyStatement({ actions: ['logs:PutLogEvents'], resources: [`${logs.logGroupArn}:log-stream:${errors.logStreamName}`] }),
  );
  const stream = new CfnDeliveryStream(home, 'Stream', {
    deliveryStreamName: `kashi-${stage}-landing`,
    deliveryStreamType: 'DirectPut',
    deliveryStreamEncryptionConfigurationInput: { keyType: 'AWS_OWNED_CMK' },
    extendedS3DestinationConfiguration: {
      bucketArn: landing.bucketArn,
      roleArn: role.roleArn,
      prefix: 'firehose/!{timestamp:yyyy/MM/dd}/',
      errorOutputPrefix: 'firehose/errors/!{firehose:error-output-type}/!{timestamp:yyyy/MM/dd}/',
      bufferingHints: { intervalInSeconds: BUFFER.interval.toSeconds(), sizeInMBs: BUFFER.size.toMebibytes() },
      compressionFormat: 'GZIP',
      cloudWatchLoggingOptions: { enabled: true, logGroupName: logs.logGroupName, logStreamName: errors.logStreamName },
      processingConfiguration: {
        enabled: true,
        processors: [{ type: 'AppendDelimiterToRecord', parameters: [{ parameterName: 'Delimiter', parameterValue: '\\n' }] }],
      },
    },
  });
  stream.node.addDependency(role);
  acknowledgeWildcard(
    role,
    landing,
    landing.bucketArn,
    '/firehose/*',
    'Firehose names its objects itself; the right is for the folder firehose/ of the landing bucket.',
  );
  new CfnOutput(home, 'Name', { value: stream.ref });
  return stream;
}
