/** The HTTPS endpoint for Prometheus remote write and OTLP/JSON. Senders prove who they are with a bearer token of their site. */
import { CfnOutput, Duration, RemovalPolicy } from 'aws-cdk-lib';
import { CfnStage, HttpApi, HttpMethod, LogGroupLogDestination } from 'aws-cdk-lib/aws-apigatewayv2';
import { HttpLambdaIntegration } from 'aws-cdk-lib/aws-apigatewayv2-integrations';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { Construct } from 'constructs';
import { acknowledge } from '../acknowledge.ts';
import type { StageConfig } from '../config.ts';
import { StageFunction, type StageParts } from './stage-function.ts';

export interface ReceiveEndpointProps {
  readonly config: StageConfig;
  readonly parts: StageParts;
}

const ROUTES = ['/api/v1/write', '/v1/metrics', '/v1/traces', '/v1/logs'];

export class ReceiveEndpoint extends Construct {
  readonly receive: StageFunction;
  readonly api: HttpApi;

  constructor(scope: Construct, id: string, { parts, config }: ReceiveEndpointProps) {
    super(scope, id);
    const tokens = this.makeTokens();
    this.receive = new StageFunction(this, {
      ...parts,
      name: 'receive',
      description: 'remote write and OTLP/JSON → landed objects',
      memoryMb: 1024,
      timeoutS: 25,
      tokens,
    });
    this.api = this.makeApi(config.stage);
    this.limit(config.receive.requests_per_second);
    new CfnOutput(this, 'Url', { value: this.api.apiEndpoint });
    new CfnOutput(this, 'TokensSecret', { value: tokens.secretArn });
  }

  /** Begins with one random token of a site that nobody is: lines of `<site> <token>` replace it. */
  private makeTokens(): Secret {
    const secret = new Secret(this, 'Tokens', {
      description: 'bearer tokens of senders, one a line: <site> <token>; two lines of a site are a rotation',
      generateSecretString: { secretStringTemplate: '{"site":"nobody"}', generateStringKey: 'token', excludePunctuation: true },
      removalPolicy: RemovalPolicy.RETAIN,
    });
    acknowledge(
      secret,
      'SMG4',
      'Senders hold the other half, so nothing can rotate it alone; two tokens of a site may stand side by side.',
    );
    return secret;
  }

  private makeApi(stage: string): HttpApi {
    const api = new HttpApi(this, 'Api', {
      apiName: `kashi-${stage}`,
      description: 'Prometheus remote write and OTLP/JSON',
      createDefaultStage: false,
    });
    const integration = new HttpLambdaIntegration('Receive', this.receive.function, { timeout: Duration.seconds(25) });
    for (const path of ROUTES)
      for (const route of api.addRoutes({ path, methods: [HttpMethod.POST], integration }))
        acknowledge(
          route,
          'APIG4',
          'Senders of these protocols carry a bearer token, which the function compares in constant time before it reads a body.',
        );
    return api;
  }

  private limit(requestsPerSecond: number): void {
    const logs = new LogGroup(this, 'AccessLogs', { retention: RetentionDays.SIX_MONTHS, removalPolicy: RemovalPolicy.DESTROY });
    const stage = this.api.addStage('Stage', {
      stageName: '$default',
      autoDeploy: true,
      throttle: { rateLimit: requestsPerSecond, burstLimit: 2 * requestsPerSecond },
      accessLogSettings: { destination: new LogGroupLogDestination(logs) },
      detailedMetricsEnabled: true,
    });
    if (!(stage.node.defaultChild instanceof CfnStage)) throw new Error('the stage of the API is of another kind');
  }
}
