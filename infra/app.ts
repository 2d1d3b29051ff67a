/** kashi on AWS: one stage (infra/stages/<stage>.yaml) is these stacks. `npx cdk synth -c stage=<stage>`; default dev. */
import { App, Tags, Validations } from 'aws-cdk-lib';
import { AwsSolutionsChecks } from 'cdk-nag';
import { makeApp } from './make-app.ts';

const app = new App();
const stage = String(app.node.tryGetContext('stage') ?? 'dev');
makeApp(app, stage);
Tags.of(app).add('kashi:stage', stage);
Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
app.synth();
