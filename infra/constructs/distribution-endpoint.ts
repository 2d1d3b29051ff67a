/** The HTTPS endpoint for hooks of model registries and for edges. What comes in is signed, or carries a token; the functions verify the raw bytes. */
import { CfnOutput, Duration, RemovalPolicy } from 'aws-cdk-lib';
import { HttpApi, HttpMethod, LogGroupLogDestination } from 'aws-cdk-lib/aws-apigatewayv2';
import { HttpLambdaIntegration } from 'aws-cdk-lib/aws-apigatewayv2-integrations';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';
import { acknowledge } from '../acknowledge.ts';
import type { StageFunction } from './stage-function.ts';

export interface DistributionEndpointProps {
  readonly stage: string;
  readonly requestsPerSecond: number;
  readonly hook: StageFunction;
  readonly hub: StageFunction;
}

const TIMEOUT = Duration.seconds(25);

export class DistributionEndpoint extends Construct {
  readonly api: HttpApi;

  constructor(scope: Construct, id: string, { stage, requestsPerSecond, hook, hub }: DistributionEndpointProps) {
    super(scope, id);
    this.api = new HttpApi(this, 'Api', {
      apiName: `kashi-${stage}-distribution`,
      description: 'hooks of model registries; polls and reports of edges',
      createDefaultStage: false,
    });
    this.route('Hook', hook, ['/v1/hooks/{endpoint}']);
    this.route('Hub', hub, ['/v1/edges/{edge}', '/v1/registries/{edge}']);
    this.limit(requestsPerSecond);
    new CfnOutput(this, 'HqUrl', { value: this.api.apiEndpoint });
  }

  private route(id: string, target: StageFunction, paths: readonly string[]): void {
    const integration = new HttpLambdaIntegration(id, target.function, { timeout: TIMEOUT });
    for (const path of paths)
      for (const route of this.api.addRoutes({ path, methods: [HttpMethod.POST], integration }))
        acknowledge(
          route,
          'APIG4',
          'Senders sign the raw body or show a secret, which the function verifies in constant time before it reads anything.',
        );
  }

  private limit(requestsPerSecond: number): void {
    const logs = new LogGroup(this, 'AccessLogs', { retention: RetentionDays.SIX_MONTHS, removalPolicy: RemovalPolicy.DESTROY });
    this.api.addStage('Stage', {
      stageName: '$default',
      autoDeploy: true,
      throttle: { rateLimit: requestsPerSecond, burstLimit: 2 * requestsPerSecond },
      accessLogSettings: { destination: new LogGroupLogDestination(logs) },
      detailedMetricsEnabled: true,
    });
  }
}
